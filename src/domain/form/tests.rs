//! Whole bodies in, forms and the contract's words out.

mod clients;
mod fields;
mod images;
mod passed_on;

use super::*;
use proptest::prelude::*;

const TYPE: &str = "multipart/form-data; boundary=XX";

const NO_IMAGE: &str = "image: No image file provided. Please include an 'image' field in your form data.";

/// The header of a PNG of this size, and a little more.
fn png(width: u32, height: u32) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), b"\x08\x06\0\0\0rest"]
        .concat()
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{name}\"\r\n");
    [head.as_bytes(), b"Content-Type: image/png\r\n\r\n", data, b"\r\n"].concat()
}

fn field(name: &str, value: &str) -> Vec<u8> {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
}

fn body(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--XX--\r\n".to_vec()].concat()
}

/// A body with a good image and these fields.
fn with_fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| field(name, value));
    body(&[file("cat.png", &png(3, 2))].into_iter().chain(fields).collect::<Vec<_>>())
}

/// The form, and the image's bytes that were to be kept.
fn read_pieces<'a>(
    content_type: Option<&str>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Result<Form, FormError>, Vec<u8>) {
    let (mut reader, mut image) = (FormReader::new(content_type), Vec::new());
    for piece in pieces {
        if let Err(error) = reader.push(Bytes::copy_from_slice(piece), &mut image) {
            return (Err(error), image.concat());
        }
    }
    (reader.finish(), image.concat())
}

fn read(body: &[u8]) -> Result<Form, FormError> {
    read_pieces(Some(TYPE), [body]).0
}

fn output(fields: &[(&str, &str)]) -> Output {
    read(&with_fields(fields)).unwrap_or_else(|error| panic!("{fields:?}: {error:?}")).output
}

/// Every complaint about a body as `field: message`.
fn complaints(body: &[u8]) -> Vec<String> {
    match read(body) {
        Err(FormError::Invalid(all)) => all.iter().map(|one| format!("{}: {}", one.field(), one.message())).collect(),
        other => panic!("not invalid: {other:?}"),
    }
}

#[test]
fn every_complaint_comes_at_once_and_in_the_contracts_order() {
    let fields = [
        ("expand", "e"),
        ("exact_resize", "x"),
        ("mask", "m"),
        ("bg_color", "b"),
        ("format", "f"),
        ("angle", "a"),
        ("h", "0x1"),
        ("w", "-1"),
    ]
    .map(|(name, value)| field(name, value));
    assert_eq!(
        complaints(&body(&[&fields[..], &[file("cat.png", &png(12_000, 15_000))]].concat())),
        [
            "image: Image width (12000px) exceeds the maximum allowed width of 10000px.",
            "image: Image height (15000px) exceeds the maximum allowed height of 10000px.",
            "w: 'w' must be at least 1, got: -1",
            "h: 'h' must be an integer, got: '0x1'",
            "angle: 'angle' must be a number, got: 'a'",
            "format: Invalid format 'f'. Allowed formats: PNG, JPEG, WEBP, BMP",
            "bg_color: Invalid color format 'b'. Use hex format: #RGB, #RGBA, #RRGGBB, or #RRGGBBAA",
            "mask: 'mask' must be true or false, got: 'm'",
            "exact_resize: 'exact_resize' must be true or false, got: 'x'",
            "expand: 'expand' must be true or false, got: 'e'",
        ]
    );
    assert_eq!(complaints(&body(&[field("w", "abc")])), [NO_IMAGE, "w: 'w' must be an integer, got: 'abc'"]);
}

#[test]
fn a_body_that_is_no_form_has_no_image_in_it() {
    for content_type in [None, Some("application/json"), Some("image/png"), Some("application/x-www-form-urlencoded")] {
        let (form, kept) = read_pieces(content_type, [&with_fields(&[])[..]]);
        assert_eq!(form, Err(FormError::Invalid(vec![Complaint::NoImage])), "{content_type:?}");
        assert_eq!(kept, b"", "{content_type:?}");
    }
    assert_eq!(complaints(&body(&[])), [NO_IMAGE]);
}

#[test]
fn broken_framing_is_told_at_once_or_at_the_end() {
    let mut reader = FormReader::new(Some(TYPE));
    let refused = reader.push(Bytes::from_static(b"--XX\nContent-Disposition: form-data; name=a\n"), &mut Vec::new());
    assert_eq!(refused, Err(FormError::Malformed));
    assert_eq!(reader.push(Bytes::from(with_fields(&[])), &mut Vec::new()), Err(FormError::Malformed));
    assert_eq!(reader.finish(), Err(FormError::Malformed));

    let whole = with_fields(&[("w", "abc")]);
    assert_eq!(read(&whole[..whole.len() - 4]), Err(FormError::Malformed), "the last delimiter is not complete");
    assert_eq!(read_pieces(Some("multipart/form-data"), [&whole[..]]).0, Err(FormError::Malformed), "no boundary");
    assert_eq!(
        FormReader::new(Some("multipart/form-data")).finish(),
        Err(FormError::Malformed),
        "no boundary, no body"
    );
}

#[test]
fn parts_that_are_held_in_memory_are_bounded_together() {
    let half = "x".repeat(MAX_FIELDS / 2);
    let full = [("a", half.as_str()), ("b", half.as_str())];
    assert!(read(&with_fields(&full)).is_ok());
    assert_eq!(read(&with_fields(&[&full[..], &[("c", "x")]].concat())), Err(FormError::TooLarge));
    let ignored = "x".repeat(MAX_FIELDS + 1);
    assert!(read(&with_fields(&[("w", "1"), ("w", &ignored)])).is_ok(), "what is ignored is not held");
}

#[test]
fn a_file_under_another_name_is_no_image_however_large_it_is() {
    let large = field("file", &"x".repeat(MAX_FIELDS + 1));
    assert_eq!(complaints(&body(std::slice::from_ref(&large))), [NO_IMAGE]);
    assert_eq!(
        complaints(&body(&[large.clone(), field("w", "abc"), large.clone(), field("mask", "m")])),
        [NO_IMAGE, "w: 'w' must be an integer, got: 'abc'", "mask: 'mask' must be true or false, got: 'm'"],
        "what else is wrong is still found"
    );
    let image = file("cat.png", &png(3, 2));
    for parts in [[large.clone(), image.clone()], [image, large]] {
        let body = body(&parts);
        assert_eq!(read(&body), Err(FormError::TooLarge), "there is an image, so the rest is too large");
        assert_eq!(read_pieces(Some(TYPE), body.chunks(1_000)).0, Err(FormError::TooLarge));
    }
}

#[test]
fn a_body_of_more_than_128_mib_is_too_large_whatever_it_is() {
    let megabyte = Bytes::from(vec![0; 1024 * 1024]);
    for content_type in [Some("text/plain"), Some(TYPE)] {
        let (mut reader, mut image) = (FormReader::new(content_type), Vec::new());
        let start = Bytes::from_static(b"--XX\r\nContent-Disposition: form-data; name=image; filename=cat.png\r\n\r\n");
        let last = megabyte.slice(start.len()..);
        reader.push(start, &mut image).unwrap();
        for _ in 0..127 {
            reader.push(megabyte.clone(), &mut image).unwrap();
        }
        reader.push(last, &mut image).unwrap();
        assert_eq!(reader.push(Bytes::from_static(b"x"), &mut image), Err(FormError::TooLarge), "{content_type:?}");
        assert_eq!(reader.finish(), Err(FormError::TooLarge), "{content_type:?}");
    }
}

#[test]
fn of_a_repeated_field_the_first_one_counts_even_if_it_is_empty() {
    assert_eq!(output(&[("w", "5"), ("w", "abc")]).w, Some(5));
    assert_eq!(output(&[("format", ""), ("format", "gif")]).format, OutputFormat::Webp);
    let repeated = [("w", "abc"), ("w", "5")];
    assert_eq!(complaints(&with_fields(&repeated)), ["w: 'w' must be an integer, got: 'abc'"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_of_a_body_gives_the_same_form_and_image(
        width in 1u32..12_000,
        value in "[0-9a-z#. -]{0,6}",
        at in any::<prop::sample::Index>(),
        first in 1usize..60,
        second in 1usize..60,
    ) {
        let names = ["w", "angle", "bg_color", "mask", "other"];
        let fields = names.map(|name| field(name, &value));
        let body = body(&[&fields[..2], &[file("cat.png", &png(width, 9))], &fields[2..]].concat());
        let whole = read_pieces(Some(TYPE), [&body[..]]);
        prop_assert_eq!(&read_pieces(Some(TYPE), body.chunks(1)).0, &whole.0);
        let (front, back) = body.split_at(at.index(body.len()));
        let pieces = front.chunks(first).chain(back.chunks(second));
        let split = read_pieces(Some(TYPE), pieces);
        prop_assert_eq!(&split.0, &whole.0);
        if whole.0.is_ok() {
            prop_assert_eq!(&split.1, &png(width, 9));
        }
    }
}
