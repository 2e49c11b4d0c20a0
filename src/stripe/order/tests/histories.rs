//! Any history of two subscriptions, in any order: what it ends in depends on the events alone.

use super::{Books, MARCH, UPDATED};
use crate::stripe::{
    event::Event,
    samples::{Shape, event, invoice, merged, subscription},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const DAY: i64 = 86_400;

/// One thing that happens to one of the subscriptions, at one of few moments, so that many share a second.
fn news() -> impl Strategy<Value = (i64, &'static str, Value)> {
    let shape = prop::sample::select(vec![Shape::Acacia, Shape::Basil]);
    let id = prop::sample::select(vec!["sub_1", "sub_2"]);
    let price = prop::sample::select(vec!["price_premium", "pro_monthly", "price_x"]);
    let status = prop::sample::select(vec!["active", "active", "past_due", "unpaid", "paused", "canceled"]);
    let kind = prop::sample::select(vec!["created", "updated", "updated", "deleted", "paid"]);
    let (at, period, cancelled) = (0..6_i64, 0..4_i64, any::<bool>());
    (shape, id, price, status, kind, at, period, cancelled).prop_map(
        |(shape, id, price, status, kind, at, period, cancelled)| {
            let span = (MARCH + period * DAY, MARCH + (period + 30) * DAY);
            let subscribed = |status| subscription(shape, id, status, price, span);
            let changed = || merged(subscribed(status), json!({"cancel_at_period_end": cancelled}));
            match kind {
                "paid" => (MARCH + at * DAY / 2, "invoice.paid", invoice(shape, id, price, span)),
                // Only a subscription that begins is incomplete.
                "created" => (MARCH, "customer.subscription.created", subscribed("incomplete")),
                "deleted" => (MARCH + at * DAY / 2, "customer.subscription.deleted", changed()),
                _ => (MARCH + at * DAY / 2, UPDATED, changed()),
            }
        },
    )
}

fn history() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    prop::collection::vec(news(), 1..8).prop_flat_map(|news| {
        let numbered = news.iter().enumerate();
        let events: Vec<_> =
            numbered.map(|(number, (at, kind, object))| event(&format!("evt_{number}"), *at, kind, object)).collect();
        let twice = events.iter().chain(&events).cloned().collect::<Vec<_>>();
        (Just(events), Just(twice).prop_shuffle())
    })
}

/// What they leave of an account; which usage moves where depends on when the news comes.
fn left_of<'a>(events: impl IntoIterator<Item = &'a Event>, now: i64) -> Books {
    Books { moved: Vec::new(), ..Books::of(events, now) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_history_in_any_order_ends_the_same((in_order, shuffled) in history(), days in prop::sample::select(vec![5, 32, 60])) {
        let now = MARCH + days * DAY;
        prop_assert_eq!(left_of(&shuffled, now), left_of(&in_order, now));
    }
}

#[test]
fn a_price_that_is_no_plan_changes_none_in_either_order() {
    let bought = subscription(Shape::Basil, "sub_1", "active", "price_premium", (MARCH, MARCH + 30 * DAY));
    let changed = subscription(Shape::Basil, "sub_1", "active", "price_x", (MARCH, MARCH + 30 * DAY));
    let (bought, changed) = (event("evt_1", MARCH, UPDATED, &bought), event("evt_2", MARCH + 9, UPDATED, &changed));
    for order in [[&bought, &changed], [&changed, &bought]] {
        assert_eq!(left_of(order, MARCH + DAY).membership(), "Premium-20000");
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
    assert_eq!(left_of([&began, &storage], MARCH + 3 * DAY).membership(), "Premium-20000");
    for order in [[&began, &storage, &ended], [&storage, &ended, &began], [&ended, &began, &storage]] {
        assert_eq!(left_of(order, MARCH + 3 * DAY).membership(), "Free");
    }
    let mut books = Books::new();
    books.account.membership = "Courtesy".into();
    books.take(&storage, MARCH + 3 * DAY);
    assert_eq!(books.membership(), "Courtesy", "it never brought a plan");
    let mut books = left_of([&began, &ended], MARCH + 3 * DAY);
    books.account.membership = "Courtesy".into();
    books.take(&storage, MARCH + 3 * DAY);
    assert_eq!(books.membership(), "Courtesy", "what an operator assigned after the end stays");
}
