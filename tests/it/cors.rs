//! Callers in browsers.

use crate::{
    form::Form,
    people::{Person, Reply},
    world::World,
};
use hyper::Method;

const PAGE: &str = "https://app.example.com";

async fn world_for(origins: &[&str]) -> World {
    World::with(|config| config.cors.origins = origins.iter().map(|origin| (*origin).to_owned()).collect()).await
}

async fn preflight(person: &Person, path: &str, origin: &str) -> Reply {
    let asks = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-api-key,content-type"),
    ];
    person.ask(Method::OPTIONS, path, &asks, Vec::new()).await
}

#[tokio::test]
async fn a_preflight_says_what_a_page_may_send_and_touches_no_limit() {
    let world = world_for(&["https://other.example", PAGE]).await;
    for path in ["/rmbg", "/api/membership-usage"] {
        let reply = preflight(&world.stranger(), path, PAGE).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0));
        for (name, value) in [
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-methods", "GET, POST"),
            ("access-control-allow-headers", "x-api-key, authorization, content-type, x-request-id"),
            ("access-control-max-age", "7200"),
            ("vary", "origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}");
        }
        assert_eq!(reply.header("access-control-allow-credentials"), None, "cookies mean nothing here");
    }
    assert!(world.operator().metrics_sum("rgw_requests_total{").await < 0.5, "it counts as no request");
}

#[tokio::test]
async fn a_page_may_read_every_answer_and_its_headers() {
    let world = world_for(&[PAGE]).await;
    let ann = world.customer("ann", 1).await.with("origin", PAGE);
    for (status, reply) in [
        (200, ann.cut(&Form::with_picture()).await),
        (429, ann.cut(&Form::with_picture()).await),
        (401, world.stranger().with("origin", PAGE).cut(&Form::with_picture()).await),
        (404, ann.get("/nowhere").await),
    ] {
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE), "{status}");
        let exposed = reply.header("access-control-expose-headers").unwrap();
        let ours = "retry-after, ratelimit, ratelimit-policy, x-credits-charged, x-credits-remaining, x-request-id, ";
        assert!(exposed.starts_with(ours) && exposed.contains("x-foreground-top"), "{exposed}");
        assert_eq!(reply.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn other_pages_get_no_permission_and_caches_know_that_it_depends() {
    let world = world_for(&[PAGE]).await;
    let ann = world.customer("ann", 9).await;
    for origin in ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"] {
        let reply = preflight(&world.stranger(), "/rmbg", origin).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, None), "{origin}");
        assert_eq!(reply.header("access-control-allow-headers"), None);
        let reply = ann.clone().with("origin", origin).cut(&Form::with_picture()).await;
        assert_eq!((reply.header("access-control-allow-origin"), reply.header("vary")), (None, Some("origin")));
    }
    assert_eq!(ann.cut(&Form::with_picture()).await.header("vary"), Some("origin"), "no page at all");
}

#[tokio::test]
async fn a_star_is_every_page() {
    let world = world_for(&["*"]).await;
    let reply = preflight(&world.stranger(), "/rmbg", "https://anybody.example").await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_page_may_send_the_header_that_tokens_are_configured_to_come_in() {
    let world = World::with(|config| {
        config.cors.origins = vec![PAGE.into()];
        config.auth.user_token.header = "X-User-Token".into();
    })
    .await;
    let reply = preflight(&world.stranger(), "/rmbg", PAGE).await;
    let allowed = "x-api-key, x-user-token, content-type, x-request-id";
    assert_eq!(reply.header("access-control-allow-headers"), Some(allowed));
}

#[tokio::test]
async fn without_origins_there_is_nothing_of_it() {
    let world = World::start().await;
    let reply = preflight(&world.stranger(), "/rmbg", PAGE).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin"), reply.header("vary")), (405, None, None));
}
