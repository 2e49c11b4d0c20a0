//! `/readyz` sends callers elsewhere only where another gateway could serve them. All else that an operator should look at
//! is a warning.

use crate::{
    backend::{Manner, StubBackend},
    form::Form,
    support::{certificate::certify_between, wait::until},
    world::{NOON, World},
};
use serde_json::{Value, json};
use std::path::Path;

const DAY: i64 = 86_400;
const HOSTS: [&str; 1] = ["api.example.com"];

/// The status and the body, but for `ready`, which must be what the status says.
async fn readyz(world: &World) -> (u16, Value) {
    let reply = world.operator().get("/readyz").await;
    let mut body = reply.json();
    assert_eq!(body.as_object_mut().unwrap().remove("ready"), Some(Value::Bool(reply.status == 200)), "{body}");
    (reply.status, body)
}

fn ready(warnings: &[&str]) -> (u16, Value) {
    (200, json!({"store": true, "backend": true, "obstacles": [], "warnings": warnings}))
}

fn not_ready(obstacles: &[&str]) -> (u16, Value) {
    (503, json!({"store": true, "backend": true, "obstacles": obstacles, "warnings": []}))
}

async fn secured(folder: &Path) -> World {
    World::with(|config| {
        config.listen.tls_cert = Some(folder.join("cert.pem"));
        config.listen.tls_key = Some(folder.join("cert-key.pem"));
    })
    .await
}

#[tokio::test]
async fn a_certificate_near_its_end_is_a_warning_and_an_expired_one_sends_callers_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    // 100 days around noon of 15 March: the last quarter begins on 4 April.
    certify_between(folder.path(), "cert", &HOSTS, [(2026, 1, 19), (2026, 4, 29)]);
    let world = secured(folder.path()).await;
    assert_eq!(readyz(&world).await, ready(&[]));
    world.turn_clock_to(NOON + 18 * DAY);
    assert_eq!(readyz(&world).await, ready(&[]));
    world.turn_clock_to(NOON + 20 * DAY);
    assert_eq!(readyz(&world).await, ready(&["certificate_near_end"]));
    world.turn_clock_to(NOON + 44 * DAY);
    assert_eq!(readyz(&world).await, ready(&["certificate_near_end"]));
    world.turn_clock_to(NOON + 45 * DAY);
    assert_eq!(readyz(&world).await, not_ready(&["certificate_expired"]));
    certify_between(folder.path(), "cert", &HOSTS, [(2026, 4, 28), (2026, 7, 28)]);
    until("the new certificate counts", async || readyz(&world).await == ready(&[])).await;
}

#[tokio::test]
async fn keys_that_rest_are_warnings_though_every_caller_is_refused_and_the_words_are_for_the_log() {
    const WORDS: &str = "Your company's card was declined";
    for (status, code, warnings) in [
        (401, "backend_unavailable", &["backend_keys_resting"][..]),
        (402, "backend_account_exhausted", &["backend_keys_resting", "backend_account_exhausted"]),
        (429, "backend_account_exhausted", &["backend_keys_resting", "backend_account_exhausted"]),
    ] {
        let world = World::with(|config| config.backend.api_keys = vec!["key-1".into()]).await;
        let ann = world.customer("ann", 9).await;
        assert_eq!(readyz(&world).await, ready(&[]), "{status}");
        world.backend.will(Manner::refuses(status, WORDS, "retry-after: 30\r\n"));
        for _ in 0..2 {
            let refused = ann.cut(&Form::with_picture()).await;
            assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some(code)));
            let told = format!("{:?}{}", refused.headers, String::from_utf8_lossy(&refused.body));
            assert!(!told.contains("declined"), "{told}");
            assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 30);
        }
        assert_eq!(readyz(&world).await, ready(warnings), "{status}");
        assert_eq!(ann.used().await, 0);
        world.nothing_held().await;
    }
}

#[tokio::test]
async fn an_account_with_nothing_left_is_a_warning_before_the_first_caller_is_refused() {
    let reports = StubBackend::start().await;
    let tell = |credits: u64| {
        let report = json!({
            "membership": "Premium", "credits": credits, "prepaidCredits": 0, "app_usage": 0, "api_usage": 0,
        });
        let body = report.to_string().into_bytes();
        reports.will_tell(Manner::Answer { status: 200, content_type: "application/json", body });
    };
    tell(0);
    let world = World::with(|config| {
        config.backend.api_keys = vec!["key-1".into()];
        config.backend.reconcile.url = Some(format!("http://{}/api/membership-usage", reports.address));
        config.backend.reconcile.interval_s = 1;
    })
    .await;
    until("the report is in", async || readyz(&world).await == ready(&["backend_account_exhausted"])).await;
    tell(5);
    until("it is refilled", async || readyz(&world).await == ready(&[])).await;
}

#[tokio::test]
async fn who_is_about_to_stop_says_so_and_serves_meanwhile() {
    let world = World::start().await;
    let ann = world.customer("ann", 2).await;
    assert_eq!(readyz(&world).await, ready(&[]));
    world.app.drain();
    assert_eq!(readyz(&world).await, not_ready(&["draining"]));
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    assert_eq!(ann.used().await, 1);
}
