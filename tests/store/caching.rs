//! How soon a gateway knows what was changed elsewhere: by another gateway, or by the command line.

use crate::{
    outages::NOTHING_SAVED,
    support::{
        redis::Redis,
        tcp_proxy::{Proxy, Wire},
    },
    world::{World, key, terms},
};
use rembg_gateway::{
    domain::{account::Uid, api_key::KeyHash},
    store::{AccountChange, Store, sqlite::SqliteStore},
};
use std::{sync::Arc, time::Duration};

/// A second, and what a busy machine adds; far less than what is believed without news.
const SOON: Duration = Duration::from_secs(10);

async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(SOON, wait).await.is_ok(), "{what}");
}

/// The same store, opened once more: another process, as far as the store can tell.
async fn elsewhere(world: &World) -> Arc<dyn Store> {
    match &world.server {
        Some(server) => server.open(world.clock()).await,
        None => Arc::new(SqliteStore::open(&world.file(), world.clock(), terms()).unwrap()),
    }
}

fn not_verified(uid: &Uid) -> AccountChange {
    AccountChange { email_verified: Some(false), ..AccountChange::of(uid.clone()) }
}

async fn is_revoked(store: &dyn Store, hash: &KeyHash) -> bool {
    store.caller_of_key(hash).await.unwrap().unwrap().0.revoked.is_some()
}

async fn is_verified(store: &dyn Store, hash: &KeyHash, uid: &Uid) -> (bool, bool) {
    let by_key = store.caller_of_key(hash).await.unwrap().unwrap().1.email_verified;
    (by_key, store.account_of_user(uid).await.unwrap().unwrap().email_verified)
}

async fn what_is_changed_elsewhere_is_known_within_a_second(world: &World) {
    let (gateway, uid) = (&*world.store, world.account("42", 9, 0).await);
    let other = elsewhere(world).await;
    let (hash, stored) = key("k1", &uid);
    for _ in 0..3 {
        assert_eq!(gateway.caller_of_key(&hash).await.unwrap(), None);
    }
    other.put_key(&hash, &stored).await.unwrap();
    soon("a new key works", async || gateway.caller_of_key(&hash).await.unwrap().is_some()).await;

    // Once with nothing else going on, and once among other requests' commits.
    for busy in [false, true] {
        let verified = AccountChange { email_verified: Some(true), ..AccountChange::of(uid.clone()) };
        other.put_account(&verified).await.unwrap();
        soon("it is verified", async || is_verified(gateway, &hash, &uid).await == (true, true)).await;
        other.put_account(&not_verified(&uid)).await.unwrap();
        soon("a changed account is known by both ways to it", async || {
            if busy {
                world.served(&world.client_request("203.0.113.7", 1_000_000)).await;
            }
            is_verified(gateway, &hash, &uid).await == (false, false)
        })
        .await;
    }
    assert!(!is_revoked(gateway, &hash).await);
    assert!(other.revoke_key(&stored.id).await.unwrap());
    soon("the key is refused", async || is_revoked(gateway, &hash).await).await;
}

async fn what_a_gateway_changes_itself_it_knows_at_once(world: &World) {
    let (store, uid) = (&*world.store, world.account("42", 9, 0).await);
    let (hash, stored) = key("k1", &uid);
    for _ in 0..3 {
        assert_eq!(store.caller_of_key(&hash).await.unwrap(), None);
    }
    store.put_key(&hash, &stored).await.unwrap();
    for _ in 0..3 {
        assert_eq!(is_verified(store, &hash, &uid).await, (true, true));
    }
    store.put_account(&not_verified(&uid)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(is_verified(store, &hash, &uid).await, (false, false));
    }
    store.revoke_key(&stored.id).await.unwrap();
    assert!(is_revoked(store, &hash).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_what_is_changed_elsewhere_is_known_within_a_second() {
    what_is_changed_elsewhere_is_known_within_a_second(&World::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_what_is_changed_elsewhere_is_known_within_a_second() {
    what_is_changed_elsewhere_is_known_within_a_second(&World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_what_a_gateway_changes_itself_it_knows_at_once() {
    what_a_gateway_changes_itself_it_knows_at_once(&World::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_what_a_gateway_changes_itself_it_knows_at_once() {
    what_a_gateway_changes_itself_it_knows_at_once(&World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_balance_is_never_remembered() {
    let world = World::sqlite();
    let uid = world.account("42", 0, 9).await;
    for left in (0..9).rev() {
        world.served(&world.request(&uid)).await;
        assert_eq!(world.store.account_of_user(&uid).await.unwrap().unwrap().prepaid, left);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_keys_that_open_nothing_are_all_answered() {
    for world in [World::sqlite(), World::redis().await] {
        let guesses: Vec<_> = (0..500).map(|guess| KeyHash(format!("guess {guess}"))).collect();
        let asked = guesses.iter().chain(&guesses).map(|hash| world.store.caller_of_key(hash));
        for found in futures_util::future::join_all(asked).await {
            assert_eq!(found.unwrap(), None);
        }
    }
}

/// Nothing ends the connection on which changes are heard, and nothing comes on it any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_silently_hears_nothing_more_believes_nothing_for_long() {
    let server = Redis::start(&NOTHING_SAVED).await;
    let proxy = Proxy::to(server.port).await;
    let direct = World::at(&server.url()).await;
    let gateway = World::at(&proxy.redis_url()).await;
    let uid = direct.account("42", 9, 0).await;
    let (hash, stored) = key("k1", &uid);
    direct.store.put_key(&hash, &stored).await.unwrap();
    soon("the key works", async || gateway.store.caller_of_key(&hash).await.unwrap().is_some()).await;
    proxy.is_now(Wire::Hole);
    direct.store.revoke_key(&stored.id).await.unwrap();
    soon("the key is refused", async || {
        let found = gateway.store.caller_of_key(&hash).await;
        found.is_ok_and(|caller| caller.unwrap().0.revoked.is_some())
    })
    .await;
}
