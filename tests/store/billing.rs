//! An event of Stripe's writes once, all of it or nothing, and the counters follow.

use crate::world::{GRACE, LEASE, MARCH, NOON, World, key};
use futures_util::future::join_all;
use rembg_gateway::{
    domain::{
        account::{Overrides, Uid},
        period::{BillingPeriod, Counters, Interval, IntervalUnit, Move},
        time::{UnixMicros, UnixSeconds},
    },
    store::{AccountChange, Changes, ParkedEvent, StepOutcome, StripeObject, StripeState, StripeStep, Usage},
};
use std::sync::Arc;

const DAY: i64 = 86_400;

/// A step for an account, from a state of this version.
fn step(uid: &Uid, event: &str, expected: u64, changes: Changes) -> StripeStep {
    let remembered = format!("{{\"after\":\"{event}\"}}");
    StripeStep { event: event.into(), uid: uid.clone(), expected, remembered, learn: Vec::new(), changes }
}

fn credits(credits: i64) -> Changes {
    Changes { credits, ..Changes::default() }
}

fn period(period: BillingPeriod) -> Changes {
    Changes { period: Some(period), ..Changes::default() }
}

/// A month that began yesterday.
fn present_period() -> BillingPeriod {
    BillingPeriod::new(UnixSeconds(NOON.0 - DAY), UnixSeconds(NOON.0 + 30 * DAY))
}

fn aliases(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn applied(world: &World, step: StripeStep) {
    assert_eq!(world.store.apply_stripe(&step).await.unwrap(), StepOutcome::Applied, "{step:?}");
}

async fn cycle(world: &World, uid: &Uid, start: UnixSeconds) -> Usage {
    world.store.usage(uid, Counters::Cycle(start)).await.unwrap()
}

pub(crate) async fn a_step_is_written_once(world: &World) {
    let uid = world.account("42", 5, 0).await;
    world.overridden(&uid).await;
    let changes = Changes {
        plan: Some(("Premium".into(), 20)),
        period: Some(present_period()),
        credits: 100,
        ..Changes::default()
    };
    let first = step(&uid, "evt_1", 0, changes.clone());
    applied(world, first.clone()).await;
    let after = world.store.stripe_state(&uid).await.unwrap();
    let account = after.account.clone().unwrap();
    assert_eq!((account.membership.as_str(), account.credits, account.prepaid), ("Premium", 20, 100));
    assert_eq!((account.billing_period, account.overrides), (Some(present_period()), Overrides::default()));
    assert_eq!((after.version, after.remembered.as_deref()), (1, Some("{\"after\":\"evt_1\"}")));
    // The same event comes again, also as if it had been computed anew.
    for repeat in [first, step(&uid, "evt_1", 1, changes)] {
        assert_eq!(world.store.apply_stripe(&repeat).await.unwrap(), StepOutcome::Duplicate);
    }
    assert_eq!(world.store.stripe_state(&uid).await.unwrap(), after);
    assert_eq!(world.audited(&uid).await, 3, "plan, period, credits");
}

pub(crate) async fn a_step_from_an_older_state_writes_nothing(world: &World) {
    let uid = world.account("42", 5, 0).await;
    applied(world, step(&uid, "evt_1", 0, credits(10))).await;
    let late = StripeStep { learn: aliases(&["cus_1"]), ..step(&uid, "evt_2", 0, credits(5)) };
    assert_eq!(world.store.apply_stripe(&late).await.unwrap(), StepOutcome::Stale);
    assert_eq!(world.prepaid(&uid).await, 10);
    applied(world, StripeStep { expected: 1, ..late }).await;
    assert_eq!(world.prepaid(&uid).await, 15, "its event was not used up");
    world.audited(&uid).await;
}

pub(crate) async fn a_plan_that_an_operator_assigns_meanwhile_is_not_undone(world: &World) {
    let (uid, new) = (world.account("42", 5, 0).await, Uid::new("new").unwrap());
    for uid in [&uid, &new] {
        let computed_from = world.store.stripe_state(uid).await.unwrap().version;
        let gold = AccountChange { plan: Some(("Gold".into(), 70)), ..AccountChange::of(uid.clone()) };
        world.store.put_account(&gold).await.unwrap();
        let fall = Changes { plan: Some(("Free".into(), 2)), ..Changes::default() };
        let late = step(uid, "evt_1", computed_from, fall);
        assert_eq!(world.store.apply_stripe(&late).await.unwrap(), StepOutcome::Stale);
        let state = world.store.stripe_state(uid).await.unwrap();
        assert_eq!((state.account.unwrap().membership.as_str(), state.remembered), ("Gold", None));
        applied(world, StripeStep { expected: state.version, ..late }).await;
    }
}

pub(crate) async fn steps_at_once_come_one_after_another(world: &World) {
    let uid = world.account("42", 0, 0).await;
    let steps = (0..12).map(|number| {
        let (store, uid) = (Arc::clone(&world.store), uid.clone());
        tokio::spawn(async move {
            loop {
                let version = store.stripe_state(&uid).await.unwrap().version;
                let step = step(&uid, &format!("evt_{number}"), version, credits(10));
                if store.apply_stripe(&step).await.unwrap() == StepOutcome::Applied {
                    return;
                }
            }
        })
    });
    assert!(join_all(steps).await.iter().all(Result::is_ok));
    assert_eq!(world.store.stripe_state(&uid).await.unwrap().version, 12);
    assert_eq!(world.prepaid(&uid).await, 120);
    assert_eq!(world.audited(&uid).await, 12);
}

pub(crate) async fn a_step_makes_the_account_that_it_names(world: &World) {
    let uid = Uid::new("new").unwrap();
    let nothing = StripeState { account: None, remembered: None, held_prepaid: 0, version: 0 };
    assert_eq!(world.store.stripe_state(&uid).await.unwrap(), nothing);
    applied(world, step(&uid, "evt_1", 0, credits(10))).await;
    let account = world.store.account(&uid).await.unwrap().unwrap();
    assert_eq!((account.prepaid, account.credits, account.email_verified), (10, 0, false));
    world.audited(&uid).await;
}

pub(crate) async fn a_period_comes_back_as_it_was_stated(world: &World) {
    let uid = world.account("42", 5, 0).await;
    let bare = present_period();
    let units = IntervalUnit::ALL.map(|unit| Some(Interval { unit, count: 3 }));
    for (version, interval) in units.into_iter().chain([None]).enumerate() {
        let whole = BillingPeriod {
            interval,
            anchor: interval.map(|_| UnixSeconds(NOON.0 - 400 * DAY)),
            ends_at: interval.map(|_| bare.end),
            ..bare
        };
        applied(world, step(&uid, &format!("evt_{version}"), version as u64, period(whole))).await;
        assert_eq!(world.store.account(&uid).await.unwrap().unwrap().billing_period, Some(whole));
    }
}

pub(crate) async fn an_object_is_written_only_over_what_was_read(world: &World) {
    let store = &world.store;
    let known = |version, text: &str| StripeObject { version, text: text.into() };
    assert_eq!(store.stripe_object("sub_1").await.unwrap(), StripeObject::default());
    assert!(!store.put_stripe_object("sub_1", &known(1, "nobody wrote a first one")).await.unwrap());
    assert!(store.put_stripe_object("sub_1", &known(0, "one")).await.unwrap());
    assert!(!store.put_stripe_object("sub_1", &known(0, "another")).await.unwrap());
    assert!(store.put_stripe_object("sub_1", &known(1, "two")).await.unwrap());
    assert_eq!(store.stripe_object("sub_1").await.unwrap(), known(2, "two"));
    assert_eq!(store.stripe_object("sub_2").await.unwrap(), StripeObject::default());
    // Each of many adds its number to what it has read.
    let writers = (0..8).map(|number| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            loop {
                let read = store.stripe_object("cus_1").await.unwrap();
                let more = StripeObject { text: format!("{} {number}", read.text), ..read };
                if store.put_stripe_object("cus_1", &more).await.unwrap() {
                    return;
                }
            }
        })
    });
    assert!(join_all(writers).await.iter().all(Result::is_ok));
    let StripeObject { version, text } = store.stripe_object("cus_1").await.unwrap();
    let mut numbers: Vec<u8> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!((version, numbers), (8, (0..8).collect()));
}

pub(crate) async fn a_step_that_may_take_only_free_credits_takes_no_others(world: &World) {
    let uid = world.account("42", 0, 0).await;
    let only_free = |credits| Changes { credits, only_free: true, ..Changes::default() };
    applied(world, step(&uid, "evt_1", 0, credits(5))).await;
    let open = world.held(&world.request(&uid)).await;
    let state = world.store.stripe_state(&uid).await.unwrap();
    assert_eq!((state.held_prepaid, state.version), (1, 1));
    let too_much = step(&uid, "evt_2", 1, only_free(-5));
    assert_eq!(world.store.apply_stripe(&too_much).await.unwrap(), StepOutcome::Stale);
    assert_eq!(world.prepaid(&uid).await, 5);
    applied(world, step(&uid, "evt_2", 1, only_free(-4))).await;
    world.kept(&open).await;
    assert_eq!(world.prepaid(&uid).await, 0, "never below");
    let more = step(&uid, "evt_3", 2, only_free(-1));
    assert_eq!(world.store.apply_stripe(&more).await.unwrap(), StepOutcome::Stale);
    applied(world, step(&uid, "evt_3", 2, credits(-1))).await;
    assert_eq!(world.prepaid(&uid).await, -1);
    applied(world, step(&uid, "evt_4", 3, only_free(0))).await;
    world.audited(&uid).await;
}

pub(crate) async fn parked_events_are_found_by_any_of_their_ids_until_they_are_forgotten(world: &World) {
    let event = |id: &str, created, names: &[&str]| ParkedEvent {
        id: id.into(),
        created: UnixSeconds(created),
        about: "refund".into(),
        reason: "no_account".into(),
        aliases: aliases(names),
        event: format!("the event {id}"),
    };
    let young = event("evt_1", 20, &["cus_1", "pi_1"]);
    let old = event("evt_2", 10, &["cus_1"]);
    let other = event("evt_3", 15, &["cus_2"]);
    let at_first = ParkedEvent { reason: "unlisted_price".into(), ..young.clone() };
    for parked in [&at_first, &old, &other, &young] {
        world.store.park(parked).await.unwrap();
    }
    let under = async |names: &[&str]| world.store.parked_under(&aliases(names)).await.unwrap();
    assert_eq!(world.store.parked().await.unwrap(), [old.clone(), other.clone(), young.clone()]);
    assert_eq!(under(&["pi_1", "cus_1"]).await, [old.clone(), young.clone()]);
    assert_eq!(under(&["pi_1"]).await, [young]);
    assert_eq!(under(&["pi_2"]).await, []);
    world.store.unpark("evt_1").await.unwrap();
    world.store.unpark("evt_1").await.unwrap();
    assert_eq!(under(&["pi_1", "cus_1"]).await, std::slice::from_ref(&old));
    assert_eq!(world.store.parked().await.unwrap(), [old, other]);
}

pub(crate) async fn moved_usage_is_found_in_its_new_cycle_only(world: &World) {
    let uid = world.account("42", 3, 1).await;
    let stated = BillingPeriod::new(UnixSeconds(NOON.0 - 30 * DAY), UnixSeconds(NOON.0 - 60));
    applied(world, step(&uid, "evt_1", 0, period(stated))).await;
    world.served(&world.request(&uid)).await;
    for _ in 0..3 {
        world.served(&world.key_request(&uid, "k1")).await;
    }
    assert_eq!(cycle(world, &uid, stated.end).await, Usage { app: 1, api: 2 }, "the predicted cycle");

    let renewed = BillingPeriod::new(UnixSeconds(NOON.0 - 30), UnixSeconds(NOON.0 + 30 * DAY));
    let moves = vec![Move { from: stated.end, to: renewed.start }];
    let renewal = Changes { moves, ..period(renewed) };
    applied(world, step(&uid, "evt_2", 1, renewal)).await;
    assert_eq!(world.store.cycles(&uid).await.unwrap(), [(renewed.start, Usage { app: 1, api: 2 })]);
    assert_eq!(cycle(world, &uid, stated.end).await, Usage::default());
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 1, api: 2 }, "the month is as it was");
    world.exhausted(&world.request(&uid)).await;
    assert_eq!(world.audited(&uid).await, 1 + 4 + 2 + 1, "grant, pictures, periods, move");
}

pub(crate) async fn a_hold_on_a_cycle_that_was_moved_follows_it(world: &World) {
    let uid = world.account("42", 2, 0).await;
    let stated = BillingPeriod::new(UnixSeconds(NOON.0 - 30 * DAY), UnixSeconds(NOON.0 - 60));
    applied(world, step(&uid, "evt_1", 0, period(stated))).await;
    let open = world.held(&world.request(&uid)).await;
    let starts = [NOON.0 - 50, NOON.0 - 40].map(UnixSeconds);
    for (version, (from, to)) in [(stated.end, starts[0]), (starts[0], starts[1])].into_iter().enumerate() {
        let renewed = BillingPeriod::new(to, UnixSeconds(NOON.0 + 30 * DAY));
        let renewal = Changes { moves: vec![Move { from, to }], ..period(renewed) };
        applied(world, step(&uid, &format!("evt_1{version}"), 1 + version as u64, renewal)).await;
    }
    world.served(&world.key_request(&uid, "k1")).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, LEASE, "the open hold has the other credit");
    world.kept(&open).await;
    assert_eq!(world.store.cycles(&uid).await.unwrap(), [(starts[1], Usage { app: 1, api: 1 })]);
    world.audited(&uid).await;
}

pub(crate) async fn a_subscription_that_lapses_leaves_the_default_plan_at_once(world: &World) {
    let uid = world.account("42", 3, 0).await;
    let (hash, opens) = key("k1", &uid);
    world.store.put_key(&hash, &opens).await.unwrap();
    let premium = Changes { plan: Some(("Premium".into(), 3)), ..period(present_period()) };
    applied(world, step(&uid, "evt_1", 0, premium)).await;
    let lapses = present_period().end.micros().plus(GRACE);
    let membership = async || {
        let (_, by_key) = world.store.caller_of_key(&hash).await.unwrap().unwrap();
        let account = world.store.account(&uid).await.unwrap().unwrap();
        assert_eq!(world.store.accounts().await.unwrap(), std::slice::from_ref(&account));
        assert_eq!(by_key, account);
        (account.membership, account.credits, account.overrides)
    };
    let own = world.overridden(&uid).await;
    world.turn_to(UnixMicros(lapses.0 - 1));
    assert_eq!(membership().await, ("Premium".into(), 3, own));
    world.turn_to(lapses);
    assert_eq!(membership().await, ("Free".into(), 2, Overrides::default()));
    for _ in 0..2 {
        world.served(&world.request(&uid)).await;
    }
    world.exhausted(&world.request(&uid)).await;
    let stored = world.store.stripe_state(&uid).await.unwrap().account.unwrap();
    assert_eq!(stored.membership, "Premium", "the next step decides upon what is stored");
    world.audited(&uid).await;
}

pub(crate) async fn what_an_operator_assigns_after_a_lapse_stays(world: &World) {
    let lapsed = BillingPeriod::new(UnixSeconds(NOON.0 - 90 * DAY), UnixSeconds(NOON.0 - 60 * DAY));
    let premium = Changes { plan: Some(("Premium".into(), 3)), ..period(lapsed) };
    for (name, plan, credits, expected) in [
        ("41", None, None, ("Free", 2)),
        ("42", Some(("Courtesy".to_owned(), 7)), None, ("Courtesy", 7)),
        ("43", None, Some(9), ("Free", 9)),
    ] {
        let uid = world.account(name, 0, 0).await;
        applied(world, step(&uid, "evt_1", 0, Changes { period: None, ..premium.clone() })).await;
        world.overridden(&uid).await;
        applied(world, step(&uid, "evt_2", 1, period(lapsed))).await;
        let change = AccountChange { plan, credits, ..AccountChange::of(uid.clone()) };
        world.store.put_account(&change).await.unwrap();
        let account = world.store.account(&uid).await.unwrap().unwrap();
        assert_eq!((account.membership.as_str(), account.credits), expected);
        assert_eq!(account.overrides, Overrides::default(), "they ended with the lapse");
    }
}

pub(crate) async fn a_refund_takes_back_what_is_spent_already(world: &World) {
    let uid = world.account("42", 0, 0).await;
    applied(world, step(&uid, "evt_1", 0, credits(2))).await;
    world.served(&world.request(&uid)).await;
    applied(world, step(&uid, "evt_2", 1, credits(-2))).await;
    assert_eq!(world.prepaid(&uid).await, -1);
    world.exhausted(&world.request(&uid)).await;
    applied(world, step(&uid, "evt_3", 2, credits(2))).await;
    world.served(&world.request(&uid)).await;
    world.exhausted(&world.request(&uid)).await;
    world.audited(&uid).await;
}
