//! The journal sets aside keeps that the store refuses.

use crate::{
    outages::{EVERYTHING_SAVED, keeps_left, serving},
    world::{MARCH, World},
};
use rembg_gateway::{
    domain::{account::Uid, credit::Hold},
    store::Metering,
};
use std::{fs, sync::Arc, time::Duration};

/// Others' keeps, which have nothing to do with the one that is refused.
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

fn kept_of(hold: &Hold) -> String {
    let day = hold.id.stamp().unwrap().0 / 86_400_000_000;
    format!("user:42:kept:{day}")
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
    server.by_hand::<()>(&["SET", &kept_of(&refused), "somebody else's"]);
    server.kill();
    for hold in &holds {
        gateway.keep(hold).await.unwrap();
    }
    assert_eq!((gateway.gauges().journal_waiting, gateway.gauges().journal_full), (1 + OTHERS, false));
    server.start_again().await;
    until("the others' keeps are handed in", async || gateway.gauges().journal_waiting == 1).await;
    until("the journal says so", async || keeps_left(world) == 1).await;
    until("the test's own store is back, too", async || world.store.ping().await.is_ok()).await;
    assert_eq!(world.usage(&other, MARCH).await.app, OTHERS);
    assert_eq!(world.audited(&other).await, OTHERS);
    assert_eq!((quarantined(world), gateway.gauges().quarantined), (String::new(), 0));
    (gateway, uid, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_that_the_store_refuses_holds_up_nobody_and_is_counted_when_the_mistake_is_mended() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let (gateway, uid, refused) = one_is_refused(&mut world).await;
    world.server.as_ref().unwrap().by_hand::<()>(&["DEL", &kept_of(&refused)]);
    until("it is handed in", async || keeps_left(&world) == 0).await;
    assert_eq!((world.audited(&uid).await, quarantined(&world)), (1, String::new()));
    assert_eq!((gateway.gauges().journal_waiting, gateway.gauges().quarantined), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_that_the_store_refuses_for_six_days_is_quarantined() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let (gateway, _, refused) = one_is_refused(&mut world).await;
    world.turn(Duration::from_hours(6 * 24 + 1));
    until("it is set aside", async || keeps_left(&world) == 0).await;
    assert!(quarantined(&world).contains(refused.id.0.as_str()));
    assert_eq!(gateway.gauges().quarantined, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_of_an_account_that_is_gone_is_quarantined_at_once() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 5, 0).await;
    let gateway = serving(&world).await;
    let hold = world.held(&world.request(&uid)).await;
    let server = world.server.as_mut().unwrap();
    server.by_hand::<()>(&["DEL", &format!("user:{uid}"), &format!("user:{uid}:holds")]);
    server.kill();
    gateway.keep(&hold).await.unwrap();
    world.server.as_mut().unwrap().start_again().await;
    until("it is set aside", async || keeps_left(&world) == 0).await;
    assert!(quarantined(&world).contains(hold.id.0.as_str()));
}
