//! Gateways write again what a server has lost that was started anew.

use crate::{
    outages::{NOTHING_SAVED, serving, serving_all},
    world::{MARCH, NOON, World},
};
use rembg_gateway::{
    domain::{credit::Admission, period::BillingPeriod, time::UnixSeconds},
    store::{AccountChange, Changes, Fault, StepOutcome, Store, StripeStep},
};
use std::{sync::Arc, time::Duration};

/// A gateway that is slow to write again what it remembers is not overtaken by one that has nothing to write again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_no_gateway_admits_before_the_others_have_written_again_what_was_lost() {
    const USED: usize = 4_000;
    let mut world = World::redis_with(&NOTHING_SAVED).await;
    let uid = world.account("42", USED as u64, 0).await;
    let (busy, idle) = (serving(&world).await, serving(&world).await);
    // The account is the busy gateway's own write too, or it would be gone.
    let all =
        AccountChange { credits: Some(USED as u64), email_verified: Some(true), ..AccountChange::of(uid.clone()) };
    for store in [&busy, &idle] {
        store.put_account(&all).await.unwrap();
    }
    for _ in 0..USED / 100 {
        let requests: Vec<_> = (0..100).map(|_| world.request(&uid)).collect();
        let spent = requests.iter().map(async |request| {
            let Admission::Held(hold, _) = busy.hold(request).await.unwrap() else { panic!("no hold") };
            busy.keep(&hold).await.unwrap()
        });
        futures_util::future::join_all(spent).await;
    }
    let server = world.server.as_mut().unwrap();
    server.kill();
    server.start_again().await;
    let request = world.request(&uid);
    let admission = loop {
        match idle.hold(&request).await {
            Err(Fault::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            admission => break admission.unwrap(),
        }
    };
    assert!(matches!(admission, Admission::Denied(_)), "{admission:?}");
    assert_eq!(world.usage(&uid, MARCH).await.app, USED as u64);
}

/// Each of two gateways writes again what it remembers, in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_several_gateways_changed_of_an_account_comes_back_whichever_of_them_is_first() {
    for round in 0..4 {
        let mut world = World::redis_with(&NOTHING_SAVED).await;
        let uid = world.account("42", 5, 0).await;
        let (one, other) = (serving_all(&world).await.engine, serving_all(&world).await.engine);
        world.server.as_ref().unwrap().by_hand::<()>(&["SAVE"]);
        let change = |plan: Option<(&str, u64)>, email_verified| AccountChange {
            plan: plan.map(|(name, credits)| (name.to_owned(), credits)),
            email_verified,
            ..AccountChange::of(uid.clone())
        };
        let stripe = async |store: &Arc<dyn Store>, event: &str, changes: Changes| {
            let state = store.stripe_state(&uid).await.unwrap();
            let (event, remembered) = (event.to_owned(), format!("after {event}"));
            let step =
                StripeStep { event, uid: uid.clone(), expected: state.version, remembered, learn: vec![], changes };
            assert_eq!(store.apply_stripe(&step).await.unwrap(), StepOutcome::Applied);
        };
        let period = BillingPeriod::new(UnixSeconds(NOON.0 - 9), UnixSeconds(NOON.0 + 9));
        let bought =
            Changes { plan: Some(("Gold".into(), 70)), period: Some(period), credits: 100, ..Changes::default() };
        one.put_account(&change(None, Some(false))).await.unwrap();
        stripe(&other, "evt_1", bought).await;
        one.put_account(&change(Some(("Silver", 30)), None)).await.unwrap();
        stripe(&one, "evt_2", Changes { credits: 5, ..Changes::default() }).await;
        other.put_account(&change(None, Some(true))).await.unwrap();
        one.put_account(&change(None, Some(false))).await.unwrap();
        let before = world.store.stripe_state(&uid).await.unwrap();

        let server = world.server.as_mut().unwrap();
        server.kill();
        server.start_again().await;
        for store in [&one, &other] {
            while store.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let after = other.stripe_state(&uid).await.unwrap();
        assert_eq!(after, before, "round {round}");
        let account = after.account.unwrap();
        assert_eq!((account.membership.as_str(), account.prepaid, account.email_verified), ("Silver", 105, false));
        assert_eq!((account.billing_period, after.remembered.as_deref()), (Some(period), Some("after evt_2")));
        world.audited(&uid).await;
    }
}
