//! Periods that are not paid.

use super::{DAY, UPDATED, premium};
use crate::stripe::{
    books::Books,
    event::Event,
    samples::{APRIL, MARCH, MAY, Shape, event, invoice, merged},
};
use serde_json::json;

/// What the account has at some moments, after events that come in either order.
fn course(events: &[Event], moments: &[(i64, &str)]) {
    let mut orders = vec![events.to_vec(), events.iter().rev().cloned().collect()];
    orders.push(events.iter().chain(events).cloned().collect());
    for order in orders {
        for (now, expected) in moments {
            let known: Vec<_> = order.iter().filter(|event| event.created.0 <= *now).collect();
            let ids: Vec<_> = known.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(Books::of(known.iter().copied(), *now).membership("42", *now), *expected, "at {now} of {ids:?}");
        }
    }
}

const JUNE: i64 = MAY + 30 * DAY;
const PREMIUM: &str = "Premium-20000";

fn paid(id: &str, period: (i64, i64)) -> Event {
    event(id, period.0 + 60, "invoice.paid", &invoice(Shape::Basil, "sub_1", "price_premium", period))
}

#[test]
fn an_unpaid_period_gives_credits_for_the_grace_once_until_something_is_paid() {
    let due = |id, at, period| event(id, at, UPDATED, &premium("past_due", period));
    let failed = APRIL + 3_600;
    let events = [
        paid("evt_1", (MARCH, APRIL)),
        event("evt_2", APRIL + 1, UPDATED, &premium("active", (APRIL, MAY))),
        due("evt_3", failed, (APRIL, MAY)),
        due("evt_4", failed + DAY, (APRIL, MAY)),
        due("evt_5", MAY + 1, (MAY, JUNE)),
    ];
    course(
        &events,
        &[
            (APRIL + 9, PREMIUM),
            (failed + 3 * DAY - 1, PREMIUM),
            (failed + 3 * DAY, "Free"),
            (MAY - 1, "Free"),
            (MAY + 9, "Free"),
        ],
    );
    // Paid late: it counts again at once, and the next unpaid period has a grace again.
    let late = event(
        "evt_6",
        failed + 10 * DAY,
        "invoice.paid",
        &invoice(Shape::Acacia, "sub_1", "price_premium", (APRIL, MAY)),
    );
    let events = [&events[..], &[late]].concat();
    course(
        &events,
        &[(failed + 9 * DAY, "Free"), (failed + 10 * DAY, PREMIUM), (MAY + DAY, PREMIUM), (MAY + 1 + 3 * DAY, "Free")],
    );
}

#[test]
fn what_becomes_active_again_without_having_been_paid_stays_unpaid() {
    // An invoice that is written off makes Stripe say so.
    let events = [
        paid("evt_1", (MARCH, APRIL)),
        event("evt_2", APRIL + 1, UPDATED, &premium("past_due", (APRIL, MAY))),
        event("evt_3", APRIL + DAY, UPDATED, &premium("active", (APRIL, MAY))),
    ];
    course(&events, &[(APRIL + 2 * DAY, PREMIUM), (APRIL + 5 * DAY, "Free")]);
    // The mere absence of payments means nothing.
    course(&[event("evt_1", APRIL + 1, UPDATED, &premium("active", (APRIL, MAY)))], &[(MAY - 1, PREMIUM)]);
}

#[test]
fn a_period_that_begins_while_collection_is_paused_is_unpaid() {
    let paused = |id, at, period| {
        let void = json!({"pause_collection": {"behavior": "void"}});
        event(id, at, UPDATED, &merged(premium("active", period), void))
    };
    let active = |id, at, period| event(id, at, UPDATED, &premium("active", period));
    let events = [
        paid("evt_1", (MARCH, APRIL)),
        paused("evt_2", MARCH + 5 * DAY, (MARCH, APRIL)),
        paused("evt_3", APRIL + 9, (APRIL, MAY)),
        paused("evt_4", MAY + 9, (MAY, JUNE)),
    ];
    course(
        &events,
        &[(APRIL - 1, PREMIUM), (APRIL + 3 * DAY, PREMIUM), (APRIL + 9 + 3 * DAY, "Free"), (MAY + 9, "Free")],
    );
    // Set within the period, or ended before the next, it says nothing.
    let ended = [
        paid("evt_1", (MARCH, APRIL)),
        paused("evt_2", MARCH + 5 * DAY, (MARCH, APRIL)),
        active("evt_3", MARCH + 6 * DAY, (MARCH, APRIL)),
        active("evt_4", APRIL + 9, (APRIL, MAY)),
        paused("evt_5", APRIL + DAY, (APRIL, MAY)),
    ];
    course(&ended, &[(APRIL + 20 * DAY, PREMIUM)]);
    // Nothing to pay is paid too, as for a trial.
    let free = [&events[..3], &[paid("evt_9", (APRIL, MAY))]].concat();
    course(&free, &[(APRIL + 20 * DAY, PREMIUM)]);
}
