//! The checks of the image, and the bytes of it that are kept.

use super::*;
use crate::domain::image_header::ImageKind;

const CORRUPT: &str = "image: File does not appear to be a valid image (invalid file signature)";

fn unsupported(extension: &str) -> String {
    format!("image: File type '{extension}' is not supported. Allowed formats: webp, bmp, png, jpg, jpeg")
}

#[test]
fn the_filename_is_kept_as_sent_and_judged_by_its_extension() {
    for name in ["cat.png", "CAT.JPEG", "a.exe/cat.jpg", "C:\\a.exe\\cat.webp", "cat.exe.bmp", "m\u{e8}o.PNG"] {
        let form = read(&body(&[file(name, &png(3, 2))])).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(form.image.filename, name);
        assert_eq!(form.image.header, ImageHeader { kind: ImageKind::Png, width: 3, height: 2 });
        assert_eq!(form.image.size, png(3, 2).len() as u64);
    }
    for (name, extension) in [
        ("virus.exe", ".exe"),
        ("a.PDF", ".PDF"),
        ("a.png.gif", ".gif"),
        ("a.png\\b.x y", ".x y"),
        (".exe", ".exe"),
        ("x.exe.", ".exe"),
        ("x.exe. . ", ".exe"),
        ("x.exe/", ".exe"),
        ("a.png/x.exe \\/.", ".exe"),
        ("x.exe\u{a0}", ".exe\u{a0}"),
    ] {
        assert_eq!(complaints(&body(&[file(name, &png(3, 2))])), [unsupported(extension)], "{name}");
    }
}

#[test]
fn a_filename_without_extension_is_judged_by_the_signature_alone() {
    for name in ["blob", "image", "-", "cat.", "dir.exe/cat", "dir.exe\\cat. ", " ", "..", "/"] {
        assert!(read(&body(&[file(name, &png(3, 2))])).is_ok(), "{name}");
        assert_eq!(complaints(&body(&[file(name, b"hello")])), [CORRUPT], "{name}");
    }
}

#[test]
fn checks_stop_at_the_first_that_fails() {
    let no_file = "image: No file selected. Please choose an image file to upload.";
    assert_eq!(complaints(&body(&[file("", b"")])), [no_file]);
    assert_eq!(complaints(&body(&[file("", &png(3, 2))])), [no_file]);
    assert_eq!(complaints(&body(&[file("a.exe", b"")])), [unsupported(".exe")]);
    assert_eq!(complaints(&body(&[file("a.png", b"")])), ["image: Uploaded file is empty (0 bytes)."]);
    assert_eq!(complaints(&body(&[file("a.png", b"GIF89a")])), [CORRUPT]);
    assert_eq!(complaints(&body(&[file("a.png", &png(3, 2)[..20])])), [CORRUPT], "ends inside its header");
    assert_eq!(complaints(&body(&[file("a.png", &png(0, 20_000))])), [CORRUPT], "zero is no size");
}

#[test]
fn width_and_height_reach_to_10000() {
    let wide = "image: Image width (10001px) exceeds the maximum allowed width of 10000px.";
    let tall = "image: Image height (10001px) exceeds the maximum allowed height of 10000px.";
    assert!(read(&body(&[file("a.png", &png(10_000, 10_000))])).is_ok());
    assert_eq!(complaints(&body(&[file("a.png", &png(10_001, 1))])), [wide]);
    assert_eq!(complaints(&body(&[file("a.png", &png(1, 10_001))])), [tall]);
    assert_eq!(complaints(&body(&[file("a.png", &png(10_001, 10_001))])), [wide, tall]);
}

#[test]
fn an_image_part_without_a_filename_is_no_image_and_is_not_passed_on() {
    let text = field("image", "aGVsbG8=");
    assert_eq!(complaints(&body(std::slice::from_ref(&text))), [NO_IMAGE]);
    let form = read(&body(&[text.clone(), file("cat.png", &png(3, 2)), text])).unwrap();
    assert_eq!((form.fields.len(), form.image.filename.as_str()), (0, "cat.png"));
}

#[test]
fn of_two_images_the_first_one_counts() {
    let two = body(&[file("a.png", &png(3, 2)), file("b.exe", b"hello")]);
    let (form, kept) = read_pieces(Some(TYPE), [&two[..]]);
    assert_eq!(form.unwrap().image.filename, "a.png");
    assert_eq!(kept, png(3, 2));
    assert_eq!(complaints(&body(&[file("b.exe", b"hello"), file("a.png", &png(3, 2))])), [unsupported(".exe")]);
}

#[test]
fn an_image_that_will_be_refused_is_not_kept() {
    for (name, data) in [
        ("", png(3, 2)),
        ("a.exe", png(3, 2)),
        ("a.png", b"hello, no picture".to_vec()),
        ("a.png", png(3, 0)),
        ("a.png", png(10_001, 1)),
        ("x.exe.", png(3, 2)),
    ] {
        let refused = body(&[file(name, &data)]);
        let (form, kept) = read_pieces(Some(TYPE), [&refused[..]]);
        assert!(form.is_err(), "{name}");
        assert_eq!(kept, b"", "{name} {data:?}");
    }
}

#[test]
fn the_images_bytes_are_slices_of_what_came_in() {
    let sent = Bytes::from(body(&[file("a.png", &png(3, 2))]));
    let (mut reader, mut image) = (FormReader::new(Some(TYPE)), Vec::new());
    reader.push(sent.clone(), &mut image).unwrap();
    assert_eq!(image, [png(3, 2)]);
    assert!(sent.as_ptr_range().contains(&image[0].as_ptr()), "the image was copied");
}

#[test]
fn a_size_above_50_mib_is_counted_to_the_end_and_no_longer_kept() {
    const MIB: usize = 1024 * 1024;
    let piece = Bytes::from(vec![0; 64 * 1024]);
    for (length, expected) in [
        (50 * MIB, None),
        (50 * MIB + 1, Some("image: File size (50.0 MB) exceeds the maximum allowed size of 50 MB.")),
        (57_881_395, Some("image: File size (55.2 MB) exceeds the maximum allowed size of 50 MB.")),
        (127 * MIB, Some("image: File size (127.0 MB) exceeds the maximum allowed size of 50 MB.")),
    ] {
        let (mut reader, mut image) = (FormReader::new(Some(TYPE)), Vec::new());
        let mut start = file("a.png", &png(3, 2));
        start.truncate(start.len() - 2);
        reader.push(Bytes::from(start), &mut image).unwrap();
        let mut rest = length - png(3, 2).len();
        while rest > 0 {
            let next = piece.slice(..rest.min(piece.len()));
            rest -= next.len();
            reader.push(next, &mut image).unwrap();
        }
        reader.push(Bytes::from_static(b"\r\n--XX--"), &mut image).unwrap();
        let kept: usize = image.iter().map(Bytes::len).sum();
        assert!(kept <= 50 * MIB, "{kept} of {length} bytes were kept");
        match (reader.finish(), expected) {
            (Ok(form), None) => assert_eq!((form.image.size, kept), (length as u64, length)),
            (Err(FormError::Invalid(all)), Some(message)) => {
                assert_eq!(format!("{}: {}", all[0].field(), all[0].message()), message);
            }
            (other, _) => panic!("{length} bytes: {other:?}"),
        }
    }
}
