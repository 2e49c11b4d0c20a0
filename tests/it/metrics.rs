//! Prometheus's own tool accepts our metrics, they name no caller, and they say what has happened.

use crate::{backend::Manner, form::Form, people::Person, support::wait::until, world::World};
use rembg_gateway::telemetry::{ENTRIES, Kind};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

/// What the metrics say: each series with its value.
async fn scraped(world: &World) -> BTreeMap<String, f64> {
    let text = String::from_utf8(world.operator().get("/metrics").await.body.to_vec()).unwrap();
    let line = |line: &str| line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.parse().unwrap()));
    text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect()
}

/// What callers do in every way, so that most outcomes occur.
async fn traffic(world: &World) {
    let ann = world.customer("ann-of-the-tests", 3).await;
    let good = Form::with_picture();
    assert_eq!(ann.cut(&good).await.status, 200);
    assert_eq!(ann.cut(&Form::with_picture().text("w", "0x")).await.status, 400);
    assert_eq!(ann.post("/rmbg", "multipart/form-data", b"no boundary".to_vec()).await.status, 400);
    for (path, form) in [("/v1.0/removebg", "size=unknown"), ("/v1.0/removebg", "size=auto")] {
        assert_eq!(ann.post(path, "application/x-www-form-urlencoded", form.into()).await.status, 400);
    }
    for manner in [Manner::says(400, "", "no JSON"), Manner::says(500, "", ""), Manner::says(200, "", "no picture")] {
        world.backend.will(manner);
        assert_ne!(ann.cut(&good).await.status, 200);
    }
    world.backend.will(Manner::picture());
    let nobody = Person::with_key(world.app.public, "rgw_live_0000000000000000000000000000000000000000000");
    assert_eq!(nobody.cut(&good).await.status, 401);
    assert_eq!(world.stranger().cut(&good).await.status, 200);
    assert_eq!(world.stranger().with("authorization", "Bearer a.b.c").cut(&good).await.status, 401);
    for (path, status) in [
        ("/", 200),
        ("/nothing/here", 404),
        ("/rmbg", 405),
        ("/api/openapi", 200),
        ("/api/membership-usage", 200),
        ("/api/membership-usage?month=13", 400),
        ("/v1.0/account", 200),
        ("/api/remove?url=http%3A%2F%2Fexample.com%2Fa.png", 405),
    ] {
        assert_eq!(ann.get(path).await.status, status, "{path}");
    }
    assert_eq!(world.stranger().post("/api/webhooks/stripe", "application/json", b"{}".to_vec()).await.status, 404);
}

async fn world() -> World {
    World::with(|config| {
        config.anonymous.per_day = 10;
        config.dialects.removebg = true;
        config.dialects.rembg.enabled = true;
    })
    .await
}

#[tokio::test]
async fn promtool_has_nothing_to_say_about_the_metrics() {
    let world = world().await;
    traffic(&world).await;
    let metrics = world.operator().get("/metrics").await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there; tests/tools.sh installs it");
    promtool.stdin.take().unwrap().write_all(&metrics.body).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && words.is_empty(), "{words}");
}

#[tokio::test]
async fn no_label_tells_who_called() {
    let world = world().await;
    traffic(&world).await;
    let text = String::from_utf8(world.operator().get("/metrics").await.body.to_vec()).unwrap();
    // The backend's own address is the operator's, from the configuration.
    let text = text.replace(&world.backend.url(), "");
    for told in ["ann-of-the-tests", "rgw_live", "127.0.0.1", "nothing/here"] {
        assert!(!text.contains(told), "{told}: {text}");
    }
}

#[tokio::test]
async fn every_series_is_there_before_anything_happens_but_for_what_is_not_known_yet() {
    let world = world().await;
    world.ready().await;
    let before = scraped(&world).await;
    traffic(&world).await;
    let after = scraped(&world).await;
    let new: Vec<_> = after.keys().filter(|series| !before.contains_key(*series)).collect();
    assert_eq!(new, Vec::<&String>::new());
    let shown: BTreeSet<&str> = after.keys().filter_map(|series| series.split('{').next()).collect();
    for entry in ENTRIES {
        let suffix = if entry.kind == Kind::Histogram { "_count" } else { "" };
        let is_shown = shown.contains(format!("{}{suffix}", entry.name).as_str());
        assert!(is_shown || entry.help.contains("Absent"), "{} is not shown", entry.name);
    }
    for (series, value) in &before {
        let is_counted = series.contains("_total") && !series.starts_with("process_");
        assert!(!is_counted || *value < 0.5 || series.contains("rgw_store_operations"), "{series} {value}");
    }
}

#[tokio::test]
async fn what_happened_is_counted_by_who_asked_and_what_became_of_it() {
    let world = world().await;
    world.ready().await;
    traffic(&world).await;
    world.nothing_held().await;
    world.metric_falls_to("rgw_requests_in_flight ", 0.0).await;
    let series = scraped(&world).await;
    for (line, value) in [
        (r#"rgw_requests_total{caller="api",route="rmbg",status_class="2xx"}"#, 1.0),
        (r#"rgw_requests_total{caller="anonymous",route="rmbg",status_class="2xx"}"#, 1.0),
        (r#"rgw_requests_total{caller="rejected",route="rmbg",status_class="4xx"}"#, 2.0),
        (r#"rgw_requests_total{caller="api",route="rmbg",status_class="5xx"}"#, 2.0),
        (r#"rgw_requests_total{caller="rejected",route="other",status_class="4xx"}"#, 2.0),
        (r#"rgw_requests_total{caller="api",route="removebg",status_class="4xx"}"#, 2.0),
        (r#"rgw_outcomes_total{outcome="served",route="rmbg"}"#, 2.0),
        (r#"rgw_outcomes_total{outcome="backend_failed",route="rmbg"}"#, 2.0),
        (r#"rgw_outcomes_total{outcome="malformed_form",route="rmbg"}"#, 1.0),
        (r#"rgw_outcomes_total{outcome="invalid_token",route="rmbg"}"#, 1.0),
        (r#"rgw_pictures_total{caller="api",plan="Test",pool="included"}"#, 1.0),
        (r#"rgw_pictures_total{caller="anonymous",plan="anonymous",pool="daily"}"#, 1.0),
        (r#"rgw_form_complaints_total{field="w",rule="not_an_integer"}"#, 1.0),
        (r#"rgw_form_complaints_total{field="size",rule="invalid"}"#, 1.0),
        (r#"rgw_form_complaints_total{field="month",rule="outside_range"}"#, 1.0),
        (r#"rgw_user_tokens_total{result="malformed"}"#, 1.0),
        ("rgw_overhead_seconds_count", 2.0),
        ("rgw_queue_wait_seconds_count", 5.0),
        (r#"rgw_store_operations_total{result="ok",verb="keep"}"#, 2.0),
        ("rgw_pledges_open", 0.0),
        ("rgw_releases_owed", 0.0),
        ("rgw_credits_held", 0.0),
        ("rgw_ready", 1.0),
        ("rgw_requests_in_flight", 0.0),
    ] {
        assert!((series[line] - value).abs() < 0.1, "{line} {}, not {value}", series[line]);
    }
    let of_backend = |class: &str| {
        let line =
            format!("rgw_backend_responses_total{{backend=\"{}\",status_class=\"{class}\"}}", world.backend.url());
        format!("{:.0}", series[&line])
    };
    assert_eq!(["2xx", "4xx", "5xx", "none"].map(of_backend), ["3", "1", "1", "0"]);
    let form = f64::from(u32::try_from(Form::with_picture().body().len()).unwrap());
    assert!(series["rgw_received_bytes_total"] >= 6.0 * form && series["rgw_sent_bytes_total"] > 0.0);
}

#[tokio::test]
async fn the_time_of_the_backend_is_not_our_own() {
    let world = world().await;
    let ann = world.customer("ann", 5).await;
    world.backend.will(Manner::Wait);
    let cutting = tokio::spawn(async move { ann.cut(&Form::with_picture()).await });
    world.backend.has_seen(1).await;
    assert!((world.metric("rgw_pledges_open ").await - 1.0).abs() < 0.1);
    until("the backend has taken a while", async || world.metric("rgw_pledges_oldest_age_seconds ").await > 0.2).await;
    world.backend.let_one_go();
    assert_eq!(cutting.await.unwrap().status, 200);
    let series = scraped(&world).await;
    let backend = series[&format!("rgw_backend_duration_seconds_sum{{backend=\"{}\"}}", world.backend.url())];
    let whole = series[r#"rgw_request_duration_seconds_sum{route="rmbg"}"#];
    let own = series["rgw_overhead_seconds_sum"];
    let queue = series["rgw_queue_wait_seconds_sum"];
    assert!(own > 0.0 && own + backend + queue <= whole + 1e-6, "{own} + {backend} + {queue} > {whole}");
    assert!((series["rgw_pledges_oldest_age_seconds"]).abs() < 1e-9);
}
