//! A gateway that dies at a chosen point of the journey while another serves on, and keeps that come after their lease.

use crate::{
    SOME, at,
    backend::Manner,
    form::Form,
    proxy::{Proxy, Wire},
    scene::{CALLERS, Row, Scene},
    servers::Redis,
};
use rembg_gateway::{clock::Clock, failpoint::Point};
use std::{
    sync::{Arc, atomic::AtomicI64, atomic::Ordering},
    time::Duration,
};

/// The time at which a gateway dies that comes to a point: it has served some by then, and has others in its hands.
const TIME: u64 = 6;

/// A gateway dies at each point there is, and is replaced.
pub(crate) async fn every_point(redis: &Redis) -> Vec<Row> {
    let mut rows = Vec::new();
    for point in Point::ALL {
        rows.push(match point {
            Point::AfterSync => gateway_dies_with_a_keep_in_its_journal(redis, Wire::Cut, "").await,
            Point::InRelease => gateway_dies_in_a_release(redis).await,
            // For panics.
            Point::InExchange | Point::InWork | Point::InStore | Point::InPage => continue,
            Point::BeforeHold
            | Point::AfterHold
            | Point::AfterForm
            | Point::BeforeSend
            | Point::AfterAnswer
            | Point::BeforeKeep
            | Point::AfterKeep => gateway_dies_at_work(redis, point).await,
        });
    }
    let done = gateway_dies_with_a_keep_in_its_journal(redis, Wire::NoAnswers, ", its keeps done").await;
    rows.push(done);
    rows
}

async fn gateway_dies_at_work(redis: &Redis, point: Point) -> Row {
    let url = at(redis.port);
    let mut scene = Scene::doomed(&url, &url, Some((point, TIME))).await;
    scene.callers_come();
    replaced(scene, point, &url).await
}

/// The store does not take the keeps of the backend's answers, or does not say so.
async fn gateway_dies_with_a_keep_in_its_journal(redis: &Redis, wire: Wire, more: &str) -> Row {
    let (proxy, direct) = (Proxy::to(redis.port).await, at(redis.port));
    let url = at(proxy.address.port());
    let mut scene = Scene::doomed(&url, &direct, Some((Point::AfterSync, 1))).await;
    scene.callers_come();
    scene.answered(SOME).await;
    scene.backend.will(Manner::Wait);
    // More than the other gateway has callers.
    let before = scene.backend.seen().len();
    scene.backend.has_seen(before + CALLERS / 2 + 1).await;
    proxy.is_now(wire);
    scene.backend.will(Manner::picture());
    for _ in 0..CALLERS {
        scene.backend.let_one_go();
    }
    scene.dies(0).await;
    proxy.is_now(Wire::Whole);
    let row = replaced(scene, Point::AfterSync, &url).await;
    Row { run: format!("{}{more}", row.run), ..row }
}

/// Somebody sends forms that are refused, after the hold and before the backend.
async fn gateway_dies_in_a_release(redis: &Redis) -> Row {
    let url = at(redis.port);
    let mut scene = Scene::doomed(&url, &url, Some((Point::InRelease, 3))).await;
    scene.callers_come();
    for _ in 0..2 {
        assert_eq!(scene.ask(0, &Form::empty()).await.unwrap().status(), 400);
    }
    assert!(scene.ask(0, &Form::empty()).await.is_err(), "nobody answers");
    replaced(scene, Point::InRelease, &url).await
}

async fn replaced(mut scene: Scene, point: Point, url: &str) -> Row {
    scene.dies(0).await;
    scene.replace(0, url);
    scene.reckoning(format!("gateway dies: {}", point.name().replace('_', " "))).await
}

/// The backend takes longer than every lease, and others spend the credits meanwhile.
pub(crate) async fn keeps_come_after_their_lease(redis: &Redis) -> Row {
    let turned = Arc::new(AtomicI64::new(Clock::Own.now().0));
    let mut scene = Scene::turned(&at(redis.port), &Clock::Turned(Arc::clone(&turned))).await;
    scene.backend.will(Manner::Wait);
    scene.callers_come();
    scene.backend.has_seen(CALLERS).await;
    turned.fetch_add(i64::try_from(Duration::from_mins(2).as_micros()).unwrap(), Ordering::AcqRel);
    scene.backend.will(Manner::picture());
    scene.calls(1).await;
    for _ in 0..CALLERS {
        scene.backend.let_one_go();
    }
    scene.reckoning("keeps come after their lease").await
}
