//! Each parameter, each of its faults, and the same order in each of three encodings.

use super::*;
use crate::domain::{
    composition::{Background, Channels, Encoding, Length, Margins, Percent, Position, Region},
    form::{MAX_IMAGE, Rgba},
    image_header::ImageKind,
    order_fault::{FileRole, OrderFault},
};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

/// The first bytes of a PNG of this size: enough for every check.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    file.extend_from_slice(&width.to_be_bytes());
    file.extend_from_slice(&height.to_be_bytes());
    file.extend_from_slice(&[8, 6, 0, 0, 0, 0, 0, 0, 0]);
    file
}

fn base64(bytes: &[u8]) -> String {
    let mut encoder = crate::domain::base64::Encoder::default();
    let text = [encoder.push(bytes), encoder.finish()].concat();
    String::from_utf8(text).unwrap()
}

type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

fn multipart(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, filename, value) in parts {
        let filename = filename.map_or_else(String::new, |filename| format!("; filename=\"{filename}\""));
        body.extend_from_slice(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

const MULTIPART: &str = "multipart/form-data; boundary=b";
const URLENCODED: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What is read of a body in pieces of this length; the bytes of each file.
fn read(content_type: &str, body: &[u8], piece: usize) -> (Result<Order, OrderError>, [Vec<u8>; 2]) {
    let mut reader = OrderReader::new(Some(content_type));
    let mut files = Vec::new();
    let mut pushed = Ok(());
    for chunk in body.chunks(piece) {
        pushed = pushed.and_then(|()| reader.push(Bytes::copy_from_slice(chunk), &mut files));
    }
    let order = pushed.and_then(|()| reader.finish(&mut files));
    let mut kept = [Vec::new(), Vec::new()];
    for Piece { role, bytes } in files {
        kept[usize::from(role == FileRole::Background)].extend_from_slice(&bytes);
    }
    (order, kept)
}

/// The order of a form with a picture and these texts.
fn order(texts: &[(&str, &str)]) -> Result<Order, Vec<OrderFault>> {
    let picture = png(40, 30);
    let mut parts: Vec<Part<'_>> = vec![("image_file", Some("cat.png"), &picture)];
    parts.extend(texts.iter().map(|(name, value)| (*name, None, value.as_bytes())));
    match read(MULTIPART, &multipart(&parts), 7).0 {
        Ok(order) => Ok(order),
        Err(OrderError::Faults(faults)) => Err(faults),
        Err(other) => panic!("{other:?}"),
    }
}

fn composition(name: &str, value: &str) -> Composition {
    order(&[(name, value)]).unwrap_or_else(|faults| panic!("{name}={value}: {faults:?}")).composition
}

const PLAIN: Composition = Composition {
    region: None,
    crop: None,
    scale: None,
    position: None,
    background: Background::None,
    channels: Channels::Rgba,
    most_pixels: 250_000,
    most_png_pixels: 250_000,
    encoding: Encoding::Auto,
};

fn px(pixels: u32) -> Length {
    Length::Pixels(pixels)
}

fn pc(number: f64) -> Length {
    Length::Percent(Percent(number))
}

#[test]
fn nothing_but_a_picture_is_a_preview_in_whichever_format_fits() {
    let plain = order(&[]).unwrap();
    let file = PictureFile {
        header: crate::domain::image_header::ImageHeader { kind: ImageKind::Png, width: 40, height: 30 },
        size: png(40, 30).len() as u64,
    };
    let expected = Order {
        source: Source::File(file),
        background: None,
        composition: PLAIN,
        names_type: true,
        ignored: Vec::new(),
    };
    assert_eq!(plain, expected);
    let empty: Vec<_> = NAMES.iter().map(|name| (*name, "")).collect();
    assert_eq!(order(&empty), Ok(expected), "an empty value is not given");
}

#[test]
fn sizes_are_so_many_megapixels_and_a_png_has_ten_at_most() {
    for (name, pixels, as_png) in [
        ("preview", 250_000, 250_000),
        ("small", 250_000, 250_000),
        ("regular", 250_000, 250_000),
        ("medium", 1_500_000, 1_500_000),
        ("hd", 4_000_000, 4_000_000),
        ("full", 25_000_000, 10_000_000),
        ("4k", 25_000_000, 10_000_000),
        ("50MP", 50_000_000, 10_000_000),
        ("Auto", 50_000_000, 10_000_000),
    ] {
        let made = composition("size", name);
        assert_eq!((made.most_pixels, made.most_png_pixels), (pixels, as_png), "{name}");
    }
}

#[test]
fn formats_and_channels() {
    for (name, encoding) in [
        ("auto", Encoding::Auto),
        ("png", Encoding::Png),
        ("jpg", Encoding::Jpeg),
        ("JPEG", Encoding::Jpeg),
        ("webp", Encoding::Webp),
        ("zip", Encoding::Zip),
    ] {
        assert_eq!(composition("format", name), Composition { encoding, ..PLAIN }, "{name}");
    }
    assert_eq!(composition("channels", "alpha").channels, Channels::Alpha);
    assert_eq!(composition("channels", "rgba"), PLAIN);
}

#[test]
fn colours_need_no_sign() {
    let green = Background::Colour(Rgba { r: 0x81, g: 0xd4, b: 0xfa, a: 0xff });
    for value in ["81d4fa", "#81d4fa", "81D4FAff", " 81d4fa "] {
        assert_eq!(composition("bg_color", value).background, green, "{value}");
    }
    for (value, r, a) in [("f00", 0xff, 0xff), ("#f008", 0xff, 0x88), ("maroon", 0x80, 0xff)] {
        assert_eq!(composition("bg_color", value).background, Background::Colour(Rgba { r, g: 0, b: 0, a }), "{value}");
    }
}

#[test]
fn margins_are_one_two_or_four_lengths_and_count_only_beside_a_crop() {
    let margins = |value| order(&[("crop", "true"), ("crop_margin", value)]).unwrap().composition.crop.unwrap();
    let all = |length| Margins { top: length, right: length, bottom: length, left: length };
    assert_eq!(composition("crop", "1").crop, Some(all(px(0))));
    assert_eq!(composition("crop", "false").crop, None);
    assert_eq!(margins("30px"), all(px(30)));
    assert_eq!(margins("50%"), all(pc(50.0)));
    assert_eq!(margins("10% 500px"), Margins { top: pc(10.0), right: px(500), bottom: pc(10.0), left: px(500) });
    assert_eq!(margins("1px 2px, 3px 4.5%"), Margins { top: px(1), right: px(2), bottom: px(3), left: pc(4.5) });
    let alone = order(&[("crop_margin", "30px"), ("frobnicate", "1")]).unwrap();
    assert_eq!((alone.composition, alone.ignored), (PLAIN, vec!["frobnicate".to_owned(), "crop_margin".to_owned()]));
}

#[test]
fn a_scaled_subject_is_put_into_the_centre_unless_it_is_said_where() {
    let centre = Some(Position { x: Percent(50.0), y: Percent(50.0) });
    assert_eq!(composition("scale", "80%"), Composition { scale: Some(Percent(80.0)), position: centre, ..PLAIN });
    assert_eq!(composition("scale", "original"), PLAIN);
    assert_eq!(composition("position", "original"), PLAIN);
    assert_eq!(composition("position", "center").position, centre);
    assert_eq!(composition("position", "0%").position, Some(Position { x: Percent(0.0), y: Percent(0.0) }));
    assert_eq!(composition("position", "20% 100%").position, Some(Position { x: Percent(20.0), y: Percent(100.0) }));
    let both = order(&[("scale", "10%"), ("position", "original")]).unwrap().composition;
    assert_eq!((both.scale, both.position), (Some(Percent(10.0)), None));
}

#[test]
fn a_region_has_four_lengths() {
    let region = Region { x1: px(1), y1: pc(2.0), x2: px(300), y2: pc(100.0) };
    assert_eq!(composition("roi", "1px 2% 300px 100%"), Composition { region: Some(region), ..PLAIN });
}

#[test]
fn types_are_accepted_and_named_unless_their_level_is_none() {
    for kind in ["auto", "person", "product", "car", "animal", "graphics", "something"] {
        assert!(order(&[("type", kind)]).unwrap().names_type, "{kind}");
    }
    for (level, named) in [("none", false), ("1", true), ("2", true), ("latest", true)] {
        assert_eq!(order(&[("type_level", level)]).unwrap().names_type, named, "{level}");
    }
    for harmless in [("add_shadow", "true"), ("add_shadow", "false"), ("shadow_type", "none"), ("shadow_opacity", "50")]
    {
        assert_eq!(order(&[harmless]).unwrap().ignored, Vec::<String>::new(), "{harmless:?}");
    }
    assert_eq!(order(&[("add_shadow", "false"), ("type", "car")]).map(|order| order.composition), Ok(PLAIN));
}

#[test]
fn what_is_none_of_a_parameters_values_is_said_of_it_and_of_all_at_once() {
    use OrderFault::{InvalidParameter, InvalidUrl, InvalidValue};
    for (name, value, fault) in [
        ("size", "huge", InvalidValue("size")),
        ("channels", "rgb", InvalidValue("channels")),
        ("format", "gif", InvalidParameter("format")),
        ("bg_color", "12345", InvalidParameter("bg_color")),
        ("bg_color", "#nothex", InvalidParameter("bg_color")),
        ("crop", "maybe", InvalidParameter("crop")),
        ("crop_margin", "wide", InvalidParameter("crop_margin")),
        ("crop_margin", "501px", InvalidParameter("crop_margin")),
        ("crop_margin", "50.1%", InvalidParameter("crop_margin")),
        ("crop_margin", "-1px", InvalidParameter("crop_margin")),
        ("crop_margin", "1px 2px 3px", InvalidParameter("crop_margin")),
        ("scale", "9%", InvalidParameter("scale")),
        ("scale", "101%", InvalidParameter("scale")),
        ("scale", "50", InvalidParameter("scale")),
        ("scale", "nan%", InvalidParameter("scale")),
        ("position", "left", InvalidParameter("position")),
        ("position", "101%", InvalidParameter("position")),
        ("position", "1% 2% 3%", InvalidParameter("position")),
        ("roi", "0 0 10", InvalidParameter("roi")),
        ("roi", "0% 0% 101% 100%", InvalidParameter("roi")),
        ("roi", "1e2px 0 0 0", InvalidParameter("roi")),
        ("semitransparency", "half", InvalidParameter("semitransparency")),
        ("add_shadow", "dark", InvalidParameter("add_shadow")),
        ("bg_image_url", "ftp://example.com/a.png", InvalidUrl("bg_image_url")),
    ] {
        assert_eq!(order(&[(name, value)]), Err(vec![fault]), "{name}={value}");
    }
    let all = order(&[("roi", "x"), ("size", "x"), ("format", "x")]);
    assert_eq!(all, Err(vec![InvalidValue("size"), InvalidParameter("format"), InvalidParameter("roi")]));
}

#[test]
fn shadows_that_would_be_seen_are_refused() {
    let of = |texts: &[(&str, &str)]| order(texts).unwrap_err().iter().map(|fault| fault.code().into_owned()).collect();
    let refused: Vec<String> = of(&[("add_shadow", "true"), ("type", "car"), ("shadow_type", "drop")]);
    assert_eq!(refused, ["unsupported_parameter", "unsupported_parameter"]);
}

#[test]
fn one_source_and_one_background() {
    let (picture, more) = (png(4, 3), base64(&png(4, 3)));
    let faults = |parts: &[Part<'_>]| match read(MULTIPART, &multipart(parts), 64).0 {
        Err(OrderError::Faults(faults)) => faults,
        other => panic!("{other:?}"),
    };
    let (file, text): (Part<'_>, Part<'_>) =
        (("image_file", Some("a.png"), &picture), ("image_file_b64", None, more.as_bytes()));
    let url: Part<'_> = ("image_url", None, b"https://example.com/a.png");
    let missing = vec![OrderFault::MissingSource];
    assert_eq!(faults(&[]), missing);
    assert_eq!(
        faults(&[("image_file", Some(""), b""), ("image_file_b64", None, b""), ("image_url", None, b"")]),
        missing
    );
    for two in [[file, text], [text, file], [file, url], [url, text]] {
        assert_eq!(faults(&two), [OrderFault::MultipleSources]);
    }
    let (behind, at): (Part<'_>, Part<'_>) =
        (("bg_image_file", Some("b.png"), &picture), ("bg_image_url", None, b"http://example.com/b"));
    let colour: Part<'_> = ("bg_color", None, b"red");
    for two in [[behind, at], [behind, colour], [at, colour]] {
        assert_eq!(faults(&[&[file][..], &two].concat()), [OrderFault::MultipleBackgrounds]);
    }
    let alpha: Part<'_> = ("channels", None, b"alpha");
    for one in [behind, at, colour] {
        assert_eq!(faults(&[file, alpha, one]), [OrderFault::MultipleBackgrounds]);
    }
    let (order, [kept, kept_behind]) = read(MULTIPART, &multipart(&[behind, file]), 5);
    let order = order.unwrap();
    assert_eq!(order.composition.background, Background::Picture);
    assert!(matches!(order.background, Some(Source::File(_))));
    assert_eq!((kept, kept_behind), (picture.clone(), picture));
}

#[test]
fn files_are_judged_by_what_is_in_them() {
    use OrderFault::{FailedToRead, FileTooLarge, InvalidDimensions, InvalidFileType, ResolutionTooHigh};
    let fault = |name: &str, bytes: &[u8]| {
        let picture = png(4, 3);
        let mut parts: Vec<Part<'_>> = vec![(name, Some("x.exe"), bytes)];
        if name != "image_file" {
            parts.push(("image_file", Some("a.png"), &picture));
        }
        match read(MULTIPART, &multipart(&parts), 1 << 20).0 {
            Err(OrderError::Faults(faults)) => faults[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    for (name, role) in [("image_file", FileRole::Image), ("bg_image_file", FileRole::Background)] {
        assert_eq!(fault(name, b"no picture"), InvalidFileType(role));
        assert_eq!(fault(name, b"GIF89a\x01\x00\x01\x00"), InvalidFileType(role));
        assert_eq!(fault(name, &png(0, 3)), InvalidDimensions(role));
        assert_eq!(fault(name, &png(4, 3)[..20]), InvalidDimensions(role));
        let wide = ResolutionTooHigh { found: "10001 pixels wide".into(), most: 10_000 };
        assert_eq!(fault(name, &png(10_001, 3)), wide);
        let high = ResolutionTooHigh { found: "12000 pixels high".into(), most: 10_000 };
        assert_eq!(fault(name, &png(3, 12_000)), high);
        let mut large = png(4, 3);
        large.resize(usize::try_from(MAX_IMAGE).unwrap() + 1, 0);
        assert_eq!(fault(name, &large), FileTooLarge(role));
    }
    let body = json!({"image_file_b64": "no base64!"}).to_string();
    assert_eq!(read(JSON, body.as_bytes(), 3).0, Err(OrderError::Faults(vec![FailedToRead(FileRole::Image)])));
    let body = json!({"image_file_b64": base64(&png(4, 3)) + "?"}).to_string();
    assert_eq!(read(JSON, body.as_bytes(), 3).0, Err(OrderError::Faults(vec![FailedToRead(FileRole::Image)])));
    let body = json!({"image_file_b64": ["x"]}).to_string();
    assert_eq!(read(JSON, body.as_bytes(), 3).0, Err(OrderError::Faults(vec![FailedToRead(FileRole::Image)])));
}

#[test]
fn what_means_nothing_is_listed_once_and_the_first_of_a_repeated_name_counts() {
    let order =
        order(&[("format", "png"), ("format", "jpg"), ("colour", "red"), ("colour", "red"), ("Size", "x")]).unwrap();
    assert_eq!((order.composition.encoding, order.ignored), (Encoding::Png, vec!["colour".into(), "Size".into()]));
    let body = json!({"image_file": "x", "bg_image_file": "y", "image_file_b64": base64(&png(4, 3)), "n": null});
    let order = read(JSON, body.to_string().as_bytes(), 9).0.unwrap();
    assert_eq!(order.ignored, ["bg_image_file", "image_file"], "a text is no file");
}

#[test]
fn bodies_that_are_too_long_or_broken() {
    let texts = format!("bg_color={}", "f".repeat(65 * 1024));
    assert_eq!(read(URLENCODED, texts.as_bytes(), 1_000).0, Err(OrderError::TooLarge));
    assert_eq!(read(JSON, b"{\"size\"", 3).0, Err(OrderError::Malformed));
    assert_eq!(read(MULTIPART, b"--b\r\n", 3).0, Err(OrderError::Malformed));
    assert_eq!(read("multipart/form-data", b"", 3).0, Err(OrderError::Malformed));
    assert_eq!(read("text/plain", b"x", 3).0, Err(OrderError::Faults(vec![OrderFault::MissingSource])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_order_in_each_encoding_and_in_pieces_of_any_length(
        piece in 1_usize..50,
        tail in prop::collection::vec(any::<u8>(), 0..200),
        is_address in any::<bool>(),
        escapes in any::<bool>(),
    ) {
        let picture = [png(40, 30), tail].concat();
        let address = if is_address { "data:image/png;base64," } else { "" };
        let text = format!("{address}{}", base64(&picture));
        let texts = [("size", "auto"), ("crop", "true"), ("bg_color", "red"), ("unknown", "x")];
        let form: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(texts).append_pair("image_file_b64", &text).finish();
        let form = if escapes { form } else { form.replace("%2F", "/").replace("%3D", "=") };
        let object = json!({"size": "auto", "crop": true, "bg_color": "red", "unknown": 1, "image_file_b64": text}).to_string();
        let object = if escapes { object.replace('/', "\\/") } else { object };
        let mut parts: Vec<Part<'_>> = texts.iter().map(|(name, value)| (*name, None, value.as_bytes())).collect();
        let with_text = [&parts[..], &[("image_file_b64", None, text.as_bytes())]].concat();
        parts.push(("image_file", Some("a.png"), &picture));
        let expected = read(MULTIPART, &multipart(&parts), 1 << 20);
        prop_assert!(expected.0.is_ok(), "{:?}", expected.0);
        prop_assert_eq!(&expected.1[0], &picture);
        for (content_type, body) in [
            (MULTIPART, multipart(&parts)),
            (MULTIPART, multipart(&with_text)),
            (URLENCODED, form.into_bytes()),
            (JSON, object.into_bytes()),
        ] {
            prop_assert_eq!(&read(content_type, &body, piece), &expected, "{}", content_type);
        }
    }
}
