//! What callers and operators see of a store that is away.

use crate::{
    at,
    form::Form,
    scene::Scene,
    servers::{Redis, SAVED, until},
};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Response, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Requests while it is away.
const REQUESTS: u32 = 40;

/// Far less than any time-out, and what the documentation promises of each request.
const AT_ONCE: Duration = Duration::from_millis(50);

async fn ask(scene: &Scene) -> Response<()> {
    scene.ask(0, &Form::with_picture()).await.unwrap()
}

async fn operator(admin: SocketAddr, path: &str) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(format!("http://{admin}{path}").parse().unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_callers_hear_503_at_once_operators_see_it_and_the_log_says_it_once() {
    let mut redis = Redis::start(&SAVED).await;
    let url = at(redis.port);
    let scene = Scene::set(&url, &url).await;
    let (gateway, admin) = (&scene.gateways[0], scene.gateways[0].admin);
    assert_eq!(ask(&scene).await.status(), 200);
    assert_eq!(operator(admin, "/readyz").await.0, 200);

    redis.kill();
    until("the gateway knows that the store is away", async || gateway.said("the store is away") > 0).await;
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        let answer = ask(&scene).await;
        assert_eq!(answer.status(), 503);
        let retry_after = answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
        assert!(retry_after >= 1);
    }
    let each = begun.elapsed() / REQUESTS;
    assert!(each < AT_ONCE, "{each:?}");
    let (status, body) = operator(admin, "/readyz").await;
    assert_eq!((status, body.as_str()), (503, r#"{"ready":false,"store":false,"backend":true}"#));
    let (_, metrics) = operator(admin, "/metrics").await;
    assert!(metrics.contains("rgw_store_up 0\n"), "{metrics}");

    redis.revive().await;
    let back = Instant::now();
    until("pictures are served again", async || ask(&scene).await.status() == 200).await;
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
    until("the log says so", async || gateway.said("the store is back") > 0).await;
    assert_eq!(operator(admin, "/readyz").await.0, 200);
    assert_eq!((gateway.said("the store is away"), gateway.said("the store is back")), (1, 1));
}
