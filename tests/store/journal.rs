//! The journal sets aside keeps that the store refuses, and an account may borrow credits meanwhile.

use crate::{
    outages::{EVERYTHING_SAVED, journal_lines, lending, serving, serving_all},
    world::{LEASE, MARCH, World},
};
use rembg_gateway::{
    domain::{
        account::Uid,
        credit::{Admission, Denial, Hold, HoldRequest},
        rate_limit::Burst,
    },
    store::{Fault, Metering, Opened},
};
use std::{fs, sync::Arc, time::Duration};

/// Others' keeps, which have nothing to do with the one that is refused: so many that the file is written anew without them.
const OTHERS: u64 = 1_100;

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn quarantined(world: &World) -> String {
    fs::read_to_string(world.journal().join("quarantine.jsonl")).unwrap_or_default()
}

fn settled_of(uid: &Uid) -> String {
    format!("user:{uid}:settled")
}

/// A gateway with one keep in its journal that the server refuses, because a key of that account is none of ours. Keeps
/// of another account that came after it are counted.
async fn one_is_refused(world: &mut World) -> (Arc<dyn Metering>, Uid, Hold) {
    let (uid, other) = (world.account("42", 5, 0).await, world.account("43", OTHERS, 0).await);
    let gateway = serving(world).await;
    let refused = world.held(&world.request(&uid)).await;
    let mut holds = vec![refused.clone()];
    for _ in 0..OTHERS {
        holds.push(world.held(&world.request(&other)).await);
    }
    let server = world.server.as_mut().unwrap();
    server.by_hand::<()>(&["SET", &settled_of(&uid), "somebody else's"]);
    server.kill();
    for hold in &holds {
        assert_eq!(gateway.keep(hold).await.unwrap().remaining, None);
    }
    assert_eq!((gateway.gauges().journal_waiting, gateway.gauges().journal_full), (1 + OTHERS, false));
    server.start_again().await;
    until("the others' keeps are handed in", async || gateway.gauges().journal_waiting == 1).await;
    until("the file is short", async || journal_lines(world) == 1).await;
    until("the test's own store is back, too", async || world.store.ping().await.is_ok()).await;
    assert_eq!(world.usage(&other, MARCH).await.app, OTHERS);
    assert_eq!(world.audited(&other).await, OTHERS);
    assert_eq!((quarantined(world), gateway.gauges().quarantined), (String::new(), 0));
    (gateway, uid, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_that_the_store_refuses_holds_up_nobody_and_is_counted_when_the_mistake_is_mended() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let (gateway, uid, _) = one_is_refused(&mut world).await;
    world.server.as_ref().unwrap().by_hand::<()>(&["DEL", &settled_of(&uid)]);
    until("it is handed in", async || journal_lines(&world) == 0).await;
    assert_eq!((world.audited(&uid).await, quarantined(&world)), (1, String::new()));
    assert_eq!((gateway.gauges().journal_waiting, gateway.gauges().quarantined), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_that_the_store_refuses_for_six_days_is_quarantined() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let (gateway, _, refused) = one_is_refused(&mut world).await;
    world.turn(Duration::from_hours(6 * 24 + 1));
    until("it is set aside", async || journal_lines(&world) == 0).await;
    assert!(quarantined(&world).contains(&refused.id.0));
    assert_eq!(gateway.gauges().quarantined, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_of_an_account_that_is_gone_is_quarantined_at_once() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 5, 0).await;
    let Opened { metering: gateway, engine } = serving_all(&world).await;
    let hold = world.held(&world.request(&uid)).await;
    let server = world.server.as_mut().unwrap();
    server.by_hand::<()>(&["DEL", &format!("user:{uid}")]);
    server.kill();
    gateway.keep(&hold).await.unwrap();
    // Without what the gateways remember, no gateway makes the account again.
    world.store = engine;
    world.server.as_mut().unwrap().start_again().await;
    until("it is set aside", async || journal_lines(&world) == 0).await;
    assert!(quarantined(&world).contains(&hold.id.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lent_is_owed_until_it_is_counted_whatever_the_store_answers_meanwhile() {
    let world = World::redis_with(&EVERYTHING_SAVED).await;
    let (uid, exhausted) = (world.account("42", 50, 0).await, world.account("43", 1, 0).await);
    world.served(&world.request(&exhausted)).await;
    let gateway = lending(&world, 2).await;
    until("the gateway knows the account", async || {
        drop(gateway.account(&uid).await.unwrap());
        gateway.last_known_account(&uid).is_some()
    })
    .await;
    let server = world.server.as_ref().unwrap();
    let memory = |size: &str| server.by_hand::<()>(&["CONFIG", "SET", "maxmemory", size]);
    let asked = async |request: &HoldRequest| match gateway.hold(request).await {
        Ok(Admission::Held(hold, _)) => Some(hold),
        Err(Fault::Unavailable(_)) => None,
        other => panic!("{other:?}"),
    };
    // With a short-term limit, a hold needs memory first.
    let burst = Some(Burst { per_minute: 60_000, size: 60_000 });
    let request = || HoldRequest { burst, ..world.request(&uid) };
    for again in 1..=2 {
        memory("1");
        let mut lent = Vec::new();
        for _ in 0..2 {
            lent.push(asked(&request()).await.expect("a loan"));
        }
        for hold in &lent {
            assert_eq!(asked(&request()).await, None);
            // This answer needs no memory, so the server may well give it.
            let answer = gateway.hold(&world.request(&exhausted)).await;
            let denied = matches!(answer, Ok(Admission::Denied(Denial::Exhausted { .. })) | Err(Fault::Unavailable(_)));
            assert!(denied, "{answer:?}");
            assert_eq!(asked(&request()).await, None);
            gateway.keep(hold).await.unwrap();
        }
        world.turn(LEASE);
        assert_eq!(asked(&request()).await, None, "they are spent");
        memory("0");
        until("they are counted", async || journal_lines(&world) == 0).await;
        assert_eq!(world.usage(&uid, MARCH).await.app, 2 * again);
    }
    assert_eq!(world.audited(&uid).await, 4);
}
