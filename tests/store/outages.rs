//! A Redis that becomes unavailable, comes back, or cannot be used.

use crate::{
    support::{redis::Redis, wait::until},
    world::{MARCH, World, key},
};
use rembg_gateway::{
    clock::Clock,
    config::{Config, StoreConfig},
    domain::credit::{Kept, Settlement},
    store::{
        self, Fault, Metering, Opened, Store,
        redis::{Weight, inspect},
    },
    stripe::reprocess::Reprocessor,
    telemetry::Metrics,
};
use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) const NOTHING_SAVED: [&str; 2] = ["--appendonly", "no"];
pub(crate) const EVERYTHING_SAVED: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test]
async fn while_it_is_away_every_verb_fails_at_once_and_within_a_second_of_its_return_none_does() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 5, 0).await;
    let hold = world.held(&world.request(&uid)).await;
    world.server.as_mut().unwrap().kill();
    assert!(matches!(world.store.ping().await, Err(Fault::Unavailable(_))));
    for _ in 0..20 {
        let asked = Instant::now();
        assert!(matches!(world.store.hold(&world.request(&uid)).await, Err(Fault::Unavailable(_))));
        assert!(asked.elapsed() < Duration::from_millis(50), "{:?}", asked.elapsed());
    }
    world.server.as_mut().unwrap().start_again().await;
    let back = Instant::now();
    while world.store.ping().await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(1), "it should be used again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.kept(&hold).await.settlement, Settlement::Kept);
    world.audited(&uid).await;
}

#[tokio::test]
async fn a_grant_that_finds_no_memory_is_an_outage_and_not_the_operators_mistake() {
    let world = World::redis().await;
    let uid = world.account("42", 5, 1).await;
    let server = world.server.as_ref().unwrap();
    server.by_hand::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let id = world.operation();
    assert!(matches!(world.store.grant(&uid, 5, &id).await, Err(Fault::Unavailable(_))));
    server.by_hand::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(world.store.grant(&uid, 5, &id).await.unwrap().prepaid, 6);
    assert!(matches!(world.store.grant(&uid, i64::MAX, &world.operation()).await, Err(Fault::TooLarge(_))));
    world.audited(&uid).await;
}

#[tokio::test]
async fn a_server_that_drops_counters_is_refused_in_plain_words() {
    let settings = ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];
    let server = Redis::on_socket(&settings).await;
    let refused = store::open(&server.config(), Clock::Own).await.err();
    let Some(Fault::Unusable(words)) = refused else { panic!("{refused:?}") };
    assert!(words.contains("noeviction"), "{words}");
}

#[tokio::test]
async fn a_user_who_may_run_no_scripts_is_refused_in_plain_words() {
    let server = Redis::on_socket(&NOTHING_SAVED).await;
    server.by_hand::<()>(&["ACL", "SETUSER", "default", "-eval"]);
    let refused = store::open(&server.config(), Clock::Own).await.err();
    assert!(matches!(&refused, Some(Fault::Unusable(words)) if words.contains("script")), "{refused:?}");
}

#[tokio::test]
async fn what_is_found_is_said_in_one_sentence_each() {
    let server = Redis::on_socket(&NOTHING_SAVED).await;
    let url = server.config().store.redis_url().unwrap().unwrap();
    let remarks = inspect(&url, &Clock::Own).await.unwrap();
    let found: Vec<_> = remarks.iter().map(|remark| (remark.weight, remark.says.as_str())).collect();
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found[0].0 == Weight::Good && found[0].1.ends_with(" answers."), "{found:?}");
    assert_eq!(found[1], (Weight::Good, "It evicts nothing."));
    assert!(found[2].0 == Weight::Doubtful && found[2].1.contains("append-only"), "{found:?}");
    assert!(
        found[2].1.contains("ten minutes") && found[3].1.starts_with("Neither a replica nor its disk"),
        "{found:?}"
    );
    assert_eq!(found[4], (Weight::Good, "Scripts run and write."));
    assert!(found[5].0 == Weight::Good && found[5].1.contains("clock"), "{found:?}");
}

#[tokio::test]
async fn what_a_restart_has_lost_is_written_again_before_anybody_is_admitted() {
    let mut world = World::redis_with(&NOTHING_SAVED).await;
    world.store = serving_all(&world).await.engine;
    let uid = world.account("42", 3, 0).await;
    let own = world.overridden(&uid).await;
    world.store.grant(&uid, 2, &world.operation()).await.unwrap();
    let (hash, stored) = key("k1", &uid);
    world.store.put_key(&hash, &stored).await.unwrap();
    let kept = world.served(&world.request(&uid)).await;
    let released = world.held(&world.request(&uid)).await;
    world.released(&released).await;
    let open = [world.held(&world.request(&uid)).await, world.held(&world.request(&uid)).await];
    let prepaid = [world.held(&world.request(&uid)).await, world.held(&world.request(&uid)).await];
    let server = world.server.as_mut().unwrap();
    server.kill();
    server.start_again().await;
    while world.store.ping().await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.exhausted(&world.request(&uid)).await;
    assert_eq!(world.store.holds_open().await.unwrap(), 4);
    assert_eq!(world.released(&kept).await, Settlement::Kept);
    assert_eq!(world.kept(&released).await.settlement, Settlement::Released);
    for hold in open.iter().chain(&prepaid) {
        assert_eq!(world.kept(hold).await.settlement, Settlement::Kept);
    }
    assert_eq!(world.prepaid(&uid).await, 0);
    assert_eq!(world.audited(&uid).await, 1 + 5);
    assert_eq!((world.store.keys(&uid).await.unwrap().len(), world.overrides(&uid).await), (1, own));
}

/// A serving gateway's store on the test's server, with its journal in the test's folder.
pub(crate) async fn serving(world: &World) -> Arc<dyn Metering> {
    serving_all(world).await.metering
}

/// The same with what is not metered.
pub(crate) async fn serving_all(world: &World) -> Opened {
    let store = StoreConfig { journal: world.journal(), ..world.server.as_ref().unwrap().config().store };
    let config = Config { store, ..Config::default() };
    let events = Arc::new(Reprocessor::new(&config, world.clock()));
    store::open_to_serve(&config, world.clock(), Metrics::new().unwrap().store(), events).await.unwrap()
}

/// Waits until no keep in the journal is without an acknowledgement, and until the test's own store is back, too.
async fn journal_is_empty(world: &World) {
    until("the journal is empty", async || keeps_left(world) == 0).await;
    until("the store answers", async || world.store.ping().await.is_ok()).await;
}

/// An operator's command beside the gateways that have that journal.
pub(crate) async fn beside(world: &World) -> Arc<dyn Store> {
    let store = StoreConfig { journal: world.journal(), ..world.server.as_ref().unwrap().config().store };
    store::open(&Config { store, ..Config::default() }, world.clock()).await.unwrap()
}

fn journals(world: &World) -> Vec<PathBuf> {
    let files = fs::read_dir(world.journal()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "journal")).collect()
}

pub(crate) fn journal_files(world: &World) -> usize {
    journals(world).len()
}

/// Everything that is in the journal; a file may go away meanwhile.
pub(crate) fn journal_text(world: &World) -> String {
    journals(world).into_iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
}

pub(crate) fn keeps_left(world: &World) -> usize {
    store::keeps_left(&world.journal()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_that_is_not_acknowledged_is_on_disk_and_counted_once_later() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 5, 0).await;
    let gateway = serving(&world).await;
    let holds = [world.held(&world.request(&uid)).await, world.held(&world.request(&uid)).await];
    world.server.as_mut().unwrap().kill();
    for hold in &holds {
        let kept = gateway.keep(hold).await.unwrap();
        assert_eq!(kept, Kept { settlement: Settlement::Kept });
    }
    assert_eq!(keeps_left(&world), 2);
    world.server.as_mut().unwrap().start_again().await;
    journal_is_empty(&world).await;
    assert_eq!(world.usage(&uid, MARCH).await.app, 2);
    gateway.keep(&holds[0]).await.unwrap();
    assert_eq!(world.audited(&uid).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_leaves_in_its_journal_the_next_one_hands_in() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 5, 0).await;
    let hold = world.held(&world.request(&uid)).await;
    let gateway = serving(&world).await;
    world.server.as_mut().unwrap().kill();
    gateway.keep(&hold).await.unwrap();
    drop(gateway);
    world.server.as_mut().unwrap().start_again().await;
    let next = serving(&world).await;
    journal_is_empty(&world).await;
    next.keep(&hold).await.unwrap();
    assert_eq!(world.audited(&uid).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keep_that_is_older_than_the_store_remembers_is_quarantined() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 5, 0).await;
    let hold = world.held(&world.request(&uid)).await;
    let gateway = serving(&world).await;
    world.server.as_mut().unwrap().kill();
    gateway.keep(&hold).await.unwrap();
    world.turn(Duration::from_hours(6 * 24 + 1));
    world.server.as_mut().unwrap().start_again().await;
    journal_is_empty(&world).await;
    let aside = fs::read_to_string(world.journal().join("quarantine.jsonl")).unwrap();
    assert!(aside.contains(hold.id.0.as_str()), "{aside}");
    assert_eq!(world.usage(&uid, MARCH).await.app, 0);
}
