//! While the store is unavailable, callers hear so at once and operators see it.

use super::run::Run;
use crate::support::{
    form::Form,
    people::Person,
    redis::{Redis, SAVED},
    wait::until,
};
use hyper::Response;
use std::time::{Duration, Instant};

/// This many requests are sent while it is unavailable.
const REQUESTS: u32 = 40;

/// The documentation promises that each request is answered in this time, which is far less than any time-out.
const AT_ONCE: Duration = Duration::from_millis(50);

async fn ask(run: &Run) -> Response<()> {
    run.ask(0, &Form::with_picture()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_callers_hear_503_at_once_operators_see_it_and_the_log_says_it_once() {
    let redis = Redis::start(&SAVED).await;
    let url = redis.url();
    let mut run = Run::start(&url, &url).await;
    let (log, admin) = (run.gateways[0].process().log.clone(), run.gateways[0].process().admin);
    let operator = Person::stranger(admin);
    assert_eq!(ask(&run).await.status(), 200);
    assert_eq!(operator.get("/readyz").await.status, 200);

    redis.kill();
    until("the gateway knows that the store is away", async || log.count("the store is away") > 0).await;
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        let answer = ask(&run).await;
        assert_eq!(answer.status(), 503);
        let retry_after = answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
        assert!(retry_after >= 1);
    }
    let each = begun.elapsed() / REQUESTS;
    assert!(each < AT_ONCE, "{each:?}");
    let ready = operator.get("/readyz").await;
    let told = br#"{"ready":false,"store":false,"backend":true,"obstacles":["store_unavailable"],"warnings":[]}"#;
    assert_eq!((ready.status, &ready.body[..]), (503, &told[..]));
    assert!(operator.metric("rgw_store_up ").await < 0.5);

    redis.start_again().await;
    let back = Instant::now();
    until("pictures are served again", async || ask(&run).await.status() == 200).await;
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
    until("the log says so", async || log.count("the store is back") > 0).await;
    assert_eq!(operator.get("/readyz").await.status, 200);
    assert_eq!((log.count("the store is away"), log.count("the store is back")), (1, 1));
}
