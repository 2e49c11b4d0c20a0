//! Forms are judged before a credit is spent: the contract's words, nothing charged, nothing sent.

use crate::{
    backend::Received,
    form::{Form, png, png_header},
    people::{Person, Reply},
    world::World,
};
use rembg_gateway::config::Bytes;
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

/// A part as multer reads it: name, file name, content type, value.
type Part = (String, Option<String>, Option<String>, Vec<u8>);

/// Reads what the backend got with another parser.
async fn parts_of(seen: &Received) -> Vec<Part> {
    let content_type = seen.head.lines().find_map(|line| line.strip_prefix("content-type: ")).expect("a type");
    let boundary = multer::parse_boundary(content_type).unwrap();
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>(seen.body.clone())]);
    let mut multipart = multer::Multipart::new(body, boundary);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.unwrap() {
        let (name, filename) = (field.name().unwrap().to_owned(), field.file_name().map(str::to_owned));
        let content_type = field.content_type().map(ToString::to_string);
        parts.push((name, filename, content_type, field.bytes().await.unwrap().to_vec()));
    }
    parts
}

fn text(name: &str, value: &str) -> Part {
    (name.into(), None, None, value.into())
}

fn picture(filename: &str, bytes: &[u8]) -> Part {
    ("image".into(), Some(filename.into()), Some("image/png".into()), bytes.into())
}

/// A part with this disposition.
fn written(form: Form, disposition: &str, value: &[u8]) -> Form {
    form.part(&format!("Content-Disposition: form-data; {disposition}\r\n\r\n"), value)
}

#[tokio::test]
async fn what_is_smuggled_past_the_check_reaches_nobody_and_costs_nothing() {
    let world = World::with(|config| config.backend.max_pixels = Some(1_000_000)).await;
    let ann = world.customer("ann", 10).await;
    let huge = png_header(9_000, 9_000);
    for form in [
        Form::with_picture().text("w\u{85}", "99999"),
        Form::with_picture().text("mask\u{85}", "true").text("bg_color", "red"),
        Form::with_picture().text("angle\u{9f}", "1e9"),
        Form::with_picture().text("angle\u{2028}", "1e9"),
        written(Form::with_picture(), "name=\"image\u{85}\"; filename=\"b.png\"", &huge),
        written(Form::empty(), "name=\"image\u{85}\"; filename=\"b.png\"", &huge).image("cat.png", &png(4, 3)),
        written(Form::with_picture(), "name=\"=?UTF-8?Q?w=C2=85?=\"", b"99999"),
        written(Form::with_picture(), "name=\"other\"; filename*=UTF-8''b%C2%85.png", b"x"),
        Form::empty().image("cat\u{85}.png", &png(4, 3)),
        written(Form::with_picture(), "filename=\"w\"", b"5"),
        written(Form::with_picture(), "name*=UTF-8''w", b"5"),
        (0..1_000).fold(Form::with_picture(), |form, at| form.text(&format!("n{at}"), "x")),
    ] {
        let reply = refused(&world, &ann, &form).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, "Malformed multipart/form-data body"), "{form:?}");
    }
    for (form, error) in [
        (
            written(Form::with_picture(), "name=\"=?UTF-8?Q?angle?=\"", b"1e9"),
            "'angle' must be between -360 and 360 degrees, got: 1000000000.0",
        ),
        (written(Form::with_picture(), "name=w; filename=\"w.txt\"", b"abc"), "'w' must be an integer, got: 'abc'"),
        (
            Form::empty().image("x.exe.", &png(4, 3)),
            "File type '.exe' is not supported. Allowed formats: webp, bmp, png, jpg, jpeg",
        ),
    ] {
        assert_eq!(refused(&world, &ann, &form).await.error(), error);
    }
    world.nothing_held().await;
    world.audited("ann").await;
}

#[tokio::test]
async fn the_backend_gets_the_judged_fields_the_judged_image_and_harmless_texts() {
    let world = World::start().await;
    let ann = world.customer("ann", 100).await;
    let (cat, huge) = (png(4, 3), png_header(9_000, 9_000));
    let mut form = written(Form::empty(), "name=\"w\"; filename=\"w.txt\"\r\nContent-Type: text/plain", b" 5 ");
    form = form.text("h", "0").text("mask", "").text("return_base64", " as it is ");
    for name in [" image", "image[]", "Image", "i.m.a.g.e"] {
        form = written(form, &format!("name=\"{name}\"; filename=\"b.png\""), &huge).text(name, "x");
    }
    form = form.image("say %22cheese%22.png", &cat).image("b.png", &huge).text("image", "x").text("w", "9");
    for name in ["W", "w ", "angle[]", "ANGLE", "bg-color", "exactResize", "f\u{f6}rmat", ""] {
        form = form.text(name, "1e9");
    }
    form = form.text("expand", "No\n").text("return_base64", "again");
    assert_eq!(ann.cut(&form).await.status, 200);
    let parts = parts_of(&world.backend.seen()[0]).await;
    let mut expected = vec![text("w", "5"), text("h", "0"), text("return_base64", " as it is ")];
    expected.extend([picture("say %22cheese%22.png", &cat), text("expand", "No"), text("return_base64", "again")]);
    assert_eq!(parts, expected);
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn forms_of_clients_that_write_them_otherwise_are_served() {
    let world = World::start().await;
    let ann = world.customer("ann", 100).await;
    let cat = png(4, 3);
    let image = |rest: &str| written(Form::empty(), &format!("name=\"image\"{rest}"), &cat);
    let many = |form| (0..900).fold(form, |form: Form, at| form.text(&format!("n{at}"), "x"));
    for (form, name) in [
        (image("; filename=\"=?UTF-8?Q?photo.png?=\"; filename*=UTF-8''photo.png"), "photo.png"),
        (image("; filename*=utf-8''m%C3%A8o.png"), "m\u{e8}o.png"),
        (image("; \r\n\tfilename=\"photo.png\""), "photo.png"),
        (image("; filename=\"a%22b%0D%0A.png\""), "a%22b%0D%0A.png"),
        (image("; filename=\"C:\\a\\cat.png\""), "C:%5Ca%5Ccat.png"),
        (many(image("; filename=\"cat.png\"")), "cat.png"),
        (image("; filename=\"blob\""), "blob"),
        (image("; filename=\"cat.png.\""), "cat.png."),
    ] {
        assert_eq!(ann.cut(&form).await.status, 200, "{name}");
        let parts = parts_of(&world.backend.seen().pop().unwrap()).await;
        assert_eq!(parts[0], picture(name, &cat));
        assert!(parts.len() == 1 || parts.len() == 129, "the first 128 unknown texts");
    }
}

#[tokio::test]
async fn a_jpeg_of_two_frames_is_corrupt_and_what_follows_its_end_is_not_looked_at() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let encoded = |width, height| {
        let mut file = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(width, height).write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
        file.into_inner()
    };
    let (small, large) = (encoded(8, 8), encoded(9_000, 16));
    let without_end = &small[..small.len() - 2];
    let two_frames = [without_end, &large[2..]].concat();
    let reply = refused(&world, &ann, &Form::empty().image("a.jpg", &two_frames)).await;
    assert_eq!(reply.error(), "File does not appear to be a valid image (invalid file signature)");
    let two_pictures = [&small[..], &large].concat();
    assert_eq!(ann.cut(&Form::empty().image("a.jpg", &two_pictures)).await.status, 200);
    let (_, _, content_type, sent) = parts_of(&world.backend.seen()[0]).await.remove(0);
    assert_eq!((content_type.as_deref(), sent), (Some("image/jpeg"), two_pictures));
}

#[tokio::test]
async fn how_long_a_services_bmp_will_be_is_not_ours_to_say() {
    let world = World::with(|config| config.limits.max_answer = Bytes(100)).await;
    let ann = world.customer("ann", 10).await;
    let form = Form::empty().image("a.png", &png_header(10_000, 10_000)).text("format", "bmp");
    assert_eq!(ann.cut(&form).await.status, 200);
}
