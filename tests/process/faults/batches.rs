//! What becomes of operations that go to the store together: so many callers come that each call of a gateway has several.

use super::{
    SOME,
    run::{Row, Run},
};
use crate::support::{
    redis::{Redis, SAVED, cluster::Cluster, sentinel::Watched},
    tcp_proxy::{Proxy, Wire},
};
use rembg_gateway::failpoint::Point;
use std::time::Duration;

/// Callers come so many times as elsewhere.
const TIMES: usize = 4;

fn many_callers_come(run: &mut Run) {
    (0..TIMES).for_each(|_| run.callers_come());
}

/// A gateway dies with several operations in one call, which the store may or may not have made.
pub(crate) async fn gateway_dies_in_a_batch() -> Row {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::doomed(&url, &url, Some((Point::InBatch, 4))).await;
    many_callers_come(&mut run);
    run.dies(0).await;
    run.replace(0, &url);
    run.reckoning().await
}

/// The server makes what several calls ask for, nobody hears of it, and then it is killed.
pub(crate) async fn redis_killed_in_a_batch() -> Row {
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, redis.url());
    let mut run = Run::start(&proxy.redis_url(), &direct).await;
    many_callers_come(&mut run);
    run.answered(SOME).await;
    proxy.is_now(Wire::NoAnswers);
    tokio::time::sleep(Duration::from_millis(100)).await;
    redis.kill();
    proxy.is_now(Wire::Whole);
    redis.start_again().await;
    run.reckoning().await
}

pub(crate) async fn master_killed_in_a_batch() -> Row {
    let watched = Watched::start().await;
    let url = watched.url();
    let mut run = Run::start(&url, &url).await;
    many_callers_come(&mut run);
    run.answered(SOME).await;
    watched.master.kill();
    run.reckoning().await
}

pub(crate) async fn cluster_primary_killed_in_a_batch() -> Row {
    let cluster = Cluster::start(1).await;
    let url = cluster.url();
    let mut run = Run::start(&url, &url).await;
    many_callers_come(&mut run);
    run.answered(SOME).await;
    cluster.home_of(&format!("user:{{{}}}", run.uid)).kill();
    run.reckoning().await
}

/// The answers of some calls are lost; the connection stays, or is cut after that.
pub(crate) async fn answer_of_a_batch_is_lost(then: Wire) -> Row {
    let redis = Redis::start(&SAVED).await;
    let (proxy, direct) = (Proxy::to(redis.port).await, redis.url());
    let mut run = Run::start(&proxy.redis_url(), &direct).await;
    many_callers_come(&mut run);
    run.answered(SOME).await;
    proxy.is_now(Wire::NoAnswers);
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.is_now(then);
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.is_now(Wire::Whole);
    run.reckoning().await
}
