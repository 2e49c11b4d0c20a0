//! A gateway that dies at a chosen point of the journey while another serves on, and keeps that come after their lease.

use super::{
    SOME,
    run::{Api, CALLERS, Row, Run},
};
use crate::support::{
    backend::Manner,
    clock::TurnedClock,
    form::{Form, png},
    redis::{Redis, SAVED},
    tcp_proxy::{Proxy, Wire},
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
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, redis.url());
    let url = proxy.redis_url();
    let mut run = Run::doomed(&url, &direct, Some((Point::AfterSync, 1))).await;
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
    run.dies(0).await;
    proxy.is_now(Wire::Whole);
    replaced(run, &url).await
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
