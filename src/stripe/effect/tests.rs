use super::*;
use crate::stripe::{
    event::Span,
    samples::{APRIL, MARCH, MAY, Shape, config, event, invoice, merged, session, subscription, unix},
};
use serde_json::{Value, json};

fn decide(kind: &str, object: &Value) -> Decision {
    Decision::of(&event("evt_1", MARCH + 1, kind, object), &config(), None)
}

fn effect_of(kind: &str, object: &Value) -> Effect {
    let decision = decide(kind, object);
    let Decision::Apply { effect, .. } = decision else { panic!("{decision:?}") };
    effect
}

fn snapshot_of(kind: &str, object: &Value) -> Snapshot {
    let effect = effect_of(kind, object);
    let Effect::SyncSubscription(Observation { seen: Seen::Snapshot(snapshot), .. }) = effect else {
        panic!("{effect:?}")
    };
    snapshot
}

const SPAN: Option<Span> = Some(Span { start: UnixSeconds(MARCH), end: UnixSeconds(APRIL) });

#[test]
fn a_subscription_brings_its_plan_and_period() {
    for shape in [Shape::Acacia, Shape::Basil] {
        let object = subscription(shape, "sub_1", "active", "price_premium", (MARCH, APRIL));
        let snapshot = snapshot_of("customer.subscription.updated", &object);
        assert_eq!((snapshot.plan.as_deref(), snapshot.span, snapshot.ends_at), (Some("Premium-20000"), SPAN, None));
    }
}

#[test]
fn a_plan_may_be_named_by_lookup_key() {
    let mut object = subscription(Shape::Basil, "sub_1", "active", "price_other", (MARCH, APRIL));
    object["items"]["data"][0]["price"]["lookup_key"] = "pro_monthly".into();
    assert_eq!(snapshot_of("customer.subscription.created", &object).plan.as_deref(), Some("Pro"));
}

#[test]
fn of_several_items_the_one_with_a_plan_counts_whole() {
    let item = |price: &str, period: Option<(i64, i64)>| {
        json!({"price": {"id": price, "recurring": {"interval": "week"}},
               "current_period_start": period.map(|(start, _)| start), "current_period_end": period.map(|(_, end)| end)})
    };
    let read = |items: Value| {
        let mut object = subscription(Shape::Acacia, "sub_1", "active", "price_premium", (MARCH, MAY));
        object["items"]["data"] = items;
        let snapshot = snapshot_of("customer.subscription.updated", &object);
        (snapshot.plan, snapshot.span.map(|span| (span.start.0, span.end.0)))
    };
    let (other, plan) = (item("price_storage", Some((1, 2))), item("price_premium", Some((MARCH, APRIL))));
    let premium = || Some("Premium-20000".to_owned());
    assert_eq!(read(json!([other, plan])), (premium(), Some((MARCH, APRIL))));
    let without = item("price_premium", None);
    assert_eq!(
        read(json!([other, without])),
        (premium(), Some((MARCH, MAY))),
        "its own subscription's, not the neighbour's"
    );
    assert_eq!(read(json!([item("price_x", None), other])), (None, Some((1, 2))));
    assert_eq!(read(json!([])), (None, Some((MARCH, MAY))));
}

#[test]
fn when_a_subscription_ends_depends_on_how() {
    let ends_at = |kind: &str, more: Value| {
        let object = merged(subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, APRIL)), more);
        snapshot_of(kind, &object).ends_at.map(|end| end.0)
    };
    let updated = "customer.subscription.updated";
    assert_eq!(ends_at(updated, json!({"cancel_at_period_end": true})), Some(APRIL));
    assert_eq!(ends_at(updated, json!({"cancel_at_period_end": true, "cancel_at": MAY})), Some(MAY));
    assert_eq!(ends_at(updated, json!({"status": "unpaid"})), Some(MARCH + 1), "from the event on");
    assert_eq!(ends_at("customer.subscription.paused", json!({"status": "paused"})), Some(MARCH + 1));
    assert_eq!(ends_at("customer.subscription.deleted", json!({"ended_at": MARCH + 9})), Some(MARCH + 9));
    assert_eq!(ends_at("customer.subscription.deleted", json!({"items": null})), Some(MARCH + 1), "needs no period");
}

#[test]
fn a_paid_invoice_brings_the_plans_latest_line() {
    for shape in [Shape::Acacia, Shape::Basil] {
        let mut object = invoice(shape, "sub_1", "price_premium", (APRIL, MAY));
        let line = object["lines"]["data"][0].clone();
        let metered = merged(line.clone(), json!({"period": {"start": MARCH, "end": APRIL}}));
        let other = merged(
            line.clone(),
            json!({"period": {"start": MAY, "end": MAY + 9}, "price": {"id": "x"}, "pricing": null}),
        );
        object["lines"]["data"] = json!([metered, line, other]);
        let Effect::SyncSubscription(observation) = effect_of("invoice.paid", &object) else { panic!() };
        let span = Span { start: unix(APRIL), end: unix(MAY) };
        assert_eq!(observation.seen, Seen::Paid(Paid { plan: Some("Premium-20000".into()), span }), "{shape:?}");
        assert_eq!(observation.subscription, "sub_1");
    }
}

#[test]
fn a_pack_has_the_credits_of_its_session_else_of_its_link() {
    let completed = |more: Value| decide("checkout.session.completed", &merged(session("cs_1", "pi_1", "750"), more));
    for (more, credits) in [
        (json!({}), 750),
        (json!({"metadata": {}, "payment_link": "plink_small"}), 500),
        (json!({"payment_link": "plink_small"}), 750),
    ] {
        let decision = completed(more);
        let Decision::Apply { effect: Effect::Grant(pack), .. } = decision else { panic!("{decision:?}") };
        assert_eq!((pack.session.as_str(), pack.payment.as_deref(), pack.credits), ("cs_1", Some("pi_1"), credits));
    }
    for metadata in
        [json!({}), json!({"credits": "-5"}), json!({"credits": "0"}), json!({"credits": "99999999999999999999"})]
    {
        assert_eq!(completed(json!({"metadata": metadata})), Decision::Ignore(Reason::NoCredits), "{metadata}");
    }
}

#[test]
fn an_account_is_named_or_known_or_waited_for() {
    let object = subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, APRIL));
    let nameless = merged(object.clone(), json!({"metadata": {}}));
    let decide = |object: &Value, known: Option<&str>| {
        let known = known.map(|uid| Uid::new(uid).unwrap());
        Decision::of(&event("evt_1", MARCH, "customer.subscription.updated", object), &config(), known.as_ref())
    };
    let account = |decision| {
        let Decision::Apply { uid, learn, .. } = decision else { panic!("{decision:?}") };
        assert_eq!(learn, ["cus_1"]);
        String::from(uid)
    };
    assert_eq!(account(decide(&object, Some("7"))), "42", "its own word counts first");
    assert_eq!(account(decide(&nameless, Some("7"))), "7");
    assert_eq!(decide(&nameless, None), Decision::Park { aliases: vec!["cus_1".into()] });
    let nobody = merged(nameless, json!({"customer": null}));
    assert_eq!(decide(&nobody, None), Decision::Ignore(Reason::NoOwner));
}

#[test]
fn an_unpaid_session_still_teaches_whose_customer_it_is() {
    let object = merged(session("cs_1", "pi_1", "750"), json!({"mode": "subscription", "customer": "cus_9"}));
    let Decision::Apply { uid, learn, effect } = decide("checkout.session.completed", &object) else { panic!() };
    assert_eq!(
        (uid.as_str(), learn.as_slice(), effect),
        ("42", &["cus_9".into(), "pi_1".into()][..], Effect::LearnCustomer)
    );
}

#[test]
fn what_means_nothing_is_ignored_with_a_reason() {
    let subscribed = subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, APRIL));
    let invoiced = invoice(Shape::Basil, "sub_1", "price_premium", (MARCH, APRIL));
    let unpaid =
        merged(session("cs_1", "pi_1", "750"), json!({"payment_status": "unpaid", "client_reference_id": null}));
    let table = [
        ("payout.paid", json!({"id": "po_1"}), Reason::OtherType),
        ("customer.subscription.updated", merged(subscribed, json!({"items": null})), Reason::NoPeriod),
        ("invoice.paid", merged(invoiced.clone(), json!({"billing_reason": "manual"})), Reason::StartsNoPeriod),
        ("invoice.paid", merged(invoiced.clone(), json!({"parent": null})), Reason::StartsNoPeriod),
        ("invoice.paid", merged(invoiced, json!({"lines": {"data": []}})), Reason::NoPeriod),
        ("checkout.session.completed", unpaid, Reason::NotPaid),
        ("charge.refunded", json!({"amount": 5, "amount_refunded": 5, "customer": "cus_1"}), Reason::NoPayment),
    ];
    for (kind, object, reason) in table {
        assert_eq!(decide(kind, &object), Decision::Ignore(reason), "{kind}");
    }
}

#[test]
fn refunds_and_disputes_follow_the_policy() {
    let refund =
        event("evt_1", MARCH, "charge.refunded", &json!({"payment_intent": "pi_1", "amount": 5, "amount_refunded": 5}));
    let dispute = event(
        "evt_1",
        MARCH,
        "charge.dispute.created",
        &json!({"id": "dp_1", "payment_intent": "pi_1", "status": "lost"}),
    );
    let config = StripeConfig { refunds: ReversalPolicy::Ignore, ..config() };
    assert_eq!(Decision::of(&refund, &config, None), Decision::Ignore(Reason::ByPolicy));
    assert_eq!(Decision::of(&dispute, &config, None), Decision::Park { aliases: vec!["pi_1".into()] });
    let config = StripeConfig { disputes: ReversalPolicy::Ignore, ..config };
    assert_eq!(Decision::of(&dispute, &config, None), Decision::Ignore(Reason::ByPolicy));
}
