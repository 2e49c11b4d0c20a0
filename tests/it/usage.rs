//! `GET /api/membership-usage`: calendar months.

use crate::{form::Form, world::World};
use serde_json::json;

#[tokio::test]
async fn what_was_spent_shows_for_now_and_for_any_month() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    world.prepaid("ann", 7).await;
    ann.cut(&Form::with_picture()).await;
    ann.cut(&Form::with_picture()).await;
    let now = json!({"membership": "Test", "credits": 10, "prepaidCredits": 7, "app_usage": 0, "api_usage": 2});
    assert_eq!(ann.get("/api/membership-usage").await.json(), now);
    assert_eq!(ann.get("/api/membership-usage?year=2026&month=3").await.json(), now);
    assert_eq!(ann.get("/api/membership-usage?month=2").await.json()["api_usage"], 0);
    assert_eq!(ann.get("/api/membership-usage?year=2025").await.json()["api_usage"], 0);
}

#[tokio::test]
async fn bad_parameters_have_their_documented_words() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    for (query, error) in [
        ("month=abc", "'month' must be an integer, got: 'abc'"),
        ("month=13", "'month' must be between 1 and 12, got: 13"),
        ("year=0", "'year' must be between 1 and 9999, got: 0"),
    ] {
        let reply = ann.get(&format!("/api/membership-usage?{query}")).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, error), "{query}");
    }
    let both = ann.get("/api/membership-usage?year=0&month=13").await.json();
    assert_eq!(both["error"], "Multiple validation errors");
    assert_eq!(both["details"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn only_an_api_key_opens_it_and_nobody_may_keep_it() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    assert_eq!(ann.get("/api/membership-usage").await.header("cache-control"), Some("no-store"));
    let token = world.stranger().with("authorization", "Bearer some.user.token");
    let no_token = world.stranger().with("authorization", "Bearer");
    for person in [world.stranger(), token, no_token] {
        let reply = person.get("/api/membership-usage").await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid api key"));
    }
    let both = ann.with("authorization", "Bearer some.user.token").get("/api/membership-usage").await;
    assert_eq!(both.status, 400);
}
