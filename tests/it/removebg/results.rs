//! What comes of each parameter, on each kind of backend.

use super::{cut, decoded, file_of, form, metered, picture, remove, with_rembg, world};
use crate::{backend::Manner, form::Form};
use image::{ImageFormat, Rgba, RgbaImage};

const RED: [u8; 4] = [200, 30, 30, 255];
const CLEAR: [u8; 4] = [0; 4];

#[tokio::test]
async fn a_picture_comes_back_with_everything_that_is_told_of_it_and_costs_one_credit() {
    for world in [world().await, metered().await, with_rembg().await] {
        let ann = world.customer("ann", 10).await;
        let reply = remove(&ann, &form(&picture(), &[("size", "auto")])).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let (format, made) = decoded(&reply.body);
        assert_eq!((format, made.dimensions()), (ImageFormat::Png, (40, 30)));
        assert_eq!((made.get_pixel(11, 6).0, made.get_pixel(2, 2).0), (RED, CLEAR));
        for (name, value) in [
            ("content-type", "image/png"),
            ("x-credits-charged", "1"),
            ("x-type", "other"),
            ("x-width", "40"),
            ("x-height", "30"),
            ("x-foreground-top", "5"),
            ("x-foreground-left", "10"),
            ("x-foreground-width", "20"),
            ("x-foreground-height", "10"),
            ("x-ratelimit-limit", "10000"),
            ("x-ratelimit-remaining", "9999"),
            ("x-ratelimit-reset", "1773576001"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
        assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
        assert_eq!(reply.header("x-ignored-parameters"), None);
        assert_eq!(ann.used().await, 1);
        world.audited("ann").await;
        world.nothing_held().await;
    }
}

#[tokio::test]
async fn a_backend_is_asked_for_the_cut_as_a_png_and_for_nothing_else() {
    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    let texts = [("size", "preview"), ("bg_color", "red"), ("crop", "true"), ("format", "jpg"), ("w", "7"), ("x", "y")];
    let reply = remove(&ann, &form(&picture(), &texts)).await;
    assert_eq!((reply.status, reply.header("x-ignored-parameters")), (200, Some("w, x")));
    let seen = &world.backend.seen()[0];
    let body = seen.text();
    assert!(body.contains("name=\"format\"\r\n\r\npng\r\n"), "{body}");
    assert!(body.contains("name=\"image\"; filename=\"image.png\""), "{body}");
    assert_eq!(body.matches("Content-Disposition").count(), 2, "{body}");
    assert!(seen.body.windows(picture().len()).any(|window| window == picture()), "the file is untouched");
    assert!(!seen.head.contains(&ann.headers[0].1), "nothing of the caller's is sent on");
}

/// Parameters, and the format, size and some pixels of what comes of them.
type Row = (&'static [(&'static str, &'static str)], ImageFormat, (u32, u32), &'static [((u32, u32), [u8; 4])]);

const ROWS: [Row; 17] = [
    (&[], ImageFormat::Png, (40, 30), &[((11, 6), RED), ((9, 6), CLEAR)]),
    (&[("format", "png")], ImageFormat::Png, (40, 30), &[((11, 6), RED)]),
    (&[("format", "webp")], ImageFormat::WebP, (40, 30), &[((2, 2), CLEAR)]),
    (&[("format", "jpg")], ImageFormat::Jpeg, (40, 30), &[((38, 28), [255; 4])]),
    (&[("channels", "alpha")], ImageFormat::Png, (40, 30), &[((11, 6), [255; 4]), ((2, 2), [0, 0, 0, 255])]),
    (
        &[("bg_color", "00ff00"), ("format", "png")],
        ImageFormat::Png,
        (40, 30),
        &[((2, 2), [0, 255, 0, 255]), ((11, 6), RED)],
    ),
    (&[("bg_color", "0000ff80")], ImageFormat::Png, (40, 30), &[((2, 2), [0, 0, 255, 128])]),
    (&[("bg_color", "white")], ImageFormat::Jpeg, (40, 30), &[((38, 28), [255; 4])]),
    (&[("crop", "true"), ("format", "png")], ImageFormat::Png, (20, 10), &[((0, 0), RED), ((19, 9), RED)]),
    (&[("crop", "true"), ("crop_margin", "5px")], ImageFormat::Png, (30, 20), &[((4, 4), CLEAR), ((5, 5), RED)]),
    (&[("crop", "true"), ("crop_margin", "10%")], ImageFormat::Png, (24, 12), &[((1, 0), CLEAR), ((2, 1), RED)]),
    (
        &[("crop", "true"), ("crop_margin", "1px 2px 3px 4px")],
        ImageFormat::Png,
        (26, 14),
        &[((3, 1), CLEAR), ((4, 1), RED), ((23, 10), RED), ((24, 10), CLEAR)],
    ),
    (&[("position", "center")], ImageFormat::Png, (40, 30), &[((10, 10), RED), ((10, 9), CLEAR), ((29, 19), RED)]),
    (&[("position", "100% 0%")], ImageFormat::Png, (40, 30), &[((20, 0), RED), ((19, 0), CLEAR), ((39, 9), RED)]),
    (&[("scale", "100%")], ImageFormat::Png, (40, 30), &[((10, 15), RED), ((30, 15), RED), ((20, 2), CLEAR)]),
    (&[("roi", "0px 0px 20px 30px")], ImageFormat::Png, (40, 30), &[((11, 6), RED), ((21, 6), CLEAR)]),
    (&[("roi", "50% 0% 100% 100%")], ImageFormat::Png, (40, 30), &[((18, 6), CLEAR), ((21, 6), RED)]),
];

#[tokio::test]
async fn each_parameter_is_seen_in_the_pixels_on_each_kind_of_backend() {
    for world in [metered().await, with_rembg().await] {
        let ann = world.customer("ann", 100).await;
        for (texts, format, size, pixels) in ROWS {
            let reply = remove(&ann, &form(&picture(), texts)).await;
            assert_eq!(reply.status, 200, "{texts:?}: {reply:?}");
            let (found, made) = decoded(&reply.body);
            assert_eq!((found, made.dimensions()), (format, size), "{texts:?}");
            let told: [u32; 2] = ["x-width", "x-height"].map(|name| reply.header(name).unwrap().parse().unwrap());
            assert_eq!(told, [size.0, size.1], "{texts:?}");
            for ((x, y), colour) in pixels {
                let near = made.get_pixel(*x, *y).0.iter().zip(colour).all(|(one, other)| one.abs_diff(*other) < 4);
                assert!(near, "{texts:?}: {:?} at {x}, {y}, not {colour:?}", made.get_pixel(*x, *y).0);
            }
        }
        assert_eq!(ann.used().await, ROWS.len() as u64);
    }
}

#[tokio::test]
async fn sizes_are_at_most_so_many_megapixels_and_never_larger_than_the_picture() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    let large = RgbaImage::from_pixel(1_000, 800, Rgba(RED));
    let sent = file_of(large.clone());
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: file_of(large) });
    for (size, made) in
        [("preview", (559, 447)), ("regular", (559, 447)), ("medium", (1_000, 800)), ("auto", (1_000, 800))]
    {
        let reply = remove(&ann, &form(&sent, &[("size", size)])).await;
        let (format, picture) = decoded(&reply.body);
        assert_eq!((format, picture.dimensions()), (ImageFormat::Jpeg, made), "{size}: nothing is transparent");
        let foreground =
            ["x-foreground-width", "x-foreground-height"].map(|name| reply.header(name).unwrap().to_owned());
        assert_eq!(foreground, ["1000", "800"], "in pixels of the input");
    }
}

#[tokio::test]
async fn a_background_picture_fills_the_canvas_and_is_judged_like_the_picture() {
    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    let behind =
        file_of(RgbaImage::from_fn(80, 30, |x, _| Rgba(if x < 40 { [0, 0, 255, 255] } else { [0, 255, 0, 255] })));
    let part = |file: &[u8]| {
        let head = "Content-Disposition: form-data; name=\"bg_image_file\"; filename=\"b\"\r\n\r\n";
        form(&picture(), &[("format", "png")]).part(head, file)
    };
    let reply = remove(&ann, &part(&behind)).await;
    let (_, made) = decoded(&reply.body);
    assert_eq!((made.dimensions(), made.get_pixel(11, 6).0), ((40, 30), RED));
    assert_eq!((made.get_pixel(1, 28).0, made.get_pixel(38, 28).0), ([0, 0, 255, 255], [0, 255, 0, 255]));
    let torn = remove(&ann, &part(&behind[..behind.len() - 30])).await;
    assert_eq!(torn.status, 400);
    let expected = r#"{"errors":[{"title":"There was an error reading the image.","detail":"It is the background image.","code":"failed_to_read_image"}]}"#;
    assert_eq!(std::str::from_utf8(&torn.body).unwrap(), expected);
    assert_eq!(world.backend.seen().len(), 1, "a metered backend is not asked for what cannot be finished");
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn a_zip_holds_colours_and_opacity() {
    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    let reply = remove(&ann, &form(&picture(), &[("format", "zip")])).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/zip")));
    let names: Vec<bool> = ["color.jpg", "alpha.png"]
        .iter()
        .map(|name| reply.body.windows(name.len()).any(|w| w == name.as_bytes()))
        .collect();
    assert_eq!((&reply.body[..2], names), (&b"PK"[..], vec![true, true]));
}

#[tokio::test]
async fn the_type_is_named_unless_its_level_is_none() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    for (texts, kind) in [
        (&[("type", "person"), ("type_level", "2")][..], Some("other")),
        (&[("type_level", "none"), ("type", "car")], None),
        (&[("add_shadow", "true"), ("shadow_type", "none"), ("semitransparency", "true")], Some("other")),
    ] {
        let reply = remove(&ann, &form(&picture(), texts)).await;
        assert_eq!((reply.status, reply.header("x-type")), (200, kind), "{texts:?}");
        assert_eq!(reply.header("x-ignored-parameters"), None);
    }
}

#[tokio::test]
async fn an_empty_cut_costs_nothing_unless_it_costs_us() {
    let empty = file_of(RgbaImage::new(40, 30));
    let manner = || Manner::Answer { status: 200, content_type: "image/png", body: empty.clone() };
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(manner());
    let refused = remove(&ann, &form(&picture(), &[])).await;
    let expected = r#"{"errors":[{"title":"Could not identify foreground in image.","code":"unknown_foreground"}]}"#;
    assert_eq!((refused.status, std::str::from_utf8(&refused.body).unwrap()), (400, expected));
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;

    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(manner());
    let reply = remove(&ann, &form(&picture(), &[("crop", "true")])).await;
    assert_eq!(
        (reply.status, reply.header("x-credits-charged"), reply.header("x-foreground-width")),
        (200, Some("1"), Some("0"))
    );
    let (_, made) = decoded(&reply.body);
    assert!(made.dimensions() == (40, 30) && made.pixels().all(|pixel| pixel.0[3] == 0));
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn a_cut_that_cannot_be_finished_is_the_backends_failure_and_costs_nothing() {
    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    let whole = cut();
    for body in [whole[..whole.len() - 20].to_vec(), file_of(RgbaImage::new(30, 40))] {
        world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body });
        let reply = remove(&ann, &form(&picture(), &[])).await;
        let expected = r#"{"errors":[{"title":"The background-removal service failed. You have not been charged.","code":"backend_failed"}]}"#;
        assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (502, expected));
    }
    world.backend.will(Manner::refuses(400, "The backend knows better", ""));
    let reply =
        remove(&ann, &Form::empty().part("Content-Disposition: form-data; name=\"image_file\"\r\n\r\n", &picture()))
            .await;
    let expected = r#"{"errors":[{"title":"There was an error reading the image.","code":"failed_to_read_image"}]}"#;
    assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (400, expected));
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_photograph_is_cut_and_finished_in_this_process_alone() {
    let world = super::world_with(|config| {
        config.backend.kind = rembg_gateway::config::BackendKind::Builtin;
        config.backend.urls = Vec::new();
    })
    .await;
    let ann = world.customer("ann", 10).await;
    let photograph = std::fs::read("deploy/sample/mug.jpg").unwrap();
    let texts =
        [("size", "auto"), ("crop", "true"), ("crop_margin", "20px"), ("bg_color", "81d4fa"), ("format", "png")];
    let reply = remove(&ann, &form(&photograph, &texts)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let (_, made) = decoded(&reply.body);
    let foreground: Vec<u32> = ["width", "height"]
        .iter()
        .map(|side| reply.header(&format!("x-foreground-{side}")).unwrap().parse().unwrap())
        .collect();
    assert_eq!(made.dimensions(), (foreground[0] + 40, foreground[1] + 40), "the subject and its margins");
    assert_eq!(made.get_pixel(1, 1).0, [0x81, 0xd4, 0xfa, 255]);
    assert_eq!(ann.used().await, 1);
}
