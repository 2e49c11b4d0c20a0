//! `docs/redis.md`, "Back-up": a copy that is taken of a Redis under load is restored into another one.

use crate::{
    form::Form,
    gateway::{Installation, Serving},
    support::{
        process::{Log, Process},
        redis::{Redis, SAVED},
        wait::{PATIENCE, until},
    },
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};
use tokio::task::JoinSet;

const SERVED: usize = 96;

async fn installation(redis: &Redis) -> Installation {
    let here = Installation::new().await;
    here.set(&format!("store = {{ url = \"{}\", journal = \"journal\" }}", redis.url()));
    here.set("auth.api_key.pepper = \"sixteen characters or more\"");
    here
}

fn persistence(redis: &Redis) -> String {
    redis.by_hand(&["INFO", "persistence"])
}

/// Callers who ask again while the store is unavailable.
fn callers(serving: &Serving, key: &str) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let person = serving.person(key);
        callers.spawn(async move {
            let (mut served, begun) = (0, Instant::now());
            while served < SERVED / 8 {
                let reply = person.cut(&Form::with_picture()).await;
                if reply.status == 200 {
                    served += 1;
                } else {
                    assert!(reply.json()["code"] == "store_unavailable" && begun.elapsed() < PATIENCE, "{reply:?}");
                }
            }
        });
    }
    callers
}

/// `redis-cli --rdb FILE`, from any machine. A server that has no replica takes a new replication id for it, by which gateways
/// take it for another server: they write again what it may have lost, and answer 503 meanwhile.
async fn copied_over_the_network(redis: &Redis, copy: &Path) {
    let port = redis.port.to_string();
    let mut command = Command::new("redis-cli");
    command.args(["-p", &port, "--rdb"]).arg(copy).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(ended.success());
}

/// `BGSAVE`, and a copy of the file once it is done.
async fn copied_from_its_disk(redis: &Redis, copy: &Path) {
    redis.by_hand::<()>(&["BGSAVE"]);
    until("the snapshot is written", async || persistence(redis).contains("rdb_bgsave_in_progress:0")).await;
    assert!(persistence(redis).contains("rdb_last_bgsave_status:ok"));
    fs::copy(redis.folder().join("dump.rdb"), copy).unwrap();
}

/// A new server with the copy, which in the end has an append-only file as before.
async fn restored(copy: &Path) -> Redis {
    let redis = Redis::start(&["--appendonly", "no"]).await;
    redis.kill();
    fs::copy(copy, redis.folder().join("dump.rdb")).unwrap();
    redis.start_again().await;
    redis.by_hand::<()>(&["CONFIG", "SET", "appendonly", "yes"]);
    until("the append-only file is written", async || {
        let told = persistence(&redis);
        ["aof_enabled:1", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"].iter().all(|part| told.contains(part))
    })
    .await;
    redis
}

/// How many pictures the log names as served for Ann.
pub(crate) fn named(log: &Log) -> usize {
    let served = |line: &&String| line.contains("\"outcome\":\"served\"") && line.contains("\"uid\":\"ann\"");
    log.lines().iter().filter(served).count()
}

/// The copy is restored for a gateway on another machine, which has no journal of what was served.
async fn is_whole(copy: &Path, first: Serving, key: &str) {
    let redis = restored(copy).await;
    let there = installation(&redis).await;
    let restored = there.json(&["usage", "ann"])["api"].as_u64().unwrap();
    let restored = usize::try_from(restored).unwrap();
    assert!((12..SERVED).contains(&restored), "{restored} of {SERVED} are in the copy");
    there.json(&["audit"]);

    let log = first.log.clone();
    until("the log names every picture", async || named(&log) == SERVED).await;
    first.kill();
    // What the log has and the copy has not is lost, and can be charged by hand.
    let lost = format!("-{}", SERVED - restored);
    there.json(&["credits", "grant", "ann", &lost, "--id", "lost-with-the-redis"]);
    let serving = there.serve();
    assert_eq!(serving.person(key).cut(&Form::with_picture()).await.status, 200);
    assert_eq!(there.json(&["usage", "ann"])["api"], restored + 1);
    there.json(&["audit"]);
    assert_eq!(serving.metric("rgw_store_up").await.to_string(), "1");
}

/// Calls while a copy is taken, and restores it. Answers how often the store was unavailable meanwhile.
async fn under_load(copied: impl AsyncFnOnce(&Redis, &Path)) -> f64 {
    // Otherwise a server waits for further replicas before it sends its snapshot.
    let settings = [&SAVED[..], &["--repl-diskless-sync-delay", "0"]].concat();
    let redis = Redis::start(&settings).await;
    let here = installation(&redis).await;
    let (key, copy) = (here.customer("ann", 1000), here.folder().join("copy.rdb"));
    here.json(&["credits", "grant", "ann", "100", "--id", "a-pack"]);
    let serving = here.serve();
    let callers = callers(&serving, &key);
    here.backend.has_seen(20).await;
    copied(&redis, &copy).await;
    callers.join_all().await;
    // What was not acknowledged in between is in the journal, and is counted from there.
    until("each is counted", async || here.json(&["usage", "ann"])["api"] == SERVED).await;
    let outages = serving.metric("rgw_store_outages_total").await;
    is_whole(&copy, serving, &key).await;
    outages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_over_the_network_under_load_is_whole_and_serves_elsewhere() {
    let outages = under_load(copied_over_the_network).await;
    assert!(outages < 1.5, "gateways take it for another server once, and not {outages} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_snapshot_under_load_is_whole_and_serves_elsewhere() {
    let outages = under_load(copied_from_its_disk).await;
    assert!(outages < 0.5, "no caller notices it");
}

#[tokio::test]
async fn a_server_that_begins_with_an_append_only_file_would_not_read_the_copy() {
    let redis = Redis::start(&["--appendonly", "no"]).await;
    redis.by_hand::<()>(&["SET", "user:ann:credits", "5"]);
    redis.by_hand::<()>(&["SAVE"]);
    let other = Redis::start(&["--appendonly", "no"]).await;
    other.kill();
    fs::copy(redis.folder().join("dump.rdb"), other.folder().join("dump.rdb")).unwrap();
    let mut server = Command::new("redis-server");
    server.args(["--port", "0", "--appendonly", "yes", "--dir"]).arg(other.folder());
    server.arg("--unixsocket").arg(other.socket());
    let _server = Process(server.stdout(Stdio::null()).spawn().unwrap());
    until("it answers", async || other.say::<String>(&["PING"]).is_ok()).await;
    assert_eq!(other.by_hand::<i64>(&["DBSIZE"]), 0, "docs/redis.md warns of this");
}
