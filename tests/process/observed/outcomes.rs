//! Every outcome that a request can have, provoked once at least.

use super::scene::Scene;
use crate::support::{
    backend::Manner,
    form::{Form, png, png_header},
    people::{Person, Reply},
    rawsocket::Raw,
    wait::until,
};
use hyper::Method;
use serde_json::{Value, json};
use std::io::Cursor;

/// Outcomes that need more than a request come with the faults: no store, no backend, an account that is spent.
pub(super) async fn provoke_all(scene: &Scene) {
    let ann = scene.customer("anna", &["--burst", "60000/10000"]);
    callers(scene, &ann).await;
    forms(&ann).await;
    limits(scene).await;
    backends(scene, &ann).await;
    stripe(scene).await;
    others(scene, &ann).await;
}

/// Every outcome that there is a series for has happened.
pub(super) async fn all_were_counted(scene: &Scene) {
    let query = "count by (outcome) (max_over_time(rgw_outcomes_total[1h]) > 0)";
    let missing = format!("count by (outcome) (rgw_outcomes_total) unless on (outcome) {query}");
    assert_eq!(scene.prometheus.labels(&missing, "outcome").await, Vec::<String>::new(), "never happened");
}

/// Who is calling, and with what.
async fn callers(scene: &Scene, ann: &Person) {
    let form = Form::with_picture();
    let stranger = scene.stranger();
    expect(&stranger.clone().with("x-api-key", "nobody's").cut(&form).await, 401, "invalid_key");
    expect(&stranger.clone().with("authorization", "Bearer a.b.c").cut(&form).await, 401, "invalid_token");
    expect(&ann.clone().with("authorization", "Bearer a.b.c").cut(&form).await, 400, "key_and_token");
    let unverified = scene.customer("eve", &["--email-verified", "false"]);
    expect(&unverified.cut(&form).await, 403, "email_not_verified");
}

async fn forms(ann: &Person) {
    expect(&ann.cut(&Form::with_picture().text("w", "wide").text("angle", "500")).await, 400, "invalid");
    let mut broken = Form::with_picture().body();
    broken.truncate(broken.len() - 10);
    expect(&ann.post("/rmbg", &Form::content_type(), broken).await, 400, "malformed_form");
    expect(&ann.cut(&Form::empty().image("a.png", &png_header(3_000, 2_000))).await, 413, "too_many_pixels");
    let mut long = png(4, 4);
    long.resize(4 << 20, 0);
    expect(&ann.cut(&Form::empty().image("a.png", &long)).await, 503, "no_room");
    let (head, _) = post(ann, 200 << 20, b"").await.answer().await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
}

async fn limits(scene: &Scene) {
    let form = Form::with_picture();
    let spent = scene.customer("frank", &["--credits", "0"]);
    expect(&spent.cut(&form).await, 429, "monthly_limit");
    let slow = scene.customer("grace", &["--burst", "1/1"]);
    assert_eq!(slow.cut(&form).await.status, 200);
    expect(&slow.cut(&form).await, 429, "too_fast");
    let stranger = scene.stranger();
    let mut pictures = 0;
    while stranger.cut(&form).await.status != 429 {
        pictures += 1;
        assert!(pictures < 1_000, "the daily limit never ends it");
    }
    expect(&stranger.cut(&form).await, 429, "daily_limit");
}

/// What a backend can do to a picture. Both services do the same, or the other one would be asked.
async fn backends(scene: &Scene, ann: &Person) {
    let noted = |note: &str| Form::with_picture().text("note", note);
    let words = "Invalid color format '#12345'. Use hex format: #RGB, #RGBA, #RRGGBB, or #RRGGBBAA";
    scene.backends_will(&Manner::Where(vec![
        ("not-liked", Manner::refuses(400, words, "")),
        ("no-picture", Manner::says(200, "content-type: text/html\r\n", "<h1>not a picture</h1>")),
        ("too-slow", Manner::Hang),
    ]));
    assert_eq!(ann.cut(&noted("not-liked")).await.status, 400);
    expect(&ann.cut(&noted("no-picture")).await, 502, "backend_failed");
    expect(&ann.cut(&noted("too-slow")).await, 504, "timed_out");
    let large = image::RgbaImage::from_pixel(400, 400, image::Rgba([9, 90, 200, 255]));
    let mut file = Cursor::new(Vec::new());
    large.write_to(&mut file, image::ImageFormat::WebP).unwrap();
    let cut = file.into_inner();
    scene.backends_will(&Manner::Answer { status: 200, content_type: "image/webp", body: cut });
    let head = "Content-Disposition: form-data; name=\"image_file\"; filename=\"cat.png\"\r\n\r\n";
    let order = Form::empty().part(head, &png(400, 400)).text("format", "jpg");
    let reply = ann.post("/v1.0/removebg", &Form::content_type(), order.body()).await;
    expect(&reply, 413, "answer_too_large");
    scene.backends_will(&Manner::picture());
}

async fn stripe(scene: &Scene) {
    let session = |id: &str, uid: &str| {
        json!({
            "id": id, "object": "checkout.session", "mode": "payment", "payment_status": "paid",
            "customer": format!("cus_{uid}"), "client_reference_id": uid, "payment_intent": format!("pi_{id}"),
            "metadata": {"credits": "100"},
        })
    };
    let paid = "checkout.session.completed";
    assert_eq!(scene.stripe_sends("evt_1", paid, &session("cs_1", "prepaid")).await, 200);
    assert_eq!(scene.stripe_sends("evt_1", paid, &session("cs_1", "prepaid")).await, 200);
    // Nothing says whose this is, so it waits.
    let mut of_nobody = session("cs_2", "nobody");
    of_nobody["client_reference_id"].take();
    assert_eq!(scene.stripe_sends("evt_2", paid, &of_nobody).await, 200);
    until("one event is parked", async || scene.prometheus.value("rgw_stripe_events_parked").await == Some(1.0)).await;
    assert_eq!(
        scene.stripe_sends("evt_3", "product.created", &json!({"id": "prod_1", "object": "product"})).await,
        200
    );
    assert_eq!(scene.delivered("{}", "whsec_of_these_tests").await, 400);
    assert_eq!(scene.delivered("{}", "whsec_of_others").await, 400);
}

async fn others(scene: &Scene, ann: &Person) {
    let stranger = scene.stranger();
    expect(&stranger.get("/nothing/here").await, 404, "not_found");
    expect(&stranger.ask(Method::DELETE, "/rmbg", &[], Vec::new()).await, 405, "method_not_allowed");
    assert_eq!(stranger.get("/api/openapi").await.status, 500, "the panic");
    assert_eq!(stranger.get("/api/openapi").await.status, 200);
    assert_eq!(ann.get("/v1.0/account").await.status, 200);
    let body = Form::with_picture().text("note", "nobody-waits-for-this").body();
    scene.backends_will(&Manner::Where(vec![("nobody-waits-for-this", Manner::Hang)]));
    let raw = post(ann, body.len(), &body).await;
    scene.a_backend_has("nobody-waits-for-this").await;
    drop(raw);
    scene.backends_will(&Manner::picture());
}

/// A form of this length, of which only the beginning is sent.
async fn post(person: &Person, length: usize, beginning: &[u8]) -> Raw {
    let mut raw = Raw::connect(person.base).await;
    raw.send(&format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\r\n",
        person.headers[0].1,
        Form::content_type()
    ))
    .await;
    raw.send_bytes(beginning).await;
    raw
}

#[track_caller]
fn expect(reply: &Reply, status: u16, code: &str) {
    let told: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let told = told["code"].as_str().or(told["errors"][0]["code"].as_str());
    assert_eq!((reply.status, told), (status, Some(code)), "{reply:?}");
}
