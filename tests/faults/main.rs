//! What is killed, cut, slowed and filled while two gateways serve from one Redis, and what became of the credits.
//!
//! Each run ends with the limit reached, so that overshoot can show. The table is printed and kept in docs/faults.md.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod away;
#[path = "../it/backend.rs"]
#[expect(dead_code, unreachable_pub, reason = "made for tests/it, which needs more of it")]
mod backend;
#[path = "../it/form.rs"]
#[expect(dead_code, unreachable_pub, reason = "made for tests/it, which needs more of it")]
mod form;
mod gateway;
mod ledger;
mod points;
mod proxy;
mod scene;
mod servers;

use backend::Manner;
use points::{every_point, keeps_come_after_their_lease};
use proxy::{Proxy, Wire};
use scene::{Row, Scene};
use servers::{Cluster, Redis, SAVED, Watched};
use std::{fmt::Write as _, time::Duration};

/// Pictures that callers have got when something happens.
const SOME: u64 = 25;

const EVERY_SECOND: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

fn at(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

/// A gateway is killed while the backend works for it: nothing is charged, and the leases end.
async fn gateway_killed_before_the_backend_answers() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = at(redis.port);
    let mut scene = Scene::set(&url, &url).await;
    scene.callers_come();
    scene.answered(SOME).await;
    scene.backend.will(Manner::Wait);
    let before = scene.backend.seen().len();
    scene.backend.has_seen(before + 4).await;
    scene.gateways[0].kill();
    scene.backend.will(Manner::picture());
    for _ in 0..16 {
        scene.backend.let_one_go();
    }
    scene.replace(0, &url);
    scene.reckoning("gateway killed while the backend works").await
}

/// A gateway is killed while nobody answers its keeps: they are done, or they are not, but the callers got nothing.
async fn gateway_killed_before_its_keep_is_answered(wire: Wire, run: &'static str) -> Row {
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, at(redis.port));
    let url = at(proxy.address.port());
    let mut scene = Scene::set(&url, &direct).await;
    scene.callers_come();
    scene.answered(SOME).await;
    proxy.is_now(wire);
    tokio::time::sleep(Duration::from_millis(200)).await;
    scene.gateways[0].kill();
    proxy.is_now(Wire::Whole);
    scene.replace(0, &url);
    scene.reckoning(run).await
}

/// What the server had acknowledged is gone; the gateways write it again.
async fn redis_killed_with_all_since_its_snapshot() -> Row {
    let mut redis = Redis::start(&[]).await;
    let url = at(redis.port);
    let mut scene = Scene::set(&url, &url).await;
    redis.say::<()>(&["SAVE"]).unwrap();
    scene.callers_come();
    scene.answered(SOME).await;
    redis.kill();
    redis.revive().await;
    scene.reckoning("Redis killed, all since its snapshot lost").await
}

async fn redis_killed(settings: &[&str], run: &'static str) -> Row {
    let mut redis = Redis::start(settings).await;
    let url = at(redis.port);
    let mut scene = Scene::set(&url, &url).await;
    scene.callers_come();
    scene.answered(SOME).await;
    redis.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.revive().await;
    scene.reckoning(run).await
}

async fn master_killed_under_sentinel() -> Row {
    let mut watched = Watched::start().await;
    let url = watched.url();
    let mut scene = Scene::set(&url, &url).await;
    scene.callers_come();
    scene.answered(SOME).await;
    watched.master.kill();
    scene.reckoning("master killed, Sentinel fails over").await
}

async fn primary_killed_in_a_cluster() -> Row {
    let mut cluster = Cluster::start(1).await;
    let url = cluster.url();
    let mut scene = Scene::set(&url, &url).await;
    scene.callers_come();
    scene.answered(SOME).await;
    cluster.home_of(&format!("user:{{{}}}", scene.uid)).kill();
    scene.reckoning("Cluster primary killed").await
}

/// It is back before anybody else takes over, and its clients' library says nothing of it.
async fn primary_restarted_in_a_cluster() -> Row {
    let mut cluster = Cluster::with(0, "no").await;
    let url = cluster.url();
    let mut scene = Scene::set(&url, &url).await;
    let home = cluster.home_of(&format!("user:{{{}}}", scene.uid));
    home.say::<()>(&["SAVE"]).unwrap();
    scene.callers_come();
    scene.answered(SOME).await;
    home.kill();
    home.revive().await;
    scene.reckoning("Cluster primary restarted, all since its snapshot lost").await
}

async fn wire_is(wire: Wire, span: Duration, run: &'static str) -> Row {
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, at(redis.port));
    let mut scene = Scene::set(&at(proxy.address.port()), &direct).await;
    scene.callers_come();
    scene.answered(SOME).await;
    proxy.is_now(wire);
    tokio::time::sleep(span).await;
    proxy.is_now(Wire::Whole);
    scene.reckoning(run).await
}

async fn memory_is_full() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = at(redis.port);
    let mut scene = Scene::set(&url, &url).await;
    scene.callers_come();
    scene.answered(SOME).await;
    redis.say::<()>(&["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.say::<()>(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    scene.reckoning("memory full for half a second").await
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| run | served | answered | counted | charged twice | answered uncounted | late keeps | overshoot | stuck holds |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { run, served, answered, counted, twice, uncounted, late, overshoot, stuck } = row;
        writeln!(
            table,
            "| {run} | {served} | {answered} | {counted} | {twice} | {uncounted} | {late} | {overshoot} | {stuck} |"
        )
        .unwrap();
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_nothing_is_charged_twice_nothing_is_free_and_nobody_overshoots() {
    let lasting = Redis::start(&SAVED).await;
    let mut rows = vec![
        gateway_killed_before_the_backend_answers().await,
        gateway_killed_before_its_keep_is_answered(Wire::Silent, "gateway killed, its keeps arrive after its death")
            .await,
        gateway_killed_before_its_keep_is_answered(Wire::NoAnswers, "gateway killed, its keeps done, never answered")
            .await,
        redis_killed(&EVERY_SECOND, "Redis killed, appendfsync everysec").await,
        redis_killed(&SAVED, "Redis killed, appendfsync always").await,
        redis_killed_with_all_since_its_snapshot().await,
        master_killed_under_sentinel().await,
        primary_killed_in_a_cluster().await,
        primary_restarted_in_a_cluster().await,
        wire_is(Wire::Cut, Duration::from_millis(1_500), "connection cut for 1.5 s").await,
        wire_is(Wire::Silent, Duration::from_millis(2_500), "connection silent for 2.5 s").await,
        wire_is(Wire::NoAnswers, Duration::from_millis(1_500), "no answers for 1.5 s").await,
        wire_is(Wire::Slow(Duration::from_millis(300)), Duration::from_secs(1), "every answer 300 ms late").await,
        memory_is_full().await,
        keeps_come_after_their_lease(&lasting).await,
    ];
    rows.extend(every_point(&lasting).await);
    let table = table(&rows);
    std::io::Write::write_all(&mut std::io::stdout(), table.as_bytes()).unwrap();
    for row in &rows {
        assert!(row.served >= SOME && row.counted >= row.answered, "{row:?}\n{table}");
        let Row { twice, uncounted, late, overshoot, stuck, .. } = row;
        assert_eq!((twice, uncounted, stuck), (&0, &0, &0), "{row:?}\n{table}");
        assert!(overshoot <= late, "{row:?}\n{table}");
    }
}
