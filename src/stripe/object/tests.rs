//! Whose an object is: every word, in every order.

use crate::stripe::{
    books::Books,
    event::Event,
    samples::{APRIL, MARCH, Shape, event, invoice, merged, session, subscription},
};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};

const UPDATED: &str = "customer.subscription.updated";
const PAID: &str = "checkout.session.completed";
const NOW: i64 = MARCH + 100;

/// A subscription of the customer `cus_1` whose metadata name nobody.
fn nameless(id: &str, price: &str) -> Value {
    merged(subscription(Shape::Basil, id, "active", price, (MARCH, APRIL)), json!({"metadata": {}}))
}

fn named(id: &str, price: &str, uid: &str) -> Value {
    merged(nameless(id, price), json!({"metadata": {"uid": uid}}))
}

/// A session of `cus_1` by which somebody bought that subscription for an account.
fn for_subscription(id: &str, subscription: &str, uid: &str) -> Value {
    let more = json!({
        "mode": "subscription", "subscription": subscription, "payment_intent": null, "customer": "cus_1",
        "client_reference_id": uid, "metadata": {},
    });
    merged(session(id, "pi_0", "0"), more)
}

fn pack(id: &str, uid: &str) -> Value {
    merged(session(id, &format!("pi_{id}"), "900"), json!({"client_reference_id": uid, "customer": "cus_1"}))
}

fn refund(session: &str, refunded: u64) -> Value {
    json!({"payment_intent": format!("pi_{session}"), "customer": "cus_1", "amount": 900, "amount_refunded": refunded})
}

fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Books {
    let mut books = Books::new();
    books.open("43");
    events.into_iter().for_each(|event| books.take(event, NOW));
    books
}

/// Every order of few events, or so many of the orders of many.
fn orders(events: &[Event], most: usize) -> Vec<Vec<Event>> {
    if events.len() > 6 {
        let mut chance = TestRunner::deterministic();
        let shuffled = Just(events.to_vec()).prop_shuffle();
        return (0..most).map(|_| shuffled.new_tree(&mut chance).unwrap().current()).collect();
    }
    let Some((first, rest)) = events.split_first() else { return vec![Vec::new()] };
    let with_first = |order: Vec<Event>| {
        let first = first.clone();
        (0..=order.len()).map(move |place| [&order[..place], std::slice::from_ref(&first), &order[place..]].concat())
    };
    orders(rest, most).into_iter().flat_map(with_first).collect()
}

#[test]
fn one_customer_may_buy_for_two_accounts_in_any_order() {
    let mut events = Vec::new();
    for (number, uid, price) in [(1, "42", "price_premium"), (2, "43", "pro_monthly")] {
        let subscription = format!("sub_{number}");
        let mut paid = invoice(Shape::Basil, &subscription, price, (MARCH, APRIL));
        paid["parent"]["subscription_details"]["metadata"] = json!({});
        for (what, kind, object) in [
            ("made", "customer.subscription.created", nameless(&subscription, price)),
            ("paid", "invoice.paid", paid),
            ("session", PAID, for_subscription(&format!("cs_{number}"), &subscription, uid)),
            ("pack", PAID, pack(&format!("pack_{number}"), uid)),
            ("refund", "charge.refunded", refund(&format!("pack_{number}"), 300 * number)),
        ] {
            events.push(event(&format!("evt_{what}_{number}"), MARCH, kind, &object));
        }
    }
    for order in orders(&events, 300).into_iter().chain([events.clone()]) {
        let (books, ids) = (of(&order), order.iter().map(|event| &event.id).collect::<Vec<_>>());
        assert_eq!(books.membership("42", NOW), "Premium-20000", "{ids:?}");
        assert_eq!(books.membership("43", NOW), "Pro", "{ids:?}");
        assert_eq!((books.prepaid("42"), books.prepaid("43")), (600, 300), "{ids:?}");
        assert!(books.waiting().is_empty(), "{ids:?}");
    }
}

#[test]
fn metadata_that_are_corrected_move_everything_in_any_order() {
    let events = [
        event("evt_1", MARCH, UPDATED, &named("sub_1", "price_premium", "42")),
        event("evt_2", MARCH + 1, UPDATED, &named("sub_1", "price_premium", "43")),
        event("evt_3", MARCH + 2, UPDATED, &nameless("sub_1", "price_premium")),
        event(
            "evt_4",
            MARCH + 3,
            UPDATED,
            &merged(nameless("sub_1", "price_premium"), json!({"metadata": {"uid": ""}})),
        ),
        event("evt_5", MARCH + 4, PAID, &for_subscription("cs_1", "sub_1", "42")),
    ];
    for order in orders(&events, 0) {
        let books = of(&order);
        assert_eq!((books.membership("42", NOW), books.membership("43", NOW)), ("Free".into(), "Premium-20000".into()));
        assert_eq!(books.visible("42", NOW).2.cycle(), None, "its window went too");
        let mut ended = books.clone();
        let over = merged(named("sub_1", "price_premium", "43"), json!({"status": "canceled"}));
        ended.take(&event("evt_9", MARCH + 5, "customer.subscription.deleted", &over), NOW);
        assert_eq!((ended.membership("42", NOW), ended.membership("43", NOW)), ("Free".into(), "Free".into()));
    }
}

#[test]
fn an_invoice_that_is_paid_late_does_not_bring_old_metadata_back() {
    let mut late = invoice(Shape::Basil, "sub_1", "price_premium", (MARCH, APRIL));
    late["created"] = (MARCH - 5).into();
    let events = [
        event("evt_1", MARCH, UPDATED, &named("sub_1", "price_premium", "43")),
        event("evt_2", MARCH + 9, "invoice.paid", &late),
    ];
    for order in orders(&events, 0) {
        assert_eq!(of(&order).membership("43", NOW), "Premium-20000", "the invoice still says 42");
    }
}

#[test]
fn a_pack_moves_with_its_reversals() {
    let events = [
        event("evt_1", MARCH, PAID, &pack("cs_1", "42")),
        event("evt_2", MARCH + 1, "charge.refunded", &refund("cs_1", 300)),
        event("evt_3", MARCH + 2, "charge.refunded", &merged(refund("cs_1", 300), json!({"metadata": {"uid": "43"}}))),
    ];
    for order in orders(&events, 0) {
        let books = of(&order);
        assert_eq!((books.prepaid("42"), books.prepaid("43")), (0, 600));
    }
}

#[test]
fn what_only_the_customer_tells_waits_while_that_leads_to_several() {
    let first = event("evt_1", MARCH, PAID, &pack("cs_1", "42"));
    let second = event("evt_2", MARCH, PAID, &pack("cs_2", "43"));
    let plan = event("evt_3", MARCH, UPDATED, &nameless("sub_1", "price_premium"));
    assert_eq!(of([&plan]).waiting(), ["evt_3"]);
    for order in [[&plan, &first], [&first, &plan]] {
        assert_eq!(of(order).membership("42", NOW), "Premium-20000");
    }
    assert_eq!(of([&first, &second, &plan]).waiting(), ["evt_3"]);
    let books = of([&first, &plan, &second]);
    assert_eq!(books.membership("42", NOW), "Premium-20000", "a buyer's word on something else takes nothing away");
    // The customer follows its objects, and what only it tells follows the customer.
    let corrected = event(
        "evt_4",
        MARCH + 1,
        PAID,
        &merged(pack("cs_1", "42"), json!({"metadata": {"uid": "43", "credits": "900"}})),
    );
    let books = of([&first, &plan, &corrected]);
    assert_eq!((books.membership("42", NOW), books.membership("43", NOW)), ("Free".into(), "Premium-20000".into()));
}

/// A buyer names somebody else's account, 42, in every way that there is.
#[test]
fn whoever_names_an_account_takes_neither_its_plan_nor_its_credits() {
    let starter = |status: &str| {
        let object = merged(nameless("sub_evil", "price_starter"), json!({"customer": "cus_evil", "status": status}));
        event(&format!("evt_{status}"), MARCH + 9, UPDATED, &object)
    };
    let premium = |status: &str| {
        let object = merged(nameless("sub_evil", "price_premium"), json!({"customer": "cus_evil", "status": status}));
        event(&format!("evt_{status}"), MARCH + 9 + i64::from(status == "canceled"), UPDATED, &object)
    };
    let names = event(
        "evt_names",
        MARCH + 8,
        PAID,
        &merged(for_subscription("cs_evil", "sub_evil", "42"), json!({"customer": "cus_evil"})),
    );
    // Of an operator's plan.
    let mut books = of([]);
    (books.account("42").membership, books.account("42").credits) = ("Gold".into(), 10_000);
    let given = books.clone();
    for evil in [starter("active"), names.clone(), starter("unpaid"), starter("canceled")] {
        books.take(&evil, NOW);
        assert_eq!(books.visible("42", NOW), given.visible("42", NOW), "{}", evil.id);
    }
    let mut books = given.clone();
    books.take(&names, NOW);
    books.take(&premium("active"), NOW);
    assert_eq!(books.membership("42", NOW), "Premium-20000", "more than it has is a present");
    books.take(&premium("canceled"), NOW);
    assert_eq!(books.visible("42", NOW), given.visible("42", NOW), "and its end takes no more than that");
    let mut books = given.clone();
    books.take(&names, NOW);
    books.take(&premium("active"), NOW);
    books.take(&premium("past_due"), NOW);
    assert_eq!(books.visible("42", NOW), given.visible("42", NOW), "nor does its grace stand in the way");
    // Of its own subscription.
    let mut books = of([&event("evt_own", MARCH, UPDATED, &named("sub_own", "pro_monthly", "42"))]);
    let own = books.visible("42", NOW);
    for evil in [names, starter("active"), premium("active"), premium("past_due"), premium("canceled")] {
        books.take(&evil, NOW);
    }
    assert_eq!(books.visible("42", NOW), own);
}

#[test]
fn a_reversal_of_what_only_a_reference_gave_never_goes_below_nothing() {
    let bought = event("evt_1", MARCH, PAID, &pack("cs_1", "42"));
    let back = event("evt_2", MARCH + 1, "charge.refunded", &refund("cs_1", 900));
    let mut books = of([&bought]);
    books.account("42").prepaid -= 700;
    books.take(&back, NOW);
    assert_eq!((books.prepaid("42"), books.spared), (0, 700));
    // What comes later is somebody's own.
    books.take(&event("evt_3", MARCH + 2, PAID, &pack("cs_2", "42")), NOW);
    books.take(&event("evt_4", MARCH + 3, "charge.refunded", &refund("cs_1", 900)), NOW);
    assert_eq!((books.prepaid("42"), books.spared), (900, 700));
    // A refund that fails gives back what was taken, and no more.
    let failed = json!({"id": "re_1", "payment_intent": "pi_cs_1", "amount": 900, "status": "failed"});
    books.take(&event("evt_5", MARCH + 4, "refund.failed", &failed), NOW);
    assert_eq!(books.prepaid("42"), 1_100);
    // What metadata gave is taken back even where it is spent.
    let mut named = of([&event(
        "evt_1",
        MARCH,
        PAID,
        &merged(pack("cs_1", "43"), json!({"metadata": {"uid": "42", "credits": "900"}})),
    )]);
    named.account("42").prepaid -= 700;
    named.take(&back, NOW);
    assert_eq!((named.prepaid("42"), named.spared), (-700, 0));
}

#[test]
fn the_operators_word_counts_above_all_and_stays() {
    let mut books = of([&event("evt_1", MARCH, UPDATED, &named("sub_1", "price_premium", "42"))]);
    books.move_to("sub_1", "43", NOW);
    books.take(&event("evt_2", MARCH + 1, UPDATED, &named("sub_1", "price_premium", "42")), NOW);
    assert_eq!((books.membership("42", NOW), books.membership("43", NOW)), ("Free".into(), "Premium-20000".into()));
    books.move_to("sub_1", "42", NOW + 1);
    assert_eq!((books.membership("42", NOW), books.membership("43", NOW)), ("Premium-20000".into(), "Free".into()));
}

#[test]
fn what_a_crash_has_cut_off_is_finished_by_the_same_event_and_doubles_nothing() {
    let plan = event("evt_1", MARCH, UPDATED, &nameless("sub_1", "price_premium"));
    let bought = event("evt_2", MARCH, PAID, &pack("cs_1", "42"));
    let moved = merged(pack("cs_1", "42"), json!({"metadata": {"uid": "43", "credits": "900"}}));
    let moved = event("evt_3", MARCH + 1, PAID, &moved);
    let whole = of([&plan, &bought, &moved]);
    assert_eq!((whole.prepaid("42"), whole.prepaid("43")), (0, 900));
    assert_eq!(whole.membership("43", NOW), "Premium-20000", "what only the customer tells went too");
    for writes in 0..20 {
        let mut books = of([&plan, &bought]);
        books.writes_left = Some(writes);
        books.take(&moved, NOW);
        assert!(books.prepaid("42") + books.prepaid("43") <= 900, "after {writes} writes");
        books.writes_left = None;
        books.take(&moved, NOW);
        assert_eq!(books.everybody(NOW), whole.everybody(NOW), "cut off after {writes} writes");
    }
}
