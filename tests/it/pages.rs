//! Pages for browsers, and headers that keep any answer from doing harm in one.

use crate::{form::Form, people::Reply, world::World};
use hyper::Method;

const OTHERS: &str = "default-src 'none'; sandbox";

/// Everything that the pages are made of, by the addresses in their text.
fn assets(page: &Reply) -> Vec<String> {
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let address = |at| text[at..].split('"').next().unwrap().to_owned();
    text.match_indices("/assets/").map(|(at, _)| address(at)).collect()
}

#[tokio::test]
async fn a_page_may_load_and_ask_this_gateway_only() {
    let world = World::start().await;
    let page = world.stranger().get("/docs").await;
    assert_eq!(page.status, 200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-language", "en"),
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
}

#[tokio::test]
async fn every_other_answer_runs_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    for (status, reply) in [
        (200, ann.cut(&Form::with_picture()).await),
        (400, ann.cut(&Form::empty()).await),
        (200, ann.get("/api/membership-usage").await),
        (200, ann.get("/healthz").await),
        (404, ann.get("/nowhere").await),
        (405, ann.ask(Method::PUT, "/docs", &[], Vec::new()).await),
        (404, ann.get("/assets/base.css").await),
        (200, ann.get(&assets(&ann.get("/docs").await)[0]).await),
        (200, world.operator().get("/metrics").await),
    ] {
        let told = (reply.header("content-security-policy"), reply.header("x-content-type-options"));
        assert_eq!((reply.status, told), (status, (Some(OTHERS), Some("nosniff"))), "{reply:?}");
    }
}

#[tokio::test]
async fn what_a_browser_has_already_is_not_sent_again() {
    let world = World::start().await;
    let reader = world.stranger();
    let get = async |path: &str, headers: &[(&str, &str)]| reader.ask(Method::GET, path, headers, Vec::new()).await;
    let plain = get("/docs", &[]).await;
    let zipped = get("/docs", &[("accept-encoding", "br, gzip")]).await;
    assert_eq!((plain.header("content-encoding"), zipped.header("content-encoding")), (None, Some("gzip")));
    assert!(zipped.body.starts_with(&[0x1f, 0x8b]) && zipped.body.len() < plain.body.len());
    assert_eq!((plain.header("vary"), zipped.header("vary")), (Some("accept-encoding"), Some("accept-encoding")));
    assert_ne!(plain.header("etag"), zipped.header("etag"));
    let refused = get("/docs", &[("accept-encoding", "gzip;q=0")]).await;
    assert_eq!(refused.header("content-encoding"), None);
    let tag = plain.header("etag").unwrap();
    for known in [tag.to_owned(), format!("\"a\", W/{tag}"), "*".into()] {
        let again = get("/docs", &[("if-none-match", known.as_str())]).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)), "{known}");
    }
    assert_eq!(get("/docs", &[("if-none-match", zipped.header("etag").unwrap())]).await.status, 200);
    let head = reader.ask(Method::HEAD, "/docs", &[], Vec::new()).await;
    assert_eq!((head.status, head.header("etag"), head.body.len()), (200, Some(tag), 0));
}

#[tokio::test]
async fn assets_are_kept_for_ever() {
    let world = World::start().await;
    let found = assets(&world.stranger().get("/docs").await);
    assert!(found.len() >= 3, "{found:?}");
    for path in found {
        let asset = world.stranger().get(&path).await;
        let kept = asset.header("cache-control");
        assert_eq!((asset.status, kept), (200, Some("public, max-age=31536000, immutable")), "{path}");
    }
}

#[tokio::test]
async fn pages_can_be_turned_off() {
    let world = World::with(|config| config.pages.enabled = false).await;
    for path in ["/", "/docs", "/usage", "/assets/base.css"] {
        for method in [Method::GET, Method::POST] {
            let reply = world.stranger().ask(method, path, &[], Vec::new()).await;
            assert_eq!((reply.status, reply.error().as_str()), (404, "not found"), "{path}");
        }
    }
}

#[tokio::test]
async fn pages_count_as_requests_of_their_client() {
    let world = World::start().await;
    world.stranger().get("/docs").await;
    let line = "rgw_outcomes_total{outcome=\"served\",route=\"pages\"}";
    world.metric_reaches(line, 1.0).await;
}

#[tokio::test]
async fn the_description_is_open_to_every_page_and_names_no_host_that_was_asked() {
    let world = World::start().await;
    for (path, content_type) in [("/api/openapi", "application/json"), ("/api/openapi.yaml", "application/yaml")] {
        let asked =
            [("origin", "https://editor.example"), ("host", "evil.example"), ("x-forwarded-host", "evil.example")];
        let reply = world.stranger().ask(Method::GET, path, &asked, Vec::new()).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(content_type)));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            (reply.header("cache-control"), reply.header("content-security-policy")),
            (Some("no-cache"), Some(OTHERS))
        );
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!text.contains("evil.example") && !text.contains("rembg.com"), "{path}");
        let known = [("if-none-match", reply.header("etag").unwrap())];
        let again = world.stranger().ask(Method::GET, path, &known, Vec::new()).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    let other = world.stranger().with("origin", "https://editor.example").get("/docs").await;
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn the_description_stays_where_there_are_no_pages() {
    let world = World::with(|config| {
        config.pages.enabled = false;
        config.pages.public_url = Some("https://api.example.com".into());
    })
    .await;
    let reply = world.stranger().get("/api/openapi").await;
    assert_eq!(reply.json()["servers"], serde_json::json!([{"url": "https://api.example.com"}]));
}

#[tokio::test]
async fn pages_are_refused_to_a_client_with_too_many_requests_at_once() {
    let world = World::with(|config| config.limits.in_flight_per_client = std::num::NonZeroU32::MIN).await;
    let ann = world.customer("ann", 9).await;
    world.backend.will(crate::backend::Manner::Wait);
    let slow = tokio::spawn(async move { ann.cut(&Form::with_picture()).await });
    world.backend.has_seen(1).await;
    for path in ["/docs", "/api/openapi"] {
        let refused = world.stranger().get(path).await;
        assert_eq!((refused.status, refused.header("cache-control")), (429, Some("no-store")), "{path}");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    world.backend.let_one_go();
    assert_eq!(slow.await.unwrap().status, 200);
}
