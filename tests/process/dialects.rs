//! The APIs of others when this program dies or panics while a picture is finished, and what its log shows of them.

use crate::{
    backend::Manner,
    form::{Form, png},
    gateway::{Installation, Serving},
    people::{Person, Reply},
    support::wait::until,
};
use rembg_gateway::{domain::removebg::NAMES, failpoint::Point};

async fn remove(person: &Person) -> Reply {
    let head = "Content-Disposition: form-data; name=\"image_file\"; filename=\"cat.png\"\r\n\r\n";
    let form = Form::empty().part(head, &png(4, 3)).text("format", "png");
    person.post("/v1.0/removebg", &Form::content_type(), form.body()).await
}

fn answers_with_a_png(here: &Installation) {
    here.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: png(4, 3) });
}

#[tokio::test]
async fn who_is_cut_off_while_a_picture_is_finished_is_not_charged() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    answers_with_a_png(&here);
    for point in [Point::AfterForm, Point::AfterAnswer, Point::InWork, Point::BeforeKeep] {
        let serving = here.serve_with(&[("REMBG_GATEWAY_TEST_DIE_AT", point.name())]);
        let person = serving.person(&key);
        let asking = tokio::spawn(async move { remove(&person).await });
        assert!(asking.await.is_err(), "{point:?}: it was answered");
        serving.kill();
        assert_eq!(here.json(&["usage", "ann"])["api"], 0, "{point:?}");
    }
    let serving = here.serve();
    let reply = remove(&serving.person(&key)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(here.json(&["usage", "ann"])["api"], 1);
    here.json(&["audit", "ann"]);
}

#[tokio::test]
async fn a_panic_while_a_picture_is_finished_is_told_in_the_apis_form_and_costs_nothing() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    answers_with_a_png(&here);
    let expected = r#"{"errors":[{"title":"Internal error.","code":"internal_error"}]}"#;
    for point in [Point::BeforeHold, Point::AfterForm, Point::InWork, Point::BeforeKeep] {
        let serving = here.serve_with(&[("REMBG_GATEWAY_TEST_PANIC_AT", point.name())]);
        let ann = serving.person(&key);
        let reply = remove(&ann).await;
        assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (500, expected), "{point:?}");
        assert_eq!(here.json(&["usage", "ann"])["api"], 0, "{point:?}");
    }
}

#[tokio::test]
async fn no_query_string_is_in_the_log_or_in_an_error() {
    let here = Installation::new().await;
    here.customer("ann", 9);
    let serving: Serving = here.serve_with(&[
        ("REMBG_GATEWAY__LOG__LEVEL", "trace"),
        ("REMBG_GATEWAY__DIALECTS__REMBG__KEY_IN_QUERY", "true"),
        ("REMBG_GATEWAY__DIALECTS__URL__ENABLED", "true"),
    ]);
    let stranger = Person::stranger(serving.public);
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n\r\n";
    let body = Form::empty().part(head, &png(4, 3)).body();
    let asked = "key=hush-hush-hush-hush&om=hush&bgc=hush&model=hush&hush=1";
    for path in ["/api/remove", "/v1.0/removebg", "/v1.0/account", "/rmbg", "/nowhere"] {
        let reply = stranger.post(&format!("{path}?{asked}"), &Form::content_type(), body.clone()).await;
        assert!(!String::from_utf8_lossy(&reply.body).contains("hush"), "{path}: {reply:?}");
    }
    let reply = stranger.get(&format!("/api/remove?url=http%3A%2F%2F127.0.0.1%3A1%2Fhush%3Fhush&{asked}")).await;
    assert!(!String::from_utf8_lossy(&reply.body).contains("hush"), "{reply:?}");
    until("all six are logged", async || serving.log.count("\"message\":\"request\"") == 6).await;
    let lines = serving.said();
    assert!(lines.iter().all(|line| !line.contains("hush")), "{lines:?}");
}

#[test]
fn the_guide_says_of_every_parameter_what_is_the_same() {
    let guide = std::fs::read_to_string("docs/removebg.md").unwrap();
    for name in NAMES.into_iter().chain(["image_file", "image_file_b64", "bg_image_file"]) {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
}
