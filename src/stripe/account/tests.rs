mod unpaid;

use crate::{
    domain::period::Move,
    stripe::{
        books::{Books, GRACE},
        event::Event,
        samples::{APRIL, MARCH, MAY, Shape, event, invoice, merged, session, subscription, unix},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const UPDATED: &str = "customer.subscription.updated";

fn premium(status: &str, period: (i64, i64)) -> Value {
    subscription(Shape::Basil, "sub_1", status, "price_premium", period)
}

fn refund(refunded: u64) -> Value {
    json!({"id": "ch_1", "payment_intent": "pi_1", "amount": 1_000, "amount_refunded": refunded})
}

fn dispute(status: &str) -> Value {
    json!({"id": "dp_1", "payment_intent": "pi_2", "status": status})
}

/// A day on which one subscription begins, is upgraded, renewed, and cancelled, another takes over, and packs are
/// bought and given back; several events share a second.
fn a_day(last_word: bool) -> Vec<Event> {
    let created = "customer.subscription.created";
    let deleted = "customer.subscription.deleted";
    let pro = subscription(Shape::Acacia, "sub_1", "active", "price_x", (APRIL, MAY));
    let mut events = vec![
        event("evt_01", MARCH, created, &premium("incomplete", (MARCH, APRIL))),
        event("evt_00", MARCH, UPDATED, &premium("active", (MARCH, APRIL))),
        event("evt_02", MARCH, "invoice.paid", &invoice(Shape::Basil, "sub_1", "price_premium", (MARCH, APRIL))),
        event("evt_03", MARCH + 60, UPDATED, &premium("past_due", (APRIL, MAY))),
        event("evt_04", MARCH + 60, UPDATED, &premium("active", (APRIL, MAY))),
        event("evt_05", MARCH + 61, "invoice.paid", &invoice(Shape::Acacia, "sub_1", "price_premium", (APRIL, MAY))),
        event("evt_06", MARCH + 70, UPDATED, &merged(pro, json!({"cancel_at_period_end": true}))),
        event("evt_07", MARCH + 80, "checkout.session.completed", &session("cs_1", "pi_1", "750")),
        event("evt_08", MARCH + 90, "checkout.session.async_payment_succeeded", &session("cs_1", "pi_1", "750")),
        event("evt_09", MARCH + 90, "checkout.session.completed", &session("cs_2", "pi_2", "100")),
        event("evt_10", MARCH + 91, "charge.refunded", &refund(300)),
        event("evt_11", MARCH + 92, "charge.refunded", &refund(400)),
        event("evt_12", MARCH + 93, "charge.dispute.created", &dispute("needs_response")),
        event("evt_13", MARCH + 93, "charge.dispute.closed", &dispute("won")),
    ];
    if last_word {
        let ended = merged(premium("canceled", (APRIL, MAY)), json!({"ended_at": MARCH + 100}));
        let other = |status| subscription(Shape::Basil, "sub_2", status, "price_premium", (MARCH + 200, APRIL + 200));
        events.extend([
            event("evt_14", MARCH + 100, deleted, &ended),
            event("evt_15", MARCH + 100, UPDATED, &premium("active", (APRIL, MAY))),
            event("evt_16", MARCH + 200, created, &other("active")),
            event("evt_17", MARCH + 300, UPDATED, &other("unpaid")),
        ]);
    }
    events
}

fn any_order() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    any::<bool>().prop_flat_map(|last_word| {
        let events = a_day(last_word);
        let twice = events.iter().chain(&events).cloned().collect::<Vec<_>>();
        let kept = prop::collection::vec(any::<bool>(), events.len());
        // Every event at least once, some a second time.
        let some = (Just(twice), kept).prop_map(|(twice, kept)| {
            let half = twice.len() / 2;
            let again = twice[half..].iter().zip(kept).filter(|(_, kept)| *kept).map(|(event, _)| event);
            twice[..half].iter().chain(again).cloned().collect::<Vec<_>>()
        });
        (Just(events), some.prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_day_in_any_order_with_duplicates_ends_the_same((in_order, shuffled) in any_order()) {
        let now = MARCH + 86_400;
        let (expected, got) = (Books::of(&in_order, now), Books::of(&shuffled, now));
        prop_assert_eq!(got.ours(), expected.ours());
    }
}

#[test]
fn the_day_ends_as_it_should() {
    let now = MARCH + 86_400;
    let books = Books::of(&a_day(false), now);
    assert_eq!(books.plan(), "Premium-20000", "a price that is no plan changes none");
    assert_eq!(books.window(now).cycle(), Some(unix(APRIL)));
    assert_eq!(books.ours().prepaid, 750 - 300 + 100, "two fifths refunded, the dispute won");
    let books = Books::of(&a_day(true), now);
    assert_eq!(books.plan(), "Free", "both subscriptions are over");
    assert_eq!(books.window(now).cycle(), None);
}

#[test]
fn an_older_event_undoes_nothing() {
    let mut books = Books::new();
    books.take(&event("evt_2", APRIL + 5, UPDATED, &premium("active", (APRIL, MAY))), APRIL + 6);
    let after = books.clone();
    books.take(&event("evt_1", MARCH + 5, UPDATED, &premium("unpaid", (MARCH, APRIL))), APRIL + 7);
    assert_eq!(books.ours(), after.ours());
}

#[test]
fn what_is_deleted_stays_deleted() {
    let ended = merged(premium("canceled", (MARCH, APRIL)), json!({"ended_at": MARCH + 9}));
    let mut books = Books::new();
    books.take(&event("evt_1", MARCH + 9, "customer.subscription.deleted", &ended), MARCH + 9);
    books.take(&event("evt_2", MARCH + 10, UPDATED, &premium("active", (MARCH, APRIL))), MARCH + 10);
    assert_eq!((books.plan(), books.window(MARCH + 10).cycle()), ("Free", None));
}

#[test]
fn a_creation_goes_before_an_update_of_the_same_second() {
    let created = event("evt_9", MARCH, "customer.subscription.created", &premium("active", (MARCH, APRIL)));
    let updated = event("evt_1", MARCH, UPDATED, &premium("unpaid", (MARCH, APRIL)));
    for order in [[&created, &updated], [&updated, &created]] {
        assert_eq!(Books::of(order, MARCH + 9).plan(), "Free");
    }
}

#[test]
fn a_period_never_moves_backwards() {
    let mut books = Books::new();
    books.take(&event("evt_1", APRIL, UPDATED, &premium("active", (APRIL, MAY))), APRIL);
    books.take(&event("evt_2", APRIL + 9, UPDATED, &premium("active", (MARCH, APRIL))), APRIL + 9);
    assert_eq!(books.window(APRIL + 9).cycle(), Some(unix(APRIL)));
}

#[test]
fn an_invoice_alone_starts_a_period_and_its_subscription_completes_it() {
    let mut books = Books::new();
    books.take(&event("evt_1", MARCH, "customer.subscription.created", &premium("incomplete", (MARCH, APRIL))), MARCH);
    assert_eq!((books.plan(), books.ours().billing_period), ("Free", None), "nothing is paid yet");
    books.take(
        &event("evt_2", MARCH, "invoice.paid", &invoice(Shape::Basil, "sub_1", "price_premium", (MARCH, APRIL))),
        MARCH,
    );
    assert_eq!((books.plan(), books.window(MARCH).cycle()), ("Premium-20000", Some(unix(MARCH))));
    let mut unseen = Books::new();
    unseen.take(
        &event("evt_2", MARCH, "invoice.paid", &invoice(Shape::Acacia, "sub_1", "price_premium", (MARCH, APRIL))),
        MARCH,
    );
    assert_eq!((unseen.plan(), unseen.window(MARCH).cycle()), ("Premium-20000", Some(unix(MARCH))));
}

#[test]
fn an_explicit_allowance_outlives_renewals_and_ends_with_the_plan() {
    let mut books = Books::new();
    books.take(&event("evt_1", MARCH, UPDATED, &premium("active", (MARCH, APRIL))), MARCH);
    books.account("42").credits = 18_500;
    books.take(&event("evt_2", APRIL, UPDATED, &premium("active", (APRIL, MAY))), APRIL);
    assert_eq!((books.plan(), books.ours().credits), ("Premium-20000", 18_500));
    let mut pro = premium("active", (APRIL, MAY));
    pro["items"]["data"][0]["price"] = json!({"id": "price_pro", "lookup_key": "pro_monthly"});
    books.take(&event("evt_3", APRIL + 9, UPDATED, &pro), APRIL + 9);
    assert_eq!((books.plan(), books.ours().credits), ("Pro", 5_000));
}

#[test]
fn cancelled_at_period_end_keeps_the_plan_until_then() {
    let mut books = Books::new();
    let cancelled = merged(premium("active", (MARCH, APRIL)), json!({"cancel_at_period_end": true}));
    books.take(&event("evt_1", MARCH, UPDATED, &cancelled), MARCH);
    assert_eq!((books.plan(), books.window(APRIL - 1).cycle()), ("Premium-20000", Some(unix(MARCH))));
    assert_eq!(books.window(APRIL).cycle(), None);
    let ended = merged(premium("canceled", (MARCH, APRIL)), json!({"ended_at": APRIL}));
    books.take(&event("evt_2", APRIL, "customer.subscription.deleted", &ended), APRIL + 2);
    assert_eq!(books.plan(), "Free");
    assert!(!books.ours().billing_period.unwrap().must_fall(GRACE, unix(APRIL + 2)), "the fall has been written");
}

#[test]
fn a_plan_assigned_after_the_end_stays_until_the_subscription_lives_again() {
    let mut books = Books::new();
    books.take(&event("evt_1", MARCH, UPDATED, &premium("active", (MARCH, APRIL))), MARCH);
    books.take(&event("evt_2", MARCH + 9, UPDATED, &premium("unpaid", (MARCH, APRIL))), MARCH + 9);
    assert_eq!(books.plan(), "Free");
    books.account("42").membership = "Courtesy".into();
    books.take(&event("evt_3", MARCH + 20, UPDATED, &premium("unpaid", (MARCH, APRIL))), MARCH + 20);
    assert_eq!(books.plan(), "Courtesy");
    books.take(&event("evt_4", MARCH + 30, UPDATED, &premium("active", (MARCH, APRIL))), MARCH + 30);
    assert_eq!((books.plan(), books.window(MARCH + 30).cycle()), ("Premium-20000", Some(unix(MARCH))));
}

#[test]
fn a_late_renewal_takes_the_predicted_windows_usage_over() {
    let mut books = Books::new();
    books.take(&event("evt_1", MARCH, UPDATED, &premium("active", (MARCH, APRIL))), MARCH);
    assert_eq!(books.window(APRIL + 60).cycle(), Some(unix(APRIL)), "predicted");
    books.take(&event("evt_2", APRIL + 7, UPDATED, &premium("active", (APRIL + 7, MAY + 7))), APRIL + 90);
    assert_eq!(books.moved, [Move { from: unix(APRIL), to: unix(APRIL + 7) }]);
    assert_eq!(books.window(APRIL + 90).cycle(), Some(unix(APRIL + 7)));
}

#[test]
fn what_is_given_back_is_taken_once_whatever_comes_first() {
    let granted = event("evt_1", MARCH, "checkout.session.completed", &session("cs_1", "pi_1", "750"));
    let refunded = event("evt_2", MARCH + 9, "charge.refunded", &refund(1_000));
    for order in [[&granted, &refunded, &refunded], [&refunded, &granted, &refunded]] {
        assert_eq!(Books::of(order, MARCH + 9).ours().prepaid, 0);
    }
    let third = event("evt_3", MARCH + 9, "charge.refunded", &refund(333));
    assert_eq!(Books::of([&granted, &third], MARCH + 9).ours().prepaid, 750 - 249, "rounded in the buyer's favour");
}

#[test]
fn a_disputed_pack_is_held_until_the_dispute_is_won() {
    let granted = event("evt_1", MARCH, "checkout.session.completed", &session("cs_2", "pi_2", "100"));
    let opened = event("evt_2", MARCH + 1, "charge.dispute.created", &dispute("needs_response"));
    let won = event("evt_3", MARCH + 2, "charge.dispute.closed", &dispute("won"));
    let lost = event("evt_4", MARCH + 2, "charge.dispute.closed", &dispute("lost"));
    let prepaid = |events: &[&Event]| Books::of(events.iter().copied(), MARCH + 9).ours().prepaid;
    assert_eq!(prepaid(&[&granted, &opened]), 0);
    assert_eq!(prepaid(&[&granted, &opened, &won]), 100);
    assert_eq!(prepaid(&[&won, &opened, &granted]), 100);
    assert_eq!(prepaid(&[&granted, &lost, &opened]), 0);
}

#[test]
fn a_quantity_multiplies_the_plans_number_and_its_change_is_a_plan_change() {
    let of = |quantity: u64| {
        let mut object = premium("active", (MARCH, APRIL));
        object["items"]["data"][0]["quantity"] = quantity.into();
        object
    };
    let mut books = Books::new();
    books.take(&event("evt_1", MARCH, UPDATED, &of(3)), MARCH);
    assert_eq!((books.plan(), books.ours().credits), ("Premium-20000", 60_000));
    books.take(&event("evt_2", MARCH + 1, UPDATED, &of(2)), MARCH + 1);
    assert_eq!(books.ours().credits, 40_000);
    books.take(&event("evt_3", MARCH + 2, UPDATED, &of(u64::MAX)), MARCH + 2);
    assert_eq!(books.ours().credits, 20_000, "beyond what is read");
    books.take(&event("evt_4", MARCH + 3, UPDATED, &of(i64::MAX.unsigned_abs())), MARCH + 3);
    assert_eq!(books.ours().credits, (1 << 53) - 1, "as many as can be written");
}

#[test]
fn of_several_subscriptions_the_one_with_the_most_credits_counts_then_the_latest() {
    let of = |id: &str, price: &str, start: i64| {
        event(
            &format!("evt_{id}"),
            start,
            UPDATED,
            &subscription(Shape::Basil, id, "active", price, (start, start + 30 * DAY)),
        )
    };
    let (small, big) = (of("sub_1", "price_starter", MARCH + DAY), of("sub_2", "price_premium", MARCH));
    for order in [[&small, &big], [&big, &small]] {
        let books = Books::of(order, MARCH + 2 * DAY);
        assert_eq!((books.plan(), books.window(MARCH + 2 * DAY).cycle()), ("Premium-20000", Some(unix(MARCH))));
    }
    let (old, young) = (of("sub_9", "price_premium", MARCH), of("sub_1", "price_premium", MARCH + DAY));
    for order in [[&old, &young], [&young, &old]] {
        assert_eq!(Books::of(order, MARCH + 2 * DAY).window(MARCH + 2 * DAY).cycle(), Some(unix(MARCH + DAY)));
    }
}

#[test]
fn a_subscription_to_what_is_no_plan_has_no_say_and_waits_for_a_price() {
    let yearly = |id: &str, price: &str| {
        let mut object = subscription(Shape::Basil, id, "active", price, (MARCH, MARCH + 365 * DAY));
        object["items"]["data"][0]["price"]["recurring"]["interval"] = "year".into();
        object
    };
    let storage = event("evt_1", MARCH, UPDATED, &yearly("sub_1", "price_x"));
    let now = MARCH + DAY;
    let mut books = Books::of([&storage], now);
    assert_eq!((books.plan(), books.window(now).cycle(), books.waiting()), ("Free", None, vec!["evt_1"]));
    // Beside a plan whose end leaves nothing of the year.
    let plan = |status| subscription(Shape::Basil, "sub_2", status, "price_premium", (MARCH, APRIL));
    books.take(&event("evt_2", MARCH, UPDATED, &plan("active")), now);
    assert_eq!((books.plan(), books.window(now).cycle()), ("Premium-20000", Some(unix(MARCH))));
    books.take(&event("evt_3", now, "customer.subscription.deleted", &plan("canceled")), now);
    assert_eq!((books.plan(), books.window(now).cycle()), ("Free", None));
    // The table names its price, or it is changed to one that is named: then for good.
    let mut named = books.clone();
    named.config.prices.insert("price_x".into(), "Pro".into());
    named.take(&event("evt_9", now, UPDATED, &plan("canceled")), now);
    assert_eq!((named.plan(), named.waiting().len()), ("Pro", 0));
    books.take(&event("evt_4", now, UPDATED, &yearly("sub_1", "price_starter")), now);
    assert_eq!((books.plan(), books.waiting().len()), ("Starter", 0));
    books.take(&event("evt_5", now + 1, UPDATED, &yearly("sub_1", "price_x")), now + 1);
    assert_eq!((books.plan(), books.waiting().len()), ("Starter", 0), "a price that is no plan changes none");
    assert_eq!(books.window(now).cycle(), Some(unix(MARCH)));
}

#[test]
fn without_a_table_every_subscription_has_a_say_in_the_window_and_none_in_the_plan() {
    let mut books = Books::new();
    books.config.prices.clear();
    books.account("42").membership = "Courtesy".into();
    books.take(&event("evt_1", MARCH, UPDATED, &premium("active", (MARCH, APRIL))), MARCH);
    assert_eq!((books.plan(), books.window(MARCH).cycle()), ("Courtesy", Some(unix(MARCH))));
    assert_eq!(books.membership("42", APRIL + 9 * DAY), "Courtesy", "nor in its end");
    books.take(
        &event("evt_2", MARCH + 9, "customer.subscription.deleted", &premium("canceled", (MARCH, APRIL))),
        MARCH + 9,
    );
    assert_eq!((books.plan(), books.window(MARCH + 9).cycle()), ("Courtesy", None));
}

#[test]
fn a_refund_that_fails_gives_the_credits_back_once() {
    let bought = event("evt_1", MARCH, "checkout.session.completed", &session("cs_1", "pi_1", "900"));
    let total = |id, at, refunded: u64| {
        event(id, at, "charge.refunded", &json!({"payment_intent": "pi_1", "amount": 900, "amount_refunded": refunded}))
    };
    let fails = |id, at, kind, refund: &str, amount: u64| {
        event(id, at, kind, &json!({"id": refund, "payment_intent": "pi_1", "amount": amount, "status": "failed"}))
    };
    let failed = fails("evt_3", MARCH + 20, "charge.refund.updated", "re_1", 300);
    let events = [
        bought.clone(),
        total("evt_2", MARCH + 10, 300),
        failed,
        fails("evt_4", MARCH + 21, "refund.failed", "re_1", 300),
    ];
    let prepaid = |events: &[Event]| {
        let forwards = Books::of(events, MARCH + DAY).prepaid("42");
        assert_eq!(Books::of(events.iter().rev(), MARCH + DAY).prepaid("42"), forwards);
        forwards
    };
    assert_eq!(prepaid(&events[..2]), 600);
    assert_eq!(prepaid(&events), 900, "one refund, told of twice");
    // A total that is younger than the failure knows of it.
    let again = [&events[..], &[total("evt_5", MARCH + 30, 500)]].concat();
    assert_eq!(prepaid(&again), 400);
    // The newest total counts, even if it is the smaller one.
    let corrected = [bought, total("evt_2", MARCH + 10, 900), total("evt_3", MARCH + 11, 300)];
    assert_eq!(prepaid(&corrected), 600);
}
