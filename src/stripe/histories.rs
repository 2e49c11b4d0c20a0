//! Any history of two accounts' subscriptions and packs, in any order: the final state depends on the events alone.

use super::{
    books::Books,
    event::Event,
    samples::{MARCH, Shape, event, invoice, merged, session, subscription},
};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const UPDATED: &str = "customer.subscription.updated";
const PAID: &str = "checkout.session.completed";

/// One thing that happens: when, of what type, to what.
type Happening = (i64, &'static str, Value);

/// The owner in the metadata, if they name one.
fn metadata() -> impl Strategy<Value = Value> {
    select(vec![json!({"uid": "42"}), json!({"uid": "43"}), json!({"uid": ""}), json!({})])
}

/// Something happens to one of the subscriptions, at one of few moments, so that many share a second.
fn of_subscription() -> impl Strategy<Value = Happening> {
    let id = select(vec!["sub_1", "sub_2"]);
    let price = select(vec!["price_premium", "pro_monthly", "price_starter", "price_x"]);
    let status = select(vec!["active", "active", "past_due", "unpaid", "paused", "canceled"]);
    let kind = select(vec!["created", "updated", "updated", "deleted", "paid", "paid"]);
    let what = (select(vec![Shape::Acacia, Shape::Basil]), id, price, status, kind);
    let how = (any::<bool>(), any::<bool>(), 1..3_u64, metadata());
    (what, how, 0..6_i64, 0..4_i64).prop_map(|(what, (cancelled, paused, quantity, metadata), at, period)| {
        let (shape, id, price, status, kind) = what;
        let span = (MARCH + period * DAY, MARCH + (period + 30) * DAY);
        let subscribed = |status| {
            let mut object = subscription(shape, id, status, price, span);
            object["items"]["data"][0]["quantity"] = quantity.into();
            merged(object, json!({"metadata": metadata, "customer": format!("cus_{id}")}))
        };
        let pause = if paused { json!({"behavior": "void"}) } else { Value::Null };
        let changed = json!({"cancel_at_period_end": cancelled, "pause_collection": pause});
        let at = MARCH + at * DAY / 2;
        match kind {
            "paid" => {
                let mut object = invoice(shape, id, price, span);
                for place in ["/parent/subscription_details", "/subscription_details"] {
                    if let Some(details) = object.pointer_mut(place) {
                        details["metadata"] = metadata.clone();
                    }
                }
                (at, "invoice.paid", merged(object, json!({"customer": format!("cus_{id}"), "created": at - DAY})))
            }
            // Only a subscription that begins is incomplete.
            "created" => (MARCH, "customer.subscription.created", subscribed("incomplete")),
            "deleted" => (at, "customer.subscription.deleted", merged(subscribed(status), changed)),
            _ => (at, UPDATED, merged(subscribed(status), changed)),
        }
    })
}

/// Something is bought by a session, or given back.
fn of_session() -> impl Strategy<Value = Happening> {
    let kind = select(vec!["pack", "pack", "subscription", "refund", "failure", "dispute"]);
    let reference = select(vec![json!("42"), json!("43"), Value::Null]);
    (kind, 1..3_u64, 0..6_i64, metadata(), reference, 1..9_u64).prop_map(
        |(kind, number, at, metadata, reference, amount)| {
            let (payment, at) = (format!("pi_{number}"), MARCH + at * DAY / 2);
            let mut sold = session(&format!("cs_{number}"), &payment, "900");
            sold["client_reference_id"] = reference;
            sold["metadata"]["uid"] = metadata["uid"].clone();
            match kind {
                "pack" => (at, PAID, sold),
                "subscription" => {
                    let id = format!("sub_{number}");
                    let more = json!({"mode": "subscription", "subscription": id, "payment_intent": null});
                    (at, PAID, merged(sold, more))
                }
                "refund" => {
                    let object = json!({"payment_intent": payment, "amount": 900, "amount_refunded": amount * 100});
                    (at, "charge.refunded", merged(object, json!({"metadata": metadata})))
                }
                "failure" => {
                    let id = format!("re_{amount}");
                    let object =
                        json!({"id": id, "payment_intent": payment, "amount": amount * 50, "status": "failed"});
                    (at, "refund.failed", object)
                }
                _ => {
                    let status = if amount > 4 { "lost" } else { "won" };
                    (at, "charge.dispute.closed", json!({"id": "dp_1", "payment_intent": payment, "status": status}))
                }
            }
        },
    )
}

fn history() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    prop::collection::vec(prop_oneof![2 => of_subscription(), 1 => of_session()], 1..10).prop_flat_map(|news| {
        let numbered = news.iter().enumerate();
        let events: Vec<_> =
            numbered.map(|(number, (at, kind, object))| event(&format!("evt_{number}"), *at, kind, object)).collect();
        let twice = events.iter().chain(&events).cloned().collect::<Vec<_>>();
        (Just(events), Just(twice).prop_shuffle())
    })
}

fn two_accounts<'a>(events: impl IntoIterator<Item = &'a Event>, now: i64) -> Books {
    let mut books = Books::new();
    books.open("43");
    events.into_iter().for_each(|event| books.take(event, now));
    books
}

/// The state that the events leave with one account. Which usage moves to which period depends on when they arrive.
fn left_of<'a>(events: impl IntoIterator<Item = &'a Event>, now: i64) -> Books {
    Books::of(events, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_history_in_any_order_ends_the_same((in_order, shuffled) in history(), days in select(vec![3, 5, 32, 60])) {
        let now = MARCH + days * DAY;
        let (expected, got) = (two_accounts(&in_order, now), two_accounts(&shuffled, now));
        prop_assert_eq!(got.everybody(now), expected.everybody(now));
        prop_assert_eq!(got.waiting(), expected.waiting());
        prop_assert!(expected.prepaid("42") >= 0 && expected.prepaid("43") >= 0, "nothing was spent");
    }
}

#[test]
fn a_price_that_is_no_plan_changes_none_in_either_order() {
    let bought = subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, MARCH + 30 * DAY));
    let changed = subscription(Shape::Basil, "sub_1", "active", "price_x", (MARCH, MARCH + 30 * DAY));
    let (bought, changed) = (event("evt_1", MARCH, UPDATED, &bought), event("evt_2", MARCH + 9, UPDATED, &changed));
    for order in [[&bought, &changed], [&changed, &bought]] {
        assert_eq!(left_of(order, MARCH + DAY).plan(), "Premium-20000");
    }
}

#[test]
fn a_plan_ends_with_its_subscription_whatever_else_is_subscribed_to() {
    let (period, later) = ((MARCH, MARCH + 30 * DAY), (MARCH + DAY, MARCH + 31 * DAY));
    let plan = |status| subscription(Shape::Basil, "sub_1", status, "price_premium", period);
    let began = event("evt_1", MARCH, UPDATED, &plan("active"));
    let storage =
        event("evt_2", MARCH + DAY, UPDATED, &subscription(Shape::Basil, "sub_2", "active", "price_x", later));
    let ended = event("evt_3", MARCH + 2 * DAY, "customer.subscription.deleted", &plan("canceled"));
    assert_eq!(left_of([&began, &storage], MARCH + 3 * DAY).plan(), "Premium-20000");
    for order in [[&began, &storage, &ended], [&storage, &ended, &began], [&ended, &began, &storage]] {
        assert_eq!(left_of(order, MARCH + 3 * DAY).plan(), "Free");
    }
    let mut books = Books::new();
    books.account("42").membership = "Courtesy".into();
    books.take(&storage, MARCH + 3 * DAY);
    assert_eq!(books.plan(), "Courtesy", "it never brought a plan");
    let mut books = left_of([&began, &ended], MARCH + 3 * DAY);
    books.account("42").membership = "Courtesy".into();
    books.take(&storage, MARCH + 3 * DAY);
    assert_eq!(books.plan(), "Courtesy", "what an operator assigned after the end stays");
}
