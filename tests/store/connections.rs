//! A Redis is reached by TLS, with a user and a password, and again after a connection was lost without a word.

use crate::{
    support::{
        certificate::certify,
        redis::{Redis, free_port},
        tcp_proxy::{Proxy, Wire},
        wait::until,
    },
    world::{World, key},
};
use rembg_gateway::{
    clock::Clock,
    config::{Config, StoreConfig},
    store::{self, Fault, Store},
};
use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

const NOTHING_SAVED: [&str; 2] = ["--appendonly", "no"];

async fn open(url: &str, ca_file: Option<PathBuf>) -> Result<Arc<dyn Store>, Fault> {
    let store = StoreConfig { url: url.to_owned(), ca_file, ..StoreConfig::default() };
    store::open(&Config { store, ..Config::default() }, Clock::Own).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_with_a_server_that_the_named_authority_vouches_for_and_with_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let ours = certify(folder.path(), "server", &["127.0.0.1"]);
    let port = free_port();
    let tls = ["--tls-port", &port.to_string(), "--tls-cert-file", ours.file.to_str().unwrap(), "--tls-key-file"];
    let clients = [ours.key_file.to_str().unwrap(), "--tls-auth-clients", "no"];
    let server = Redis::start(&[&NOTHING_SAVED[..], &tls, &clients].concat()).await;
    let url = format!("rediss://127.0.0.1:{port}");

    let world = World::on(&url, Some(ours.file)).await;
    let uid = world.account("42", 2, 0).await;
    let (hash, stored) = key("k1", &uid);
    world.store.put_key(&hash, &stored).await.unwrap();
    world.served(&world.key_request(&uid, "k1")).await;
    assert_eq!(world.audited(&uid).await, 1);
    let heard = || server.say::<(String, u64)>(&["PUBSUB", "NUMSUB", "gateway:changes"]).unwrap().1;
    until("changes are heard by TLS too", async || heard() == 1).await;

    let stranger = certify(folder.path(), "stranger", &["127.0.0.1"]);
    for authority in [Some(stranger.file), None] {
        let refused = open(&url, authority).await.err();
        assert!(matches!(refused, Some(Fault::Unavailable(_))), "{refused:?}");
    }
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "nobody").unwrap();
    let refused = open(&url, Some(empty)).await.err();
    let Some(Fault::Unusable(words)) = refused else { panic!("{refused:?}") };
    assert!(words.contains("store.ca_file") && words.contains("holds no certificate"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_password_and_database_are_those_of_the_address() {
    let server = Redis::start(&NOTHING_SAVED).await;
    server.say::<()>(&["ACL", "SETUSER", "gate", "on", ">p@ss:w/rd", "~*", "&*", "+@all"]).unwrap();
    // A client that does not log in may read, and no more.
    server.say::<()>(&["ACL", "SETUSER", "default", "-@write", "-@scripting", "+select"]).unwrap();
    let url = |password: &str| format!("redis://gate:{password}@127.0.0.1:{}/3", server.port);

    let world = World::at(&url("p%40ss%3Aw%2Frd")).await;
    let uid = world.account("42", 1, 0).await;
    world.served(&world.request(&uid)).await;
    let mut third =
        redis::Client::open(format!("redis://127.0.0.1:{}/3", server.port)).unwrap().get_connection().unwrap();
    let counted: Option<String> = redis::cmd("GET").arg("user:42:app_usage:2026:3").query(&mut third).unwrap();
    assert_eq!(counted.as_deref(), Some("1"));
    let used = server.say::<String>(&["INFO", "keyspace"]).unwrap();
    assert!(used.contains("db3:") && !used.contains("db0:"), "{used}");
    let clients = server.say::<String>(&["CLIENT", "LIST"]).unwrap();
    assert!(clients.contains("user=gate"), "{clients}");

    let refused = open(&url("guessed"), None).await.err();
    let Some(Fault::Unavailable(words)) = refused else { panic!("{refused:?}") };
    assert!(words.to_lowercase().contains("auth") || words.contains("WRONGPASS"), "{words}");
    assert!(!words.contains("guessed"), "{words}");
}

/// A store behind the proxy that has been used.
async fn through(proxy: &Proxy) -> World {
    let world = World::at(&proxy.redis_url()).await;
    let uid = world.account("42", 5, 0).await;
    world.served(&world.request(&uid)).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_leads_nowhere_is_replaced() {
    let server = Redis::start(&NOTHING_SAVED).await;
    let proxy = Proxy::to(server.port).await;
    let world = through(&proxy).await;
    proxy.is_now(Wire::Hole);
    // The connection stays open and the system's keepalive is answered: only the missing answers show that it is lost.
    until("a new one answers", async || world.store.ping().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_silent_way_is_whole_again_so_is_the_store_within_a_second() {
    let server = Redis::start(&NOTHING_SAVED).await;
    let proxy = Proxy::to(server.port).await;
    let world = through(&proxy).await;
    proxy.is_now(Wire::Silent);
    until("the store is known to be away", async || {
        let asked = Instant::now();
        world.store.ping().await.is_err() && asked.elapsed() < Duration::from_millis(100)
    })
    .await;
    proxy.is_now(Wire::Whole);
    let begun = Instant::now();
    until("the store answers", async || world.store.ping().await.is_ok()).await;
    // The promise is a second; a busy machine adds to it.
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
}
