//! A gateway that dies at a chosen point of the journey while another serves on, and keeps that come after their lease.

use super::{
    SOME,
    run::{Api, CALLERS, Gateway, Row, Run},
};
use crate::support::{
    backend::Manner,
    clock::TurnedClock,
    form::{Form, png},
    redis::{Redis, SAVED},
    tcp_proxy::{Proxy, Wire},
    wait::until,
};
use rembg_gateway::{clock::Clock, failpoint::Point};
use std::time::Duration;

/// A gateway dies at a point when it comes there for this time: it has served some by then, and has others in its hands.
const TIME: u64 = 6;

/// A gateway dies at a point, and is replaced.
pub(crate) async fn dies_at_work(point: Point) -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::doomed(&url, &url, Some((point, TIME))).await;
    run.callers_come();
    replaced(run, &url).await
}

/// Callers use remove.bg's API, and the gateway dies with a picture that the backend has cut and that is being finished.
pub(crate) async fn dies_while_it_finishes() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::doomed(&url, &url, Some((Point::InWork, TIME))).await;
    run.api = Api::RemoveBg;
    run.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: png(4, 3) });
    run.callers_come();
    replaced(run, &url).await
}

/// The store does not take the keeps of the backend's answers, or does not say so.
pub(crate) async fn dies_with_a_keep_in_its_journal(wire: Wire) -> Row {
    let (mut run, proxy, redis) = keeps_are_not_taken(wire, &[dies_at(Point::AfterSync)]).await;
    run.dies(0).await;
    proxy.is_now(Wire::Whole);
    let row = replaced(run, &proxy.redis_url()).await;
    drop(redis);
    row
}

/// The same, and the journal's disk does not take them either; the gateway dies before it has told anybody.
pub(crate) async fn dies_after_a_failed_sync() -> Row {
    let trouble = [dies_at(Point::AfterFailedSync), fails_at(Point::InSync, 1, 1_000)];
    let (mut run, proxy, redis) = keeps_are_not_taken(Wire::Cut, &trouble).await;
    run.dies(0).await;
    proxy.is_now(Wire::Whole);
    let row = replaced(run, &proxy.redis_url()).await;
    drop(redis);
    row
}

/// The same, and the gateway lives: callers hear that nothing was charged.
pub(crate) async fn the_journals_sync_fails() -> Row {
    let (run, proxy, redis) = keeps_are_not_taken(Wire::Cut, &[fails_at(Point::InSync, 1, 1_000)]).await;
    let Gateway::Process(serving) = &run.gateways[0] else { panic!("it is a process") };
    let log = serving.log.clone();
    until("a keep is promised in vain", async || log.count("the journal cannot be synced") > 0).await;
    proxy.is_now(Wire::Whole);
    let row = run.reckoning().await;
    drop(redis);
    row
}

/// The journal's disk takes nothing for some seconds: the gateway admits nobody, and what it has in its hands is counted.
pub(crate) async fn the_journals_disk_is_full() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::troubled(&url, &url, &[fails_at(Point::InWrite, 20, 8)]).await;
    run.callers_come();
    let Gateway::Process(serving) = &run.gateways[0] else { panic!("it is a process") };
    let log = serving.log.clone();
    let row = run.reckoning().await;
    assert_eq!((log.count("the journal cannot be written"), log.count("the journal can be written again")), (1, 1));
    row
}

fn dies_at(point: Point) -> (&'static str, String) {
    ("REMBG_GATEWAY_TEST_DIE_AT", format!("{}:1", point.name()))
}

fn fails_at(point: Point, first: u64, times: u64) -> (&'static str, String) {
    ("REMBG_GATEWAY_TEST_FAIL_AT", format!("{}:{first}:{times}", point.name()))
}

/// A run in which the backend's answers come when the store is not reached as usual.
async fn keeps_are_not_taken(wire: Wire, trouble: &[(&'static str, String)]) -> (Run, Proxy, Redis) {
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, redis.url());
    let url = proxy.redis_url();
    let mut run = Run::troubled(&url, &direct, trouble).await;
    run.callers_come();
    run.answered(SOME).await;
    run.backend.will(Manner::Wait);
    // These are more requests than the other gateway has callers.
    let before = run.backend.seen().len();
    run.backend.has_seen(before + CALLERS / 2 + 1).await;
    proxy.is_now(wire);
    run.backend.will(Manner::picture());
    for _ in 0..CALLERS {
        run.backend.let_one_go();
    }
    (run, proxy, redis)
}

/// A caller sends forms that are refused, after the hold and before the backend.
pub(crate) async fn dies_in_a_release() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::doomed(&url, &url, Some((Point::InRelease, 3))).await;
    run.callers_come();
    for _ in 0..2 {
        assert_eq!(run.ask(0, &Form::empty()).await.unwrap().status(), 400);
    }
    assert!(run.ask(0, &Form::empty()).await.is_err(), "nobody answers");
    replaced(run, &url).await
}

async fn replaced(mut run: Run, url: &str) -> Row {
    run.dies(0).await;
    run.replace(0, url);
    run.reckoning().await
}

/// The backend takes longer than every lease, and others spend the credits meanwhile.
pub(crate) async fn keeps_come_after_their_lease() -> Row {
    let redis = Redis::start(&SAVED).await;
    let clock = TurnedClock::at(Clock::Own.now());
    let mut run = Run::turned(&redis.url(), &clock).await;
    run.backend.will(Manner::Wait);
    run.callers_come();
    run.backend.has_seen(CALLERS).await;
    clock.turn_by(Duration::from_mins(2));
    run.backend.will(Manner::picture());
    run.calls(1).await;
    for _ in 0..CALLERS {
        run.backend.let_one_go();
    }
    run.reckoning().await
}
