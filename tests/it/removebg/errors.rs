//! Every error is in this API's form, whatever its cause, and costs nothing.

use super::{form, metered, picture, remove, world, world_with};
use crate::{form::Form, people::Reply};
use hyper::Method;
use rembg_gateway::{
    config::Bytes,
    domain::{account::Uid, plan::Plan, rate_limit::Burst},
    store::AccountChange,
};
use serde_json::json;
use std::num::NonZeroU32;

fn codes(reply: &Reply) -> Vec<String> {
    let json = reply.json();
    let errors = json["errors"].as_array().unwrap_or_else(|| panic!("no errors: {json}"));
    errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

fn body(reply: &Reply) -> (u16, &str) {
    (reply.status, std::str::from_utf8(&reply.body).unwrap())
}

#[tokio::test]
async fn proofs_are_keys_and_everything_else_is_403() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    let form = form(&picture(), &[]);
    let invalid = r#"{"errors":[{"title":"API Key invalid","code":"auth_failed"}]}"#;
    let missing = r#"{"errors":[{"title":"Missing API Key","code":"auth_failed"}]}"#;
    let wrong = world.stranger().with("x-api-key", "7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de");
    let token = world.stranger().with("authorization", "Bearer a.b.c");
    for (person, expected) in [(&wrong, invalid), (&token, invalid), (&world.stranger(), missing)] {
        assert_eq!(body(&remove(person, &form).await), (403, expected));
        assert_eq!(body(&person.get("/v1.0/account").await), (403, expected));
    }
    let both = ann.clone().with("authorization", "Bearer a.b.c");
    for reply in [remove(&both, &form).await, both.get("/v1.0/account").await] {
        let expected = r#"{"errors":[{"title":"This is a mistake: Cannot use both API key and user token","code":"key_and_token"}]}"#;
        assert_eq!(body(&reply), (400, expected));
    }
    let unverified = AccountChange { email_verified: Some(false), ..AccountChange::of(Uid::new("ann").unwrap()) };
    world.store.put_account(&unverified).await.unwrap();
    for reply in [remove(&ann, &form).await, ann.get("/v1.0/account").await] {
        let expected = "{\"errors\":[{\"title\":\"API Key invalid\",\"detail\":\"Email address not verified \u{2013} please check your inbox\",\"code\":\"auth_failed\"}]}";
        assert_eq!(body(&reply), (403, expected));
    }
    assert!(world.backend.seen().is_empty());
}

#[tokio::test]
async fn anonymous_callers_are_not_served_even_where_they_are_elsewhere() {
    let world = world_with(|config| config.anonymous.per_day = 5).await;
    assert_eq!(remove(&world.stranger(), &form(&picture(), &[])).await.status, 403);
}

#[tokio::test]
async fn what_is_wrong_is_told_at_once_before_the_backend_hears_of_it() {
    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    let reply =
        remove(&ann, &form(b"no picture", &[("size", "x"), ("roi", "1"), ("add_shadow", "1"), ("type", "car")])).await;
    let expected = concat!(
        r#"{"errors":[{"title":"Invalid file type","code":"invalid_file_type"},"#,
        r#"{"title":"Invalid value for parameter 'size'","code":"invalid_size"},"#,
        r#"{"title":"Invalid roi parameter given","code":"invalid_roi"},"#,
        r#"{"title":"Unsupported parameter 'add_shadow'","detail":"No shadows are made here.","code":"unsupported_parameter"}]}"#,
    );
    assert_eq!(body(&reply), (400, expected));
    let whole = picture();
    let picture = &whole[..];
    let header = |width, height| crate::form::png_header(width, height);
    for (file, texts, code) in [
        (picture, &[("roi", "0px 0px 41px 30px")][..], "roi_exceeds_bounds"),
        (picture, &[("roi", "10px 0px 10px 30px")], "roi_region_empty"),
        (picture, &[("image_url", "http://example.com/")], "multiple_sources"),
        (picture, &[("bg_color", "red"), ("channels", "alpha")], "multiple_bg_sources"),
        (picture, &[("bg_image_url", "http://example.com/a.png")], "unsupported_parameter"),
        (&header(12_000, 10), &[], "resolution_too_high"),
        (&header(10_000, 9_000), &[], "resolution_too_high"),
        (&header(0, 10), &[], "invalid_dimensions"),
        (&whole[..whole.len() - 20], &[], "failed_to_read_image"),
    ] {
        let reply = remove(&ann, &form(file, texts)).await;
        assert_eq!((reply.status, codes(&reply)), (400, vec![code.to_owned()]), "{texts:?}");
    }
    let only_url = Form::empty().text("image_url", "https://example.com/a.png");
    let reply = remove(&ann, &only_url).await;
    assert_eq!((reply.status, codes(&reply)), (400, vec!["unsupported_parameter".to_owned()]), "URLs are off");
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn bodies_that_are_broken_or_too_long() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    for content_type in ["multipart/form-data; boundary=b", "application/json"] {
        let reply = ann.post("/v1.0/removebg", content_type, b"{".to_vec()).await;
        let expected = r#"{"errors":[{"title":"Malformed request body","code":"malformed_form"}]}"#;
        assert_eq!(body(&reply), (400, expected), "{content_type}");
    }
    let long = format!("bg_color={}", "f".repeat(65 << 10));
    let reply = ann.post("/v1.0/removebg", "application/x-www-form-urlencoded", long.into_bytes()).await;
    let expected = r#"{"errors":[{"title":"Request body is too large.","code":"body_too_large"}]}"#;
    assert_eq!(body(&reply), (413, expected));
}

#[tokio::test]
async fn the_pixels_that_are_processed_are_named() {
    let world = world_with(|config| config.backend.max_pixels = Some(1_000)).await;
    let ann = world.customer("ann", 10).await;
    let reply = remove(&ann, &form(&picture(), &[])).await;
    let expected = r#"{"errors":[{"title":"Image resolution too high","detail":"The image is 1200 pixels large. At most 1000 pixels are processed here.","code":"resolution_too_high"}]}"#;
    assert_eq!(body(&reply), (400, expected));
}

#[tokio::test]
async fn spent_credits_are_402_and_a_fast_caller_429_with_its_limit() {
    let world = world_with(|config| {
        let burst = Burst { per_minute: 1, size: 1 };
        config.plans.insert("Slow".into(), Plan { credits: 100, burst, priority: 0, max_pixels: None });
    })
    .await;
    let broke = world.customer("broke", 0).await;
    let reply = remove(&broke, &form(&picture(), &[])).await;
    let expected = r#"{"errors":[{"title":"Insufficient credits","code":"insufficient_credits"}]}"#;
    assert_eq!((body(&reply), reply.header("retry-after")), ((402, expected), None));
    let sam = world.customer("sam", 5).await;
    let plan = Some(("Slow".to_owned(), 100));
    world.store.put_account(&AccountChange { plan, ..AccountChange::of(Uid::new("sam").unwrap()) }).await.unwrap();
    assert_eq!(remove(&sam, &form(&picture(), &[])).await.status, 200);
    let reply = remove(&sam, &form(&picture(), &[])).await;
    let expected = r#"{"errors":[{"title":"Rate limit exceeded","code":"rate_limit_exceeded"}]}"#;
    assert_eq!(body(&reply), (429, expected));
    let told = ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
        .map(|name| reply.header(name));
    assert_eq!(told, [Some("60"), Some("1"), Some("0"), Some("1773576060")]);
    assert_eq!(sam.used().await, 1);
}

#[tokio::test]
async fn the_shield_speaks_this_apis_language_below_its_path() {
    let world = world_with(|config| config.limits.bad_credentials_per_minute = NonZeroU32::new(1).unwrap()).await;
    let wrong = world.stranger().with("x-api-key", "7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de");
    assert_eq!(wrong.get("/v1.0/account").await.status, 403);
    for reply in [wrong.get("/v1.0/account").await, remove(&wrong, &form(&picture(), &[])).await] {
        let expected = r#"{"errors":[{"title":"Rate limit exceeded","code":"rate_limit_exceeded"}]}"#;
        assert_eq!(body(&reply), (429, expected));
        assert!(reply.header("retry-after").is_some() && reply.header("x-ratelimit-reset").is_some());
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_below_the_apis_path_are_in_its_form() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    let not_found = r#"{"errors":[{"title":"not found","code":"not_found"}]}"#;
    let not_allowed = r#"{"errors":[{"title":"method not allowed","code":"method_not_allowed"}]}"#;
    for (method, path, expected) in [
        (Method::POST, "/v1.0/improve", (404, not_found)),
        (Method::GET, "/v1.0/", (404, not_found)),
        (Method::GET, "/v1.0/removebg", (405, not_allowed)),
        (Method::POST, "/v1.0/account", (405, not_allowed)),
    ] {
        let reply = ann.ask(method, path, &[], Vec::new()).await;
        assert_eq!(body(&reply), expected, "{path}");
    }
    assert_eq!(ann.get("/v1.1/removebg").await.json()["error"], "not found");
    let off = world_with(|config| config.dialects.removebg = false).await;
    let reply = remove(&off.stranger(), &form(&picture(), &[])).await;
    assert_eq!((reply.status, reply.error().as_str()), (404, "not found"));
}

#[tokio::test]
async fn the_account_tells_what_is_left_of_each_kind_of_credit() {
    let world = world().await;
    let ann = world.customer("ann", 3).await;
    world.prepaid("ann", 2).await;
    for (included, prepaid) in [(3, 2), (2, 2), (1, 2), (0, 2), (0, 1)] {
        let reply = ann.get("/v1.0/account").await;
        let expected = json!({"data": {"attributes": {
            "credits": {"total": included + prepaid, "subscription": included, "payg": prepaid, "enterprise": 0},
            "api": {"free_calls": 0, "sizes": "all"}}}});
        assert_eq!((reply.status, reply.json()), (200, expected));
        assert_eq!(remove(&ann, &form(&picture(), &[])).await.status, 200);
    }
    let metric = r#"rgw_requests_total{caller="api",route="removebg_account",status_class="2xx"}"#;
    assert!((world.metric(metric).await - 5.0).abs() < 0.5);
    let metric = r#"rgw_requests_total{caller="api",route="removebg",status_class="2xx"}"#;
    assert!((world.metric(metric).await - 5.0).abs() < 0.5);
    assert!((world.metric(r#"rgw_step_duration_seconds_count{step="finish"}"#).await - 5.0).abs() < 0.5);
}

#[tokio::test]
async fn a_result_that_is_too_long_is_not_kept_and_not_charged() {
    let world = world_with(|config| config.limits.max_answer = Bytes(400)).await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(crate::backend::Manner::Answer {
        status: 200,
        content_type: "image/png",
        body: super::file_of(image::RgbaImage::from_pixel(40, 30, image::Rgba([9, 9, 9, 255]))),
    });
    let reply = remove(&ann, &form(&picture(), &[("format", "jpg")])).await;
    assert_eq!((reply.status, codes(&reply)), (413, vec!["answer_too_large".to_owned()]), "{reply:?}");
    assert_eq!(ann.used().await, 0);
}
