//! While two gateways serve from one Redis, something is killed, cut, slowed or filled; then every credit is accounted for.
//!
//! Each run ends with the limit reached, so that overshoot can show. When all have passed, their table is printed; it is
//! kept in docs/faults.md.

mod batches;
mod ledger;
mod points;
mod run;
mod unavailable;

use crate::support::{
    backend::Manner,
    redis::{Redis, SAVED, cluster::Cluster, sentinel::Watched},
    tcp_proxy::{Proxy, Wire},
};
use points::{
    dies_after_a_failed_sync, dies_at_work, dies_in_a_release, dies_while_it_finishes, dies_with_a_keep_in_its_journal,
    keeps_come_after_their_lease, the_journals_disk_is_full, the_journals_sync_fails,
};
use rembg_gateway::failpoint::Point;
use run::{Row, Run};
use std::{fmt::Write as _, sync::Mutex, time::Duration};

/// A test for each run, and the runs' names in the order of the table.
macro_rules! runs {
    ($($test:ident $run:literal $row:expr;)+) => {
        const RUNS: &[&str] = &[$($run),+];
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let row = Box::pin($row).await;
            check(&row);
            print_once_complete($run, row);
        })+
    };
}

runs! {
    gateway_killed_while_the_backend_works
        "gateway killed while the backend works" gateway_killed_before_the_backend_answers();
    gateway_killed_before_its_keeps_arrive
        "gateway killed, its keeps arrive after its death" gateway_killed_before_its_keep_is_answered(Wire::Silent);
    gateway_killed_before_its_keeps_are_answered
        "gateway killed, its keeps done, never answered" gateway_killed_before_its_keep_is_answered(Wire::NoAnswers);
    redis_killed_that_syncs_every_second
        "Redis killed, appendfsync everysec" redis_killed(&EVERY_SECOND);
    redis_killed_that_syncs_always
        "Redis killed, appendfsync always" redis_killed(&SAVED);
    redis_killed_that_loses_all_since_its_snapshot
        "Redis killed, all since its snapshot lost" redis_killed_with_all_since_its_snapshot();
    gateways_and_redis_killed_that_syncs_every_second
        "both gateways and Redis killed together, appendfsync everysec" all_killed(&EVERY_SECOND);
    gateways_and_redis_killed_that_syncs_always
        "both gateways and Redis killed together, appendfsync always" all_killed(&SAVED);
    gateways_and_redis_killed_with_all_since_its_snapshot
        "both gateways and Redis killed together, all since its snapshot lost" all_killed(&[]);
    journals_disk_full
        "journal's disk full for two seconds" the_journals_disk_is_full();
    journals_sync_fails
        "connection cut, and the journal's sync fails" the_journals_sync_fails();
    master_killed_and_sentinel_fails_over
        "master killed, Sentinel fails over" master_killed_under_sentinel();
    cluster_primary_killed
        "Cluster primary killed" primary_killed_in_a_cluster();
    cluster_primary_restarted_that_loses_all_since_its_snapshot
        "Cluster primary restarted, all since its snapshot lost" primary_restarted_in_a_cluster();
    connection_cut
        "connection cut for 1.5 s" wire_is(Wire::Cut, Duration::from_millis(1_500));
    connection_silent
        "connection silent for 2.5 s" wire_is(Wire::Silent, Duration::from_millis(2_500));
    no_answers
        "no answers for 1.5 s" wire_is(Wire::NoAnswers, Duration::from_millis(1_500));
    every_answer_late
        "every answer 300 ms late" wire_is(Wire::Slow(Duration::from_millis(300)), Duration::from_secs(1));
    memory_full
        "memory full for half a second" memory_is_full();
    keeps_after_their_lease
        "keeps come after their lease" keeps_come_after_their_lease();
    gateway_dies_before_hold
        "gateway dies: before hold" dies_at_work(Point::BeforeHold);
    gateway_dies_after_hold
        "gateway dies: after hold" dies_at_work(Point::AfterHold);
    gateway_dies_after_form
        "gateway dies: after form" dies_at_work(Point::AfterForm);
    gateway_dies_before_send
        "gateway dies: before send" dies_at_work(Point::BeforeSend);
    gateway_dies_after_answer
        "gateway dies: after answer" dies_at_work(Point::AfterAnswer);
    gateway_dies_before_keep
        "gateway dies: before keep" dies_at_work(Point::BeforeKeep);
    gateway_dies_after_keep
        "gateway dies: after keep" dies_at_work(Point::AfterKeep);
    gateway_dies_after_line
        "gateway dies: after line" dies_at_work(Point::AfterLine);
    gateway_dies_after_failed_sync
        "gateway dies: after failed sync" dies_after_a_failed_sync();
    gateway_dies_after_sync
        "gateway dies: after sync" dies_with_a_keep_in_its_journal(Wire::Cut);
    gateway_dies_in_release
        "gateway dies: in release" dies_in_a_release();
    gateway_dies_after_sync_with_its_keeps_done
        "gateway dies: after sync, its keeps done" dies_with_a_keep_in_its_journal(Wire::NoAnswers);
    gateway_dies_while_it_finishes
        "gateway dies: remove.bg's API, while it finishes a picture" dies_while_it_finishes();
    gateway_dies_in_batch
        "gateway dies: in batch" batches::gateway_dies_in_a_batch();
    redis_killed_in_batch
        "Redis killed in a batch" batches::redis_killed_in_a_batch();
    master_killed_in_batch
        "master killed in a batch, Sentinel fails over" batches::master_killed_in_a_batch();
    cluster_primary_killed_in_batch
        "Cluster primary killed in a batch" batches::cluster_primary_killed_in_a_batch();
    answer_of_batch_lost
        "answer of a batch lost, connection stays" batches::answer_of_a_batch_is_lost(Wire::Whole);
    answer_of_batch_lost_with_its_connection
        "answer of a batch lost with its connection" batches::answer_of_a_batch_is_lost(Wire::Cut);
}

/// Callers have got this many pictures when something happens.
const SOME: u64 = 25;

const EVERY_SECOND: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

/// A run whose Redis wrote its last snapshot before the callers came.
async fn since_a_snapshot(redis: &Redis) -> Run {
    let url = redis.url();
    let mut run = Run::start(&url, &url).await;
    redis.say::<()>(&["SAVE"]).unwrap();
    run.callers_come();
    run.answered(SOME).await;
    run
}

/// A gateway is killed while the backend works for it: nothing is charged, and the leases end.
async fn gateway_killed_before_the_backend_answers() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::start(&url, &url).await;
    run.callers_come();
    run.answered(SOME).await;
    run.backend.will(Manner::Wait);
    let before = run.backend.seen().len();
    run.backend.has_seen(before + 4).await;
    run.gateways[0].kill();
    run.backend.will(Manner::picture());
    for _ in 0..16 {
        run.backend.let_one_go();
    }
    run.replace(0, &url);
    run.reckoning().await
}

/// A gateway is killed while its keeps are not answered: they are done or not, but the callers got nothing.
async fn gateway_killed_before_its_keep_is_answered(wire: Wire) -> Row {
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, redis.url());
    let url = proxy.redis_url();
    let mut run = Run::start(&url, &direct).await;
    run.callers_come();
    run.answered(SOME).await;
    proxy.is_now(wire);
    tokio::time::sleep(Duration::from_millis(200)).await;
    run.gateways[0].kill();
    proxy.is_now(Wire::Whole);
    run.replace(0, &url);
    run.reckoning().await
}

/// The server loses what it had acknowledged; the gateways write it again.
async fn redis_killed_with_all_since_its_snapshot() -> Row {
    let redis = Redis::start(&[]).await;
    let run = since_a_snapshot(&redis).await;
    redis.kill();
    redis.start_again().await;
    run.reckoning().await
}

async fn redis_killed(settings: &[&str]) -> Row {
    let redis = Redis::start(settings).await;
    let url = redis.url();
    let mut run = Run::start(&url, &url).await;
    run.callers_come();
    run.answered(SOME).await;
    redis.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    redis.start_again().await;
    run.reckoning().await
}

/// What the server loses is in the journals of the dead gateways, which their successors adopt.
async fn all_killed(settings: &[&str]) -> Row {
    let redis = Redis::start(settings).await;
    let mut run = since_a_snapshot(&redis).await;
    redis.kill();
    run.gateways.iter_mut().for_each(run::Gateway::kill);
    redis.start_again().await;
    (0..run.gateways.len()).for_each(|number| run.replace(number, &redis.url()));
    run.reckoning().await
}

async fn master_killed_under_sentinel() -> Row {
    let watched = Watched::start().await;
    let url = watched.url();
    let mut run = Run::start(&url, &url).await;
    run.callers_come();
    run.answered(SOME).await;
    watched.master.kill();
    run.reckoning().await
}

async fn primary_killed_in_a_cluster() -> Row {
    let cluster = Cluster::start(1).await;
    let url = cluster.url();
    let mut run = Run::start(&url, &url).await;
    run.callers_come();
    run.answered(SOME).await;
    cluster.home_of(&format!("user:{{{}}}", run.uid)).kill();
    run.reckoning().await
}

/// The primary is back before another server takes over, and the library of its clients reports nothing.
async fn primary_restarted_in_a_cluster() -> Row {
    let cluster = Cluster::with(0, "no").await;
    let url = cluster.url();
    let mut run = Run::start(&url, &url).await;
    let home = cluster.home_of(&format!("user:{{{}}}", run.uid));
    home.say::<()>(&["SAVE"]).unwrap();
    run.callers_come();
    run.answered(SOME).await;
    home.kill();
    home.start_again().await;
    run.reckoning().await
}

async fn wire_is(wire: Wire, span: Duration) -> Row {
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, redis.url());
    let mut run = Run::start(&proxy.redis_url(), &direct).await;
    run.callers_come();
    run.answered(SOME).await;
    proxy.is_now(wire);
    tokio::time::sleep(span).await;
    proxy.is_now(Wire::Whole);
    run.reckoning().await
}

async fn memory_is_full() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::start(&url, &url).await;
    run.callers_come();
    run.answered(SOME).await;
    redis.say::<()>(&["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    redis.say::<()>(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    run.reckoning().await
}

/// Checks what must hold of every run.
fn check(row: &Row) {
    let Row { served, answered, counted, twice, uncounted, late, overshoot, stuck } = row;
    assert!(*served >= SOME && counted >= answered, "{row:?}");
    assert_eq!((twice, uncounted, stuck), (&0, &0, &0), "{row:?}");
    assert!(overshoot <= late, "{row:?}");
}

/// Prints the table after the last of its runs.
fn print_once_complete(run: &'static str, row: Row) {
    static ROWS: Mutex<Vec<(&str, Row)>> = Mutex::new(Vec::new());
    let mut rows = ROWS.lock().unwrap();
    rows.push((run, row));
    if rows.len() == RUNS.len() {
        rows.sort_by_key(|(run, _)| RUNS.iter().position(|known| known == run));
        std::io::Write::write_all(&mut std::io::stdout(), table(&rows).as_bytes()).unwrap();
    }
}

fn table(rows: &[(&str, Row)]) -> String {
    let mut table = String::from(
        "| run | served | answered | counted | charged twice | answered uncounted | late keeps | overshoot | stuck holds |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (run, row) in rows {
        let Row { served, answered, counted, twice, uncounted, late, overshoot, stuck } = row;
        writeln!(
            table,
            "| {run} | {served} | {answered} | {counted} | {twice} | {uncounted} | {late} | {overshoot} | {stuck} |"
        )
        .unwrap();
    }
    table
}

#[test]
fn the_documentation_has_every_run_and_no_other() {
    let documented = include_str!("../../docs/faults.md");
    let cells = documented.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    assert_eq!(cells.skip(1).collect::<Vec<_>>(), RUNS);
}

#[test]
fn every_point_of_the_journey_has_its_run() {
    for point in Point::ALL {
        let has_run = RUNS.contains(&format!("gateway dies: {}", point.name().replace('_', " ")).as_str());
        // These are for panics, and for disks that refuse.
        let others = matches!(
            point,
            Point::InExchange | Point::InWork | Point::InStore | Point::InPage | Point::InWrite | Point::InSync
        );
        // tests/store/closing.rs has these.
        let of_closing = matches!(point, Point::InClosing | Point::BetweenPages);
        assert_ne!(has_run, others || of_closing, "{point:?}");
    }
}
