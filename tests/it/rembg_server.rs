//! The documented API on top of a server that only cuts: `rembg s`.

use crate::{
    backend::{Manner, StubBackend},
    form::{Form, png},
    world::World,
};
use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageEncoder as _, ImageFormat, ImageReader, Luma, Rgba, RgbaImage,
    codecs::png::PngEncoder,
};
use rembg_gateway::config::{BackendKind, Bytes};
use std::{
    io::{Cursor, Write},
    sync::{Arc, Mutex, OnceLock},
};

/// The mask that the server makes of every picture of 40 × 30: the left half is opaque.
fn mask() -> Vec<u8> {
    file_of(GrayImage::from_fn(40, 30, |x, _| Luma([if x < 20 { 255 } else { 0 }])))
}

fn file_of(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.into().write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A mask of one shade.
fn shade(width: u32, height: u32, shade: u8) -> Vec<u8> {
    file_of(GrayImage::from_pixel(width, height, Luma([shade])))
}

async fn rembg_world() -> World {
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Rembg;
        config.backend.urls = vec![config.backend.urls[0].replace("/rmbg", "/api/remove")];
    })
    .await;
    world.backend.will(answers(200, "image/png", mask()));
    world
}

fn answers(status: u16, content_type: &'static str, body: Vec<u8>) -> Manner {
    Manner::Answer { status, content_type, body }
}

fn picture() -> Form {
    Form::empty().image("cat.png", &png(40, 30))
}

fn decoded(body: &[u8]) -> (ImageFormat, DynamicImage) {
    let reader = ImageReader::new(Cursor::new(body)).with_guessed_format().unwrap();
    (reader.format().unwrap(), reader.decode().unwrap())
}

#[tokio::test]
async fn the_server_is_sent_the_image_and_our_model_and_nothing_that_the_caller_chose() {
    let world = rembg_world().await;
    let ann = world.customer("ann", 10).await;
    let form = picture()
        .text("model", "sam")
        .text("extras", "{\"path\": \"/etc/passwd\"}")
        .text("om", "true")
        .text("bgc", "1,2,3,4")
        .text("return_base64", "false")
        .text("w", "20");
    assert_eq!(ann.cut(&form).await.status, 200);
    let seen = &world.backend.seen()[0];
    assert!(seen.head.starts_with("POST /api/remove HTTP/1.1\r\n"), "{}", seen.head);
    let body = seen.text();
    assert!(body.contains("name=\"model\"\r\n\r\nu2netp\r\n"), "{body}");
    assert!(body.contains("name=\"file\"; filename=\"image.png\"\r\n"), "{body}");
    assert!(body.contains("name=\"om\"\r\n\r\ntrue\r\n"), "the mask alone: {body}");
    assert_eq!(body.matches("Content-Disposition").count(), 3, "{body}");
    for chosen in ["sam", "passwd", "bgc", "return_base64", "\"w\"", "cat.png"] {
        assert!(!body.contains(chosen) && !seen.head.contains(chosen), "{chosen} was sent on");
    }
    assert!(seen.body.windows(png(40, 30).len()).any(|window| window == png(40, 30)), "the file is untouched");
}

#[tokio::test]
async fn everything_that_the_documentation_promises_is_done_with_the_servers_mask() {
    let world = rembg_world().await;
    let ann = world.customer("ann", 100).await;
    for (fields, format, size) in [
        (&[][..], ImageFormat::WebP, (40, 30)),
        (&[("format", "PNG")], ImageFormat::Png, (40, 30)),
        (&[("format", "jpeg"), ("w", "20")], ImageFormat::Jpeg, (20, 15)),
        (&[("format", "bmp"), ("h", "60")], ImageFormat::Bmp, (80, 60)),
        (&[("format", "png"), ("w", "50"), ("h", "50")], ImageFormat::Png, (50, 38)),
        (&[("format", "png"), ("w", "50"), ("h", "50"), ("exact_resize", "true")], ImageFormat::Png, (50, 50)),
        (&[("format", "png"), ("angle", "90")], ImageFormat::Png, (30, 40)),
        (&[("format", "png"), ("angle", "90"), ("expand", "false")], ImageFormat::Png, (40, 30)),
    ] {
        let form = fields.iter().fold(picture(), |form, (name, value)| form.text(name, value));
        let reply = ann.cut(&form).await;
        let (found, made) = decoded(&reply.body);
        assert_eq!((reply.status, found, (made.width(), made.height())), (200, format, size), "{fields:?}");
        assert_eq!(reply.header("content-type"), Some(format.to_mime_type()), "{fields:?}");
    }
}

#[tokio::test]
async fn colours_of_every_spelling_and_the_mask_are_ours_to_make() {
    let world = rembg_world().await;
    let ann = world.customer("ann", 100).await;
    for (name, value, left, right) in [
        ("bg_color", "#0f0", [200, 30, 30, 255], [0, 255, 0, 255]),
        ("bg_color", "#0000ff80", [200, 30, 30, 255], [0, 0, 255, 128]),
        ("bg_color", "rebeccapurple", [200, 30, 30, 255], [102, 51, 153, 255]),
        ("mask", "yes", [255, 255, 255, 255], [0, 0, 0, 255]),
    ] {
        let reply = ann.cut(&picture().text("format", "png").text(name, value)).await;
        let made = decoded(&reply.body).1.into_rgba8();
        assert_eq!((made.get_pixel(2, 15).0, made.get_pixel(37, 15).0), (left, right), "{name}={value}");
    }
}

#[tokio::test]
async fn a_500_is_the_callers_picture_if_it_cannot_be_read_and_the_servers_fault_if_it_can() {
    let world = rembg_world().await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(answers(500, "text/plain", b"Internal Server Error".to_vec()));
    let whole = png(40, 30);
    let torn = Form::empty().image("torn.png", &whole[..whole.len() - 20]);
    let refused = ann.cut(&torn).await;
    let corrupt = "File does not appear to be a valid image (invalid file signature)";
    assert_eq!((refused.status, refused.error().as_str()), (400, corrupt));
    for status in [500, 422, 404] {
        world.backend.will(answers(status, "text/plain", b"no".to_vec()));
        assert_eq!(ann.cut(&picture()).await.status, 502, "{status}");
    }
    world.backend.will(answers(200, "image/png", b"no picture at all".to_vec()));
    assert_eq!(ann.cut(&picture()).await.status, 502);
    world.backend.will(answers(200, "image/png", png(4_000, 3_000)));
    assert_eq!(ann.cut(&picture()).await.status, 502, "more pixels than were sent");
    world.backend.will(answers(200, "image/png", shade(30, 40, 255)));
    assert_eq!(ann.cut(&picture()).await.status, 502, "a mask that lies otherwise");
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_picture_of_too_many_pixels_is_refused_before_the_server_sees_it() {
    let world = rembg_world().await;
    let ann = world.customer("ann", 100).await;
    let form = Form::empty().image("huge.png", &crate::form::png_header(10_000, 10_000));
    assert_eq!(ann.cut(&form).await.status, 413);
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
}

#[tokio::test]
async fn a_picture_that_the_server_turned_upright_is_still_kept_to_the_limit_on_pixels() {
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Rembg;
        config.backend.max_pixels = Some(2_000);
    })
    .await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(answers(200, "image/png", shade(30, 40, 255)));
    let on_its_side = Form::empty().image("cat.png", &png_on_its_side());
    // 40 x 30 by its header; upright it is 30 x 40, and 40 x 53 once it is as wide as asked for.
    let refused = ann.cut(&on_its_side.clone().text("w", "40")).await;
    assert_eq!(refused.status, 413, "{}", refused.error());
    assert!(refused.error().contains("2120 pixels"), "{}", refused.error());
    assert_eq!(ann.used().await, 0);
    assert_eq!(ann.cut(&on_its_side.text("w", "30")).await.status, 200);
}

/// A picture of 40 x 30 pixels that EXIF turns upright.
fn png_on_its_side() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    // TIFF, big-endian, one tag: orientation, a quarter turn.
    encoder.set_exif_metadata(b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec()).unwrap();
    DynamicImage::from(RgbaImage::from_pixel(40, 30, Rgba([9, 9, 9, 255]))).write_with_encoder(encoder).unwrap();
    file
}

#[tokio::test]
async fn soft_edges_have_the_pictures_own_colour() {
    let world = rembg_world().await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(answers(200, "image/png", shade(40, 30, 100)));
    let soft = decoded(&ann.cut(&picture().text("format", "png")).await.body).1.into_rgba8();
    assert_eq!(soft.get_pixel(20, 15).0, [200, 30, 30, 100], "nothing is mixed with black");
    // A server that cannot send the mask alone sends the whole cut-out; only its opacity is used.
    let cut = RgbaImage::from_pixel(40, 30, Rgba([70, 10, 10, 100]));
    world.backend.will(answers(200, "image/png", file_of(cut)));
    let soft = decoded(&ann.cut(&picture().text("format", "png")).await.body).1.into_rgba8();
    assert_eq!(soft.get_pixel(20, 15).0, [200, 30, 30, 100]);
}

#[tokio::test]
async fn where_the_server_would_see_something_else_it_is_sent_what_we_see() {
    let world = rembg_world().await;
    let ann = world.customer("ann", 100).await;
    let deep_grey = ImageBuffer::<Luma<u16>, _>::from_fn(40, 30, |x, _| Luma([if x < 20 { 30_000 } else { 60_000 }]));
    let hiding = RgbaImage::from_fn(40, 30, |x, _| Rgba([200, 0, 200, if x < 20 { 0 } else { 255 }]));
    for (file, left, right) in
        [(file_of(deep_grey), [117, 117, 117], [233, 233, 233]), (file_of(hiding), [255, 255, 255], [200, 0, 200])]
    {
        assert_eq!(ann.cut(&Form::empty().image("a.png", &file)).await.status, 200);
        let body = world.backend.seen().last().unwrap().body.clone();
        let start = body.windows(4).position(|four| four == b"\x89PNG").unwrap();
        let seen = decoded(&body[start..]).1;
        assert_eq!(seen.color(), image::ColorType::Rgb8);
        let seen = seen.into_rgb8();
        assert_eq!((seen.get_pixel(2, 15).0, seen.get_pixel(37, 15).0), (left, right));
    }
}

#[tokio::test]
async fn a_bmp_that_is_known_to_be_too_long_is_refused_before_the_server_sees_anything() {
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Rembg;
        config.limits.max_answer = Bytes(4_921);
    })
    .await;
    world.backend.will(answers(200, "image/png", mask()));
    let ann = world.customer("ann", 100).await;
    let refused = ann.cut(&picture().text("format", "bmp")).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (413, Some("answer_too_large")));
    assert!(refused.error().contains("4922 bytes") && refused.error().contains("4921"), "{}", refused.error());
    assert_eq!((world.backend.seen().len(), ann.used().await), (0, 0));
    world.nothing_held().await;
    assert_eq!(ann.cut(&picture().text("format", "bmp").text("w", "39")).await.status, 200);
    assert_eq!(ann.cut(&picture().text("format", "png")).await.status, 200);
    assert_eq!(ann.used().await, 2);
}

/// The warnings in this process since the first call.
fn warned() -> String {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let format = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::WARN);
        format.with_writer(move || writer.clone()).init();
        log
    });
    String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned()
}

#[tokio::test]
async fn a_picture_of_which_nothing_is_left_is_told_to_the_operator_once() {
    warned();
    let world = rembg_world().await;
    let ann = world.customer("ann", 100).await;
    let varied = file_of(RgbaImage::from_fn(40, 30, |x, _| Rgba([200, if x < 20 { 30 } else { 90 }, 30, 255])));
    world.backend.will(answers(200, "image/png", shade(40, 30, 0)));
    for (file, lines) in [(varied, 1), (png(40, 30), 0)] {
        let reply = ann.cut(&Form::empty().image("secret-name.png", &file)).await;
        assert_eq!(reply.status, 200);
        let id = reply.header("x-request-id").unwrap();
        let told: Vec<String> = warned().lines().filter(|line| line.contains(id)).map(str::to_owned).collect();
        assert_eq!(told.len(), lines, "{told:?}");
        assert!(told.iter().all(|line| !line.contains("ann") && !line.contains("secret-name")), "{told:?}");
    }
}

#[tokio::test]
async fn the_server_is_asked_elsewhere_when_one_of_them_is_gone() {
    let second = StubBackend::start().await;
    second.will(answers(200, "image/png", mask()));
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Rembg;
        config.backend.urls.push(second.url());
    })
    .await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Close);
    let reply = ann.cut(&picture().text("format", "png")).await;
    assert_eq!((reply.status, second.seen().len()), (200, 1));
    assert_eq!(ann.used().await, 1);
}
