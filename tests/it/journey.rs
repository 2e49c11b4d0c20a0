//! The ordinary journey of a picture, and the callers that are rejected.

use crate::{
    backend::{Manner, PICTURE},
    form::{Form, png},
    people::Person,
    support::wait::until,
    world::{NOON, World},
};
use rembg_gateway::{
    domain::{account::Uid, time::UnixSeconds},
    store::AccountChange,
};

#[tokio::test]
async fn a_picture_comes_back_as_the_backend_sent_it_and_costs_one_credit() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, &reply.body[..]), (200, PICTURE));
    assert_eq!(reply.header("content-type"), Some("image/webp"));
    assert_eq!(reply.header("content-length"), Some(PICTURE.len().to_string().as_str()));
    assert_eq!(reply.header("set-cookie"), None, "the backend's other headers are its own affair");
    assert_eq!(ann.used().await, 1);
    world.audited("ann").await;
}

#[tokio::test]
async fn the_backend_gets_the_fields_as_judged_our_key_and_nothing_of_the_callers() {
    let world = World::with(|config| config.backend.api_key = Some("the-shared-key".to_owned().into())).await;
    let ann = world.customer("ann", 10).await;
    let key = ann.headers[0].1.clone();
    let ann = ann.with("cookie", "session=1").with("x-forwarded-for", "10.1.2.3");
    let form = Form::empty()
        .text("w", "0")
        .text("return_base64", "false")
        .image("a \"b\".png", &png(5, 5))
        .text("format", "PNG")
        .text("format", "bmp")
        .text("bg_color", "")
        .text("angle", " 90 ");
    assert_eq!(ann.cut(&form).await.status, 200);
    let seen = &world.backend.seen()[0];
    let head = seen.head.to_ascii_lowercase();
    assert!(head.starts_with("post /rmbg http/1.1\r\n"), "{head}");
    assert!(head.contains("x-api-key: the-shared-key\r\n"), "{head}");
    for secret in [key.as_str(), "cookie", "x-forwarded-for", "authorization"] {
        assert!(!head.contains(&secret.to_ascii_lowercase()), "{secret} was sent on: {head}");
    }
    let body = seen.text();
    let places: Vec<usize> =
        ["\"w\"\r\n\r\n0\r\n", "\"return_base64\"", "\"image\"", "\"format\"", "\"angle\"\r\n\r\n90\r\n"]
            .iter()
            .map(|name| body.find(name).unwrap_or_else(|| panic!("no {name} in {body}")))
            .collect();
    assert!(places.is_sorted(), "parts keep their order: {places:?}");
    assert!(!body.contains("bg_color"), "an empty value is none");
    assert!(body.contains("PNG\r\n") && !body.contains("bmp"), "the first of a repeated field counts");
    assert!(seen.body.windows(png(5, 5).len()).any(|window| window == png(5, 5)), "the file is untouched");
}

#[tokio::test]
async fn callers_without_a_good_key_are_rejected_before_the_backend_hears_of_them() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let key = ann.headers[0].1.clone();
    let both = ann.clone().with("authorization", "Bearer anything");
    let wrong = world.stranger().with("x-api-key", "7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de");
    let other = if key.ends_with('x') { 'y' } else { 'x' };
    let mistyped = world.stranger().with("x-api-key", &format!("{}{}", &key[..key.len() - 1], other));
    for (person, status, error) in [
        (both, 400, "This is a mistake: Cannot use both API key and user token"),
        (wrong, 401, "invalid api key"),
        (mistyped, 401, "invalid api key"),
        (world.stranger().with("x-api-key", ""), 401, "invalid api key"),
    ] {
        let reply = person.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.error().as_str()), (status, error));
    }
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
}

#[tokio::test]
async fn an_unverified_account_is_told_to_check_its_inbox() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let uid = Uid::new("ann").unwrap();
    let unverified = AccountChange { email_verified: Some(false), ..AccountChange::of(uid) };
    world.store.put_account(&unverified).await.unwrap();
    for reply in [ann.cut(&Form::with_picture()).await, ann.get("/api/membership-usage").await] {
        assert_eq!(reply.status, 403);
        assert_eq!(reply.error(), "Email address not verified \u{2013} please check your inbox");
    }
}

#[tokio::test]
async fn a_revoked_key_stops_within_a_second_and_an_expired_key_at_once() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    let uid = Uid::new("ann").unwrap();
    let key = world.store.keys(&uid).await.unwrap().remove(0).key;
    let until_then = world.key_but(&uid, |key| key.expires = Some(UnixSeconds(NOON + 60))).await;
    let until_then = Person::with_key(world.app.public, &until_then);
    world.turn_clock_by(59);
    assert_eq!(until_then.cut(&Form::with_picture()).await.status, 200, "its last second");
    world.turn_clock_by(1);
    assert_eq!(until_then.get("/api/membership-usage").await.status, 401, "its last second is over");
    assert!(world.store.revoke_key(&key.id).await.unwrap());
    until("the key is refused", async || ann.get("/api/membership-usage").await.status == 401).await;
    for refused in [ann, until_then] {
        let reply = refused.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid api key"));
        assert_eq!(refused.get("/api/membership-usage").await.status, 401);
    }
    assert_eq!(world.backend.seen().len(), 2);
}

#[tokio::test]
async fn the_backends_own_400_is_passed_on_and_costs_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let body = br#"{"error":"The backend knows better","status":400}"#.to_vec();
    world.backend.will(Manner::Answer { status: 400, content_type: "application/json", body: body.clone() });
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, &reply.body[..]), (400, &body[..]));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn connections_to_the_backend_are_reused() {
    let world = World::start().await;
    let ann = world.customer("ann", 100).await;
    for _ in 0..10 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    }
    assert_eq!(world.backend.connections(), 1);
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_json() {
    let world = World::start().await;
    let lost = world.stranger().get("/nowhere").await;
    assert_eq!((lost.status, lost.error().as_str()), (404, "not found"));
    let wrong = world.stranger().get("/rmbg").await;
    assert_eq!((wrong.status, wrong.error().as_str()), (405, "method not allowed"));
    assert_eq!(wrong.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_sent_on_and_any_other_is_replaced() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let named = ann.clone().with("x-request-id", "order-4711").cut(&Form::with_picture()).await;
    assert_eq!(named.header("x-request-id"), Some("order-4711"));
    assert!(world.backend.seen()[0].head.contains("x-request-id: order-4711\r\n"));
    for (own, kept) in [("a b<script>", false), ("", false), (&"7".repeat(128), true), (&"7".repeat(129), false)] {
        let reply = ann.clone().with("x-request-id", own).get("/api/membership-usage").await;
        let id = reply.header("x-request-id").unwrap();
        assert_eq!((id == own, id.len()), (kept, if kept { 128 } else { 32 }), "{own:?}");
    }
}

#[tokio::test]
async fn operators_see_health_readiness_and_every_number() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    ann.cut(&Form::with_picture()).await;
    ann.cut(&Form::empty()).await;
    assert_eq!(world.operator().get("/healthz").await.status, 200);
    assert_eq!(world.stranger().get("/healthz").await.status, 200);
    let ready = world.operator().get("/readyz").await;
    assert_eq!((ready.status, ready.json()["ready"].as_bool()), (200, Some(true)));
    for (line, value) in [
        (r#"rgw_requests_total{caller="api",route="rmbg",status_class="2xx"}"#, 1.0),
        (r#"rgw_outcomes_total{outcome="invalid",route="rmbg"}"#, 1.0),
        (r#"rgw_pictures_total{caller="api",plan="Test",pool="included"}"#, 1.0),
        (r#"rgw_step_duration_seconds_count{step="send"}"#, 1.0),
        (r#"rgw_step_duration_seconds_count{step="form"}"#, 2.0),
        ("rgw_credits_held", 0.0),
        ("rgw_store_up", 1.0),
        (r#"rgw_body_budget_used_bytes{kind="memory"}"#, 0.0),
        (r#"rgw_body_budget_limit_bytes{kind="memory"}"#, f64::from(64 << 20)),
    ] {
        assert!((world.metric(line).await - value).abs() < 0.5, "{line} is {}", world.metric(line).await);
    }
}
