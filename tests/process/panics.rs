//! A mistake of the gateway's own fails the request that meets it, and nothing else.

use crate::{
    backend::Manner,
    form::{Form, png},
    gateway::{Installation, Serving},
    people::{Person, Reply},
};
use rembg_gateway::failpoint::Point;
use serde_json::Value;
use std::time::Duration;

/// A gateway that panics once, at this point.
fn mistaken(here: &Installation, point: Point, environment: &[(&str, &str)]) -> Serving {
    here.serve_with(&[&[("REMBG_GATEWAY_TEST_PANIC_AT", point.name())], environment].concat())
}

/// Waits until no credit is set aside any more.
async fn nothing_held(serving: &Serving) {
    let released = async { while serving.metric("rgw_credits_held").await > 0.5 {} };
    tokio::time::timeout(Duration::from_secs(20), released).await.expect("a hold was left behind");
}

async fn panics(serving: &Serving) -> usize {
    let total = serving.metric("rgw_panics_total").await;
    (0..9).find(|number| (f64::from(*number) - total).abs() < 0.5).and_then(|number| number.try_into().ok()).unwrap()
}

async fn cut_as(person: &Person, id: &str, form: &Form) -> Reply {
    person.clone().with("x-request-id", id).cut(form).await
}

fn assert_internal_error(reply: &Reply, id: &str) {
    let json = serde_json::json!({
        "error": "Internal error.", "status": 500, "code": "internal_error", "request_id": id
    });
    assert_eq!((reply.status, reply.json()), (500, json), "{reply:?}");
    assert_eq!(reply.header("x-request-id"), Some(id));
}

/// The log says which request it was and where, and nothing that the panic said.
async fn assert_told(serving: &Serving, id: &str, source: &str) {
    let errors = || {
        let lines = serving.said();
        assert!(lines.iter().all(|line| !line.contains("secret")), "{lines:?}");
        let errors = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        errors
            .filter(|line| line["level"] == "ERROR" && line["request_id"] == id && line["at"].is_string())
            .collect::<Vec<_>>()
    };
    let told = async {
        while errors().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("nothing was logged");
    let errors = errors();
    assert!(errors[0]["at"].as_str().unwrap().starts_with(source), "{errors:?}");
}

#[tokio::test]
async fn a_panic_fails_its_own_request_which_costs_nothing_and_is_told_and_counted() {
    let here = Installation::new().await;
    let key = here.customer("ann", 100);
    let mut counted = 0;
    for point in [
        Point::BeforeHold,
        Point::AfterHold,
        Point::AfterForm,
        Point::BeforeSend,
        Point::InExchange,
        Point::AfterAnswer,
        Point::BeforeKeep,
    ] {
        let serving = mistaken(&here, point, &[]);
        assert_eq!(panics(&serving).await, 0, "there from the start");
        let ann = serving.person(&key);
        let reply = cut_as(&ann, point.name(), &Form::with_picture()).await;
        assert_internal_error(&reply, point.name());
        assert_eq!(reply.header("ratelimit").is_some(), point != Point::BeforeHold, "{point:?}");
        nothing_held(&serving).await;
        assert_eq!(ann.used().await, counted, "{point:?}");
        assert_eq!(cut_as(&ann, "next", &Form::with_picture()).await.status, 200, "{point:?}");
        counted += 1;
        assert_eq!((ann.used().await, panics(&serving).await), (counted, 1), "{point:?}");
        assert_told(&serving, point.name(), "src/failpoint.rs:").await;
    }
    here.json(&["audit", "ann"]);
}

#[tokio::test]
async fn others_are_served_meanwhile() {
    let here = Installation::new().await;
    let (ann, bob) = (here.customer("ann", 9), here.customer("bob", 9));
    let serving = here.serve_with(&[("REMBG_GATEWAY_TEST_PANIC_AT", "after_form:2")]);
    here.backend.will(Manner::Wait);
    let bob = serving.person(&bob);
    let waiting = tokio::spawn({
        let bob = bob.clone();
        async move { bob.cut(&Form::with_picture()).await.status }
    });
    here.backend.has_seen(1).await;
    let failed = cut_as(&serving.person(&ann), "ann's", &Form::with_picture()).await;
    assert_eq!(failed.status, 500);
    here.backend.let_one_go();
    assert_eq!((waiting.await.unwrap(), bob.used().await), (200, 1));
    assert_eq!((serving.person(&ann).used().await, panics(&serving).await), (0, 1));
    nothing_held(&serving).await;
}

#[tokio::test]
async fn a_panic_of_picture_work_fails_its_own_picture() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = mistaken(&here, Point::InWork, &[("REMBG_GATEWAY__BACKEND__KIND", "rembg")]);
    here.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: png(4, 3) });
    let ann = serving.person(&key);
    assert_internal_error(&cut_as(&ann, "first", &Form::with_picture()).await, "first");
    nothing_held(&serving).await;
    assert_eq!((ann.used().await, panics(&serving).await), (0, 1));
    assert_told(&serving, "first", "src/failpoint.rs:").await;
    let next = ann.cut(&Form::with_picture()).await;
    assert_eq!((next.status, ann.used().await), (200, 1), "{next:?}");
}

#[tokio::test]
async fn a_panic_in_the_store_leaves_no_half_of_a_step_and_the_store_goes_on() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = mistaken(&here, Point::InStore, &[]);
    let ann = serving.person(&key);
    for pictures in 1..=2 {
        // The first keep is made again under its id.
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
        assert_eq!((ann.used().await, panics(&serving).await), (pictures, 1));
    }
    nothing_held(&serving).await;
    here.json(&["audit", "ann"]);
}

#[tokio::test]
async fn a_panic_while_a_credit_is_given_back_gives_it_back_all_the_same() {
    let here = Installation::new().await;
    let key = here.customer("ann", 1);
    let serving = mistaken(&here, Point::InRelease, &[]);
    let ann = serving.person(&key);
    assert_internal_error(&cut_as(&ann, "first", &Form::empty()).await, "first");
    nothing_held(&serving).await;
    assert_eq!((ann.used().await, panics(&serving).await), (0, 1));
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "the only credit is free again");
}

#[tokio::test]
async fn a_picture_that_was_counted_before_the_panic_stays_counted_once() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = mistaken(&here, Point::AfterKeep, &[]);
    let ann = serving.person(&key);
    assert_internal_error(&cut_as(&ann, "first", &Form::with_picture()).await, "first");
    nothing_held(&serving).await;
    assert_eq!((ann.used().await, panics(&serving).await), (1, 1));
    here.json(&["audit", "ann"]);
}

#[tokio::test]
async fn a_panic_counts_as_the_route_that_it_happened_in() {
    let here = Installation::new().await;
    let serving = mistaken(&here, Point::InPage, &[]);
    let browser = Person::stranger(serving.public);
    let failed = browser.clone().with("x-request-id", "first").get("/api/openapi").await;
    assert_internal_error(&failed, "first");
    assert_told(&serving, "first", "src/failpoint.rs:").await;
    let line = r#"rgw_outcomes_total{outcome="panic",route="pages"}"#;
    assert!((serving.metric(line).await - 1.0).abs() < 0.5);
    assert_eq!(browser.get("/api/openapi").await.status, 200);
}
