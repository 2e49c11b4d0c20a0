//! What files hold: zip members, orientation, whose file is to blame.

use super::*;
use crate::{domain::form::OutputFormat, picture::upright_size};
use image::{ExtendedColorType, ImageEncoder as _, codecs::png::PngEncoder, imageops};

/// A PNG that EXIF turns upright by a quarter turn: the picture is stored on its side.
fn on_its_side(upright: &RgbaImage) -> Vec<u8> {
    let stored = imageops::rotate270(upright);
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    // TIFF, big-endian, one tag: orientation, a quarter turn.
    encoder
        .set_exif_metadata(b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec())
        .expect("EXIF");
    encoder.write_image(&stored, stored.width(), stored.height(), ExtendedColorType::Rgba8).expect("a file");
    file
}

/// The members of a zip file, read by its directory, and their checksums looked at.
fn unzipped(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize, bytes: usize| {
        file[at..at + bytes].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let end = file.len() - 22;
    assert_eq!(&file[end..end + 4], b"PK\x05\x06");
    let mut entry = number(end + 16, 4);
    let members = (0..number(end + 10, 2)).map(|_| {
        assert_eq!(&file[entry..entry + 4], b"PK\x01\x02");
        let (length, name, offset) = (number(entry + 24, 4), number(entry + 28, 2), number(entry + 42, 4));
        assert_eq!(&file[offset..offset + 4], b"PK\x03\x04");
        assert_eq!(file[offset + 4..offset + 30], file[entry + 6..entry + 32], "both headers say the same");
        let content = offset + 30 + name;
        let found = (
            String::from_utf8(file[entry + 46..entry + 46 + name].to_vec()).expect("a name"),
            file[content..content + length].to_vec(),
        );
        assert_eq!(number(entry + 16, 4), usize::try_from(crc32fast::hash(&found.1)).expect("32 bits"));
        entry += 46 + name;
        found
    });
    let members = members.collect();
    assert_eq!(entry, end, "the directory ends where it says");
    members
}

#[test]
fn a_zip_holds_the_colours_of_the_input_and_the_opacity() {
    // The backend has changed the colours.
    let input = RgbaImage::from_fn(32, 16, |x, _| if x < 16 { RED } else { BLUE });
    let cut = RgbaImage::from_fn(32, 16, |x, y| match (x / 8, y) {
        (1, _) => GREEN,
        (2, _) => Rgba([0, 180, 0, 1]),
        _ => CLEAR,
    });
    let (cut_file, input_file) = (png(&cut), png(&input));
    let sources = Sources { cut: &cut_file, input: source(&input_file), background: None };
    let result = compose(&sources, &Composition { encoding: Encoding::Zip, ..AS_IT_IS }).expect("a result");
    assert_eq!(result.content_type, "application/zip");
    assert_eq!((result.size, result.foreground), ((32, 16), Some(area(8, 0, 16, 16))));

    let members = unzipped(&result.file);
    let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["color.jpg", "alpha.png"]);
    let colours = image::load_from_memory_with_format(&members[0].1, ImageFormat::Jpeg).expect("a JPEG").into_rgba8();
    for (x, colour) in [(3, Rgba([0, 0, 0, 255])), (11, RED), (20, BLUE), (28, Rgba([0, 0, 0, 255]))] {
        assert!(is_near(*colours.get_pixel(x, 8), colour), "at {x}: {:?}", colours.get_pixel(x, 8));
    }
    let opacity = image::load_from_memory_with_format(&members[1].1, ImageFormat::Png).expect("a PNG").into_luma8();
    for (x, y, pixel) in cut.enumerate_pixels() {
        assert_eq!(opacity.get_pixel(x, y).0[0], pixel.0[3], "at {x}, {y}");
    }
}

#[test]
fn a_zip_of_opacity_alone_has_one_member() {
    let composition = Composition { encoding: Encoding::Zip, channels: Channels::Alpha, ..AS_IT_IS };
    let result = composed(&subject((8, 8), area(2, 2, 3, 3)), &composition);
    let members = unzipped(&result.file);
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].0, "alpha.png");
    assert_eq!(image::load_from_memory(&members[0].1).expect("a PNG").into_luma8().get_pixel(3, 3).0, [255]);
}

#[test]
fn a_zip_on_a_background_shows_it() {
    let background = Background::Colour(Colour { r: 0, g: 0, b: 200, a: 255 });
    let cut = subject((32, 32), area(0, 0, 16, 32));
    let result = composed(&cut, &Composition { encoding: Encoding::Zip, background, ..AS_IT_IS });
    let members = unzipped(&result.file);
    let colours = image::load_from_memory(&members[0].1).expect("a JPEG").into_rgba8();
    assert!(is_near(*colours.get_pixel(4, 4), RED) && is_near(*colours.get_pixel(28, 4), BLUE));
    let opacity = image::load_from_memory(&members[1].1).expect("a PNG").into_luma8();
    assert!(opacity.pixels().all(|pixel| pixel.0 == [255]));
}

#[test]
fn all_is_in_pixels_of_the_upright_input() {
    let place = area(2, 20, 6, 8);
    let upright = subject((20, 40), place);
    let input = on_its_side(&upright);
    assert_eq!(upright_size(&input, 800).expect("readable"), (20, 40));
    assert_eq!(upright_size(&png(&upright), 800).expect("readable"), (20, 40));
    for (what, cut) in [
        ("an upright cut", png(&upright)),
        ("a cut that EXIF turns upright", input.clone()),
        ("a cut left on its side", png(&imageops::rotate270(&upright))),
        ("a cut of half the size", png(&imageops::resize(&upright, 10, 20, imageops::Nearest))),
        ("a WebP", file_of(&upright.clone().into(), ImageFormat::WebP)),
        ("our own WebP", encode_as(&upright.clone().into(), OutputFormat::Webp, true).expect("a file")),
    ] {
        for encoding in [Encoding::Png, Encoding::Zip] {
            let sources = Sources { cut: &cut, input: source(&input), background: None };
            let composition = Composition { crop: margins(px(0)), encoding, most_pixels: 800, ..AS_IT_IS };
            let result = compose(&sources, &composition).expect("a result");
            let found = result.foreground.expect("a subject");
            // Lanczos looks three pixels far, which are six of the input.
            let blurred = if what.contains("half") { 6 } else { 0 };
            assert!(found.left + blurred >= place.left && found.top + blurred >= place.top, "{what}: {found:?}");
            let [wider, higher] = [found.width - place.width, found.height - place.height];
            assert!(wider <= 2 * blurred && higher <= 2 * blurred, "{what}: {found:?}");
            assert_eq!(result.size, found.size(), "{what}");
        }
    }
}

#[test]
fn an_error_says_whose_file_it_was() {
    let good = png(&subject((20, 10), area(0, 0, 9, 9)));
    let (bad, wide) = (&good[..good.len() / 2], png(&RgbaImage::new(20, 20)));
    let on = |background| Composition { background, ..AS_IT_IS };
    let zip = Composition { encoding: Encoding::Zip, ..AS_IT_IS };
    for (cut, input, background, composition, blamed) in [
        (bad, &good[..], None, AS_IT_IS, "cut: unreadable"),
        (&b"no picture"[..], &good, None, AS_IT_IS, "cut: unreadable"),
        (&wide, &good, None, AS_IT_IS, "cut: (20, 20) pixels, of an input of (20, 10)"),
        (&good, bad, None, zip, "input: unreadable"),
        (&good, &good, Some(bad), on(Background::Picture), "background: unreadable"),
        (&good, &good, None, on(Background::Picture), "background: none was given"),
    ] {
        let sources = Sources { cut, input: source(input), background: background.map(source) };
        let error = compose(&sources, &composition).expect_err(blamed).to_string();
        assert!(error.starts_with(blamed), "{error}");
    }
}

#[test]
fn an_input_that_only_the_backend_can_read_is_no_reason_to_lose_its_cut() {
    let cut = subject((20, 10), area(3, 3, 4, 5));
    let sources = Sources { cut: &png(&cut), input: source(b"\xff\xd8\xff, as it were"), background: None };
    let result = compose(&sources, &AS_IT_IS).expect("a result");
    assert_eq!(read(&result).into_rgba8(), cut);
}

#[test]
fn more_pixels_than_were_agreed_are_not_decoded() {
    let file = png(&subject((20, 10), area(0, 0, 9, 9)));
    let just = |most_pixels| Source { file: &file, most_pixels };
    let composition = Composition { background: Background::Picture, ..AS_IT_IS };
    let of = |cut, background| {
        let sources = Sources { cut: &file, input: just(cut), background: Some(just(background)) };
        compose(&sources, &composition).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(of(200, 200), Ok(()));
    assert_eq!(of(199, 200), Err("cut: 20 x 10 pixels, at most 199 were agreed".into()));
    assert_eq!(of(200, 199), Err("background: 20 x 10 pixels, at most 199 were agreed".into()));
}
