use super::*;
use crate::stripe::claims::Rank;
use crate::stripe::{
    event::Span,
    samples::{APRIL, MARCH, MAY, Shape, config, event, invoice, merged, session, subscription, unix},
};
use serde_json::{Value, json};

fn news(kind: &str, object: &Value) -> Result<News, Reason> {
    News::of(&event("evt_1", MARCH + 1, kind, object), &config())
}

fn telling(kind: &str, object: &Value) -> Telling {
    let mut news = news(kind, object).unwrap();
    assert_eq!(news.tellings.len(), 1);
    news.tellings.remove(0)
}

fn observed(kind: &str, object: &Value) -> (String, Observed) {
    let telling = telling(kind, object);
    let Some(Fact::Subscription(observation)) = telling.fact else { panic!("{telling:?}") };
    (telling.object, observation.observed)
}

fn snapshot_of(kind: &str, object: &Value) -> Snapshot {
    let (_, Observed::Snapshot(snapshot)) = observed(kind, object) else { panic!() };
    snapshot
}

fn bought(plan: &str) -> Bought {
    Bought { plan: plan.into(), quantity: 1 }
}

const SPAN: Option<Span> = Some(Span { start: UnixSeconds(MARCH), end: UnixSeconds(APRIL) });

#[test]
fn a_subscription_brings_its_plan_and_period() {
    for shape in [Shape::Acacia, Shape::Basil] {
        let object = subscription(shape, "sub_1", "active", "price_premium", (MARCH, APRIL));
        let snapshot = snapshot_of("customer.subscription.updated", &object);
        assert_eq!((snapshot.plan, snapshot.span, snapshot.ends_at), (Some(bought("Premium-20000")), SPAN, None));
    }
}

#[test]
fn a_plan_may_be_named_by_lookup_key() {
    let mut object = subscription(Shape::Basil, "sub_1", "active", "price_other", (MARCH, APRIL));
    object["items"]["data"][0]["price"]["lookup_key"] = "pro_monthly".into();
    assert_eq!(snapshot_of("customer.subscription.created", &object).plan, Some(bought("Pro")));
}

#[test]
fn an_items_quantity_goes_with_its_plan() {
    let mut object = subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, APRIL));
    for (quantity, expected) in [(json!(3), 3), (json!(0), 0), (json!(null), 1), (json!(-2), 1), (json!("7"), 1)] {
        object["items"]["data"][0]["quantity"] = quantity;
        assert_eq!(snapshot_of("customer.subscription.updated", &object).plan.unwrap().quantity, expected);
    }
    let mut object = invoice(Shape::Basil, "sub_1", "price_premium", (APRIL, MAY));
    object["lines"]["data"][0]["quantity"] = 3.into();
    let (_, Observed::Paid(paid)) = observed("invoice.paid", &object) else { panic!() };
    assert_eq!(paid.plan.unwrap().quantity, 3);
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
    let premium = || Some(bought("Premium-20000"));
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
        let span = Span { start: unix(APRIL), end: unix(MAY) };
        let paid = Observed::Paid(Paid { plan: Some(bought("Premium-20000")), span });
        assert_eq!(observed("invoice.paid", &object), ("sub_1".into(), paid), "{shape:?}");
    }
}

#[test]
fn a_pack_has_the_credits_of_its_session_else_of_its_link() {
    let completed = |more: Value| merged(session("cs_1", "pi_1", "750"), more);
    for (more, object, credits) in [
        (json!({}), "pi_1", 750),
        (json!({"metadata": {"credits": " 750 "}}), "pi_1", 750),
        (json!({"metadata": {}, "payment_link": "plink_small"}), "pi_1", 500),
        (json!({"payment_link": "plink_small"}), "pi_1", 750),
        (json!({"payment_intent": null, "payment_status": "no_payment_required"}), "cs_1", 750),
    ] {
        let telling = telling("checkout.session.completed", &completed(more));
        assert_eq!(telling.object, object);
        assert_eq!(telling.fact, Some(Fact::Sold(Pack { session: "cs_1".into(), credits })));
    }
    for credits in ["1,000", "1 000", "1.000", "1e3", "-5", "0", "99999999999999999999", "many"] {
        let object = completed(json!({"metadata": {"credits": credits}, "payment_link": "plink_small"}));
        let news = news("checkout.session.completed", &object).unwrap();
        assert!(news.unreadable_credits, "{credits}");
        assert_eq!(news.tellings[0].fact, None, "{credits}");
    }
    let nothing = completed(json!({"metadata": {}}));
    assert_eq!(news("checkout.session.completed", &nothing), Err(Reason::NoCredits), "it sold something else");
}

#[test]
fn a_session_tells_whose_its_subscription_or_payment_is() {
    let object = merged(
        session("cs_1", "pi_1", "750"),
        json!({"mode": "subscription", "subscription": "sub_9", "payment_intent": null, "customer": "cus_9"}),
    );
    let of_subscription = telling("checkout.session.completed", &object);
    assert_eq!((of_subscription.object.as_str(), &of_subscription.fact), ("sub_9", &None));
    assert_eq!(of_subscription.customer.as_deref(), Some("cus_9"));
    assert_eq!(of_subscription.claims.owner().map(|(uid, rank)| (uid.as_str(), rank)), Some(("42", Rank::Reference)));
    let unpaid = merged(session("cs_1", "pi_1", "750"), json!({"payment_status": "unpaid"}));
    let of_payment = telling("checkout.session.completed", &unpaid);
    assert_eq!((of_payment.object.as_str(), of_payment.fact), ("pi_1", None));
}

#[test]
fn connected_accounts_are_ignored_unless_allowed() {
    let object = subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, APRIL));
    let mut event = event("evt_1", MARCH, "customer.subscription.updated", &object);
    event.connected = Some("acct_1".into());
    assert_eq!(News::of(&event, &config()), Err(Reason::Connect));
    assert!(News::of(&event, &StripeConfig { connected_accounts: true, ..config() }).is_ok());
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
        assert_eq!(news(kind, &object), Err(reason), "{kind}");
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
    assert_eq!(News::of(&refund, &config), Err(Reason::ByPolicy));
    assert_eq!(News::of(&dispute, &config).unwrap().tellings[0].object, "pi_1");
    let config = StripeConfig { disputes: ReversalPolicy::Ignore, ..config };
    assert_eq!(News::of(&dispute, &config), Err(Reason::ByPolicy));
}
