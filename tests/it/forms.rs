//! Forms are judged before a credit is spent: the contract's words, nothing charged, nothing sent.

use crate::{
    form::{Form, png, png_header},
    people::{Person, Reply},
    world::World,
};
use serde_json::json;

async fn refused(world: &World, person: &Person, form: &Form) -> Reply {
    let reply = person.cut(form).await;
    assert!(world.backend.seen().is_empty(), "the backend saw a bad form");
    assert_eq!(person.used().await, 0, "a bad form was charged");
    reply
}

#[tokio::test]
async fn every_single_complaint_has_its_documented_words() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let picture = Form::with_picture;
    for (form, error) in [
        (Form::empty().text("w", "5"), "No image file provided. Please include an 'image' field in your form data."),
        (Form::empty().image("", &png(1, 1)), "No file selected. Please choose an image file to upload."),
        (
            Form::empty().image("a.exe", &png(1, 1)),
            "File type '.exe' is not supported. Allowed formats: webp, bmp, png, jpg, jpeg",
        ),
        (
            Form::empty().image("a.png", b"no picture"),
            "File does not appear to be a valid image (invalid file signature)",
        ),
        (Form::empty().image("a.png", b""), "Uploaded file is empty (0 bytes)."),
        (
            Form::empty().image("a.png", &png_header(12_000, 10)),
            "Image width (12000px) exceeds the maximum allowed width of 10000px.",
        ),
        (
            Form::empty().image("a.png", &png_header(10, 15_000)),
            "Image height (15000px) exceeds the maximum allowed height of 10000px.",
        ),
        (picture().text("w", "abc"), "'w' must be an integer, got: 'abc'"),
        (picture().text("w", "-5"), "'w' must be at least 1, got: -5"),
        (picture().text("h", "15000"), "'h' must be at most 10000, got: 15000"),
        (picture().text("angle", "ninety"), "'angle' must be a number, got: 'ninety'"),
        (picture().text("angle", "500"), "'angle' must be between -360 and 360 degrees, got: 500.0"),
        (picture().text("format", "gif"), "Invalid format 'gif'. Allowed formats: PNG, JPEG, WEBP, BMP"),
        (
            picture().text("bg_color", "#12345"),
            "Invalid color format '#12345'. Use hex format: #RGB, #RGBA, #RRGGBB, or #RRGGBBAA",
        ),
        (
            picture().text("mask", "true").text("bg_color", "red"),
            "Cannot use 'mask=true' together with 'bg_color'. Choose one or the other.",
        ),
        (picture().text("mask", "maybe"), "'mask' must be true or false, got: 'maybe'"),
    ] {
        let reply = refused(&world, &ann, &form).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, error));
        assert_eq!(reply.json().get("details"), None, "a single complaint is the plain form");
    }
    world.nothing_held().await;
}

#[tokio::test]
async fn all_complaints_of_one_form_come_at_once_and_in_order() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let form = Form::with_picture().text("angle", "500").text("w", "abc");
    let reply = refused(&world, &ann, &form).await;
    let mut json = reply.json();
    assert_eq!(json["code"], "invalid");
    for extra in ["code", "request_id"] {
        json.as_object_mut().unwrap().remove(extra).expect(extra);
    }
    assert_eq!(
        json,
        json!({"error": "Multiple validation errors",
               "details": [{"field": "w", "message": "'w' must be an integer, got: 'abc'"},
                           {"field": "angle", "message": "'angle' must be between -360 and 360 degrees, got: 500.0"}],
               "status": 400})
    );
}

#[tokio::test]
async fn a_file_above_50_mb_is_counted_to_its_end_and_named() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let mut file = png(4, 4);
    file.resize(57_881_395, 0);
    let reply = refused(&world, &ann, &Form::empty().image("a.png", &file)).await;
    assert_eq!(reply.error(), "File size (55.2 MB) exceeds the maximum allowed size of 50 MB.");
    assert!(world.metric(r#"rgw_body_budget_used_bytes{kind="disk"}"#).await < 1.0);
}

#[tokio::test]
async fn bodies_that_are_no_forms_say_so() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let no_image = "No image file provided. Please include an 'image' field in your form data.";
    let json = ann.post("/rmbg", "application/json", b"{}".to_vec()).await;
    assert_eq!((json.status, json.error().as_str()), (400, no_image));
    let mut cut_short = Form::with_picture().body();
    cut_short.truncate(cut_short.len() - 10);
    let broken = ann.post("/rmbg", &Form::content_type(), cut_short).await;
    assert_eq!((broken.status, broken.error().as_str()), (400, "Malformed multipart/form-data body"));
}

#[tokio::test]
async fn too_many_pixels_are_refused_where_a_limit_is_set() {
    let world = World::with(|config| config.backend.max_pixels = Some(1_000_000)).await;
    let ann = world.customer("ann", 10).await;
    let reply = refused(&world, &ann, &Form::empty().image("a.png", &png_header(2_000, 1_000))).await;
    assert_eq!(reply.status, 413);
    assert!(reply.error().contains("2000000 pixels"), "{}", reply.error());
    let blown_up = Form::with_picture().text("w", "5000");
    assert_eq!(refused(&world, &ann, &blown_up).await.status, 413, "the answer has a size too");
    assert_eq!(ann.cut(&Form::empty().image("a.png", &png_header(1_000, 1_000))).await.status, 200);
}
