//! What files hold, read and written.

use super::*;
use crate::picture::{PictureError, content_type};
use image::{ExtendedColorType, GrayImage, ImageEncoder as _, ImageReader, Luma, codecs, imageops};
use std::io::Cursor;

/// TIFF, big-endian, one tag: orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif
}

/// The picture as a camera stores it that is to be shown upright by `orientation`.
fn stored(upright: &RgbaImage, orientation: u8) -> RgbaImage {
    let transpose = |picture| imageops::flip_horizontal(&imageops::rotate90(picture));
    match orientation {
        2 => imageops::flip_horizontal(upright),
        3 => imageops::rotate180(upright),
        4 => imageops::flip_vertical(upright),
        5 => transpose(upright),
        6 => imageops::rotate270(upright),
        7 => imageops::rotate180(&transpose(upright)),
        8 => imageops::rotate90(upright),
        _ => upright.clone(),
    }
}

fn file_of(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("a file");
    file.into_inner()
}

#[test]
fn every_orientation_gives_the_same_upright_picture() {
    let upright = distinct(7, 4);
    for orientation in 1..=8 {
        let stored = stored(&upright, orientation);
        let mut file = Vec::new();
        let mut encoder = codecs::png::PngEncoder::new(&mut file);
        encoder.set_exif_metadata(exif(orientation)).expect("EXIF in PNG");
        encoder.write_image(&stored, stored.width(), stored.height(), ExtendedColorType::Rgba8).expect("a file");
        assert_eq!(decode(&file, 28).expect("readable"), upright, "orientation {orientation}");
    }
}

#[test]
fn a_jpeg_is_turned_by_its_orientation() {
    let upright = RgbaImage::from_fn(48, 24, |x, _| if x < 24 { RED } else { BLUE });
    for orientation in 1..=8 {
        let stored = DynamicImage::from(stored(&upright, orientation)).into_rgb8();
        let mut file = Vec::new();
        let mut encoder = codecs::jpeg::JpegEncoder::new(&mut file);
        encoder.set_exif_metadata(exif(orientation)).expect("EXIF in JPEG");
        encoder.encode_image(&stored).expect("a file");
        let picture = decode(&file, 48 * 24).expect("readable");
        assert_eq!(picture.dimensions(), (48, 24), "orientation {orientation}");
        assert!(picture.get_pixel(4, 12).0[0] > 150, "red is left, orientation {orientation}");
        assert!(picture.get_pixel(44, 12).0[2] > 150, "blue is right, orientation {orientation}");
    }
}

#[test]
fn every_kind_of_pixel_is_read() {
    let rgba = DynamicImage::from(distinct(6, 5));
    for picture in [
        rgba.clone(),
        rgba.to_rgb8().into(),
        rgba.to_rgb16().into(),
        rgba.to_rgba16().into(),
        rgba.to_luma8().into(),
        rgba.to_luma_alpha8().into(),
        rgba.to_luma16().into(),
        rgba.to_luma_alpha16().into(),
    ] {
        let decoded = decode(&file_of(&picture, ImageFormat::Png), 30).expect("readable");
        assert_eq!(decoded, picture.to_rgba8(), "{:?}", picture.color());
    }
}

#[test]
fn opacity_that_was_there_stays_away_after_the_cut() {
    let file = file_of(&island(8, RED, [0; 3]).into(), ImageFormat::Png);
    let cutout = cut(decode(&file, 64).expect("readable"), &GrayImage::from_pixel(8, 8, Luma([255]))).cutout;
    assert_eq!((cutout.get_pixel(0, 0).0[3], *cutout.get_pixel(4, 4)), (0, RED));
}

#[test]
fn half_a_file_is_unreadable_whatever_its_format() {
    // Noise, so that half of the file is half of the picture.
    let noise = RgbaImage::from_fn(64, 64, |x, y| {
        let [a, b, c, _] = (x + 64 * y).wrapping_mul(2_654_435_761).to_be_bytes();
        Rgba([a, b, c, 255])
    });
    let noise = DynamicImage::from(noise).into_rgb8().into();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp] {
        let file = file_of(&noise, format);
        decode(&file, 64 * 64).expect("the whole file is readable");
        let half = decode(&file[..file.len() / 2], 64 * 64);
        assert!(half.is_err(), "{format:?}");
    }
    assert!(decode(b"not a picture", 100).is_err());
    assert!(decode(b"", 100).is_err());
}

#[test]
fn a_jpeg_with_rubbish_between_its_segments_is_read_all_the_same() {
    let file = file_of(&DynamicImage::new_rgb8(40, 30), ImageFormat::Jpeg);
    // Start of image, a marker, and the segment whose length its first two bytes are.
    let first_segment = 4 + usize::from(u16::from_be_bytes([file[4], file[5]]));
    for rubbish in [&b"\0\0\0"[..], b"\xff\0"] {
        let padded = [&file[..first_segment], rubbish, &file[first_segment..]].concat();
        let picture = decode(&padded, 1200);
        assert_eq!(picture.map(|picture| picture.dimensions()).ok(), Some((40, 30)), "{rubbish:?}");
    }
}

#[test]
fn more_pixels_than_agreed_are_not_decoded() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp] {
        let file = file_of(&DynamicImage::new_rgb8(40, 30), format);
        assert!(decode(&file, 1200).is_ok(), "{format:?}");
        let refused = decode(&file, 1199);
        assert!(matches!(refused, Err(PictureError::WrongSize { width: 40, height: 30, .. })), "{refused:?}");
    }
}

#[test]
fn every_format_is_what_it_says_and_shows_the_picture() {
    for format in FORMATS {
        let file = finish(island(64, RED, [0; 3]), &Output { format, ..AS_IT_IS }).expect("a file");
        let reader = ImageReader::new(Cursor::new(&file)).with_guessed_format().expect("a format");
        assert_eq!(reader.format().map(|f| f.to_mime_type()), Some(content_type(format)));
        let file = reader.decode().expect("readable");
        assert_eq!(file.color().has_alpha(), format != OutputFormat::Jpeg, "{format:?}");
        let picture = file.into_rgba8();
        assert_eq!(picture.dimensions(), (64, 64), "{format:?}");
        let [r, g, b, a] = picture.get_pixel(32, 32).0;
        assert!(r.abs_diff(200) < 8 && g < 8 && b < 8 && a == 255, "{format:?}: {:?}", [r, g, b, a]);
        let outside = picture.get_pixel(2, 2).0[3];
        assert_eq!(outside, if format == OutputFormat::Jpeg { 255 } else { 0 }, "{format:?}");
    }
}

#[test]
fn webp_ends_at_16383_pixels_a_side() {
    let output = Output { format: OutputFormat::Webp, ..AS_IT_IS };
    assert!(finish(RgbaImage::new(16_383, 1), &output).is_ok());
    let refused = finish(RgbaImage::new(16_384, 1), &output);
    assert!(matches!(refused, Err(PictureError::Webp(_))), "{refused:?}");
}

#[test]
fn a_mask_is_read_as_shades_or_as_the_opacity_of_a_cutout() {
    let mask = GrayImage::from_fn(8, 4, |x, y| Luma([u8::try_from(60 * y + x).expect("few shades")]));
    let shades = decode_mask(&file_of(&mask.clone().into(), ImageFormat::Png), 32).expect("readable");
    assert_eq!(shades, mask);
    let cutout = RgbaImage::from_fn(8, 4, |x, y| Rgba([1, 2, 3, mask.get_pixel(x, y).0[0]]));
    let opacity = decode_mask(&file_of(&cutout.into(), ImageFormat::Png), 32).expect("readable");
    assert_eq!(opacity, mask);
    assert!(decode_mask(&file_of(&mask.into(), ImageFormat::Png), 31).is_err(), "more pixels than were agreed");
}

#[test]
fn what_others_read_differently_is_made_plain() {
    let rgba = DynamicImage::from(distinct(6, 5));
    for alike in [rgba.to_rgb8().into(), rgba.to_rgb16().into(), rgba.to_luma8().into(), rgba.clone()] {
        let made = plain(&file_of(&alike, ImageFormat::Png), 30).expect("readable");
        assert_eq!(made, None, "{:?} is read alike", alike.color());
    }
    let deep = plain(&file_of(&rgba.to_luma16().into(), ImageFormat::Png), 30).expect("readable").expect("made plain");
    let deep = image::load_from_memory(&deep).expect("a picture");
    assert_eq!(
        (deep.color(), deep.to_rgba8()),
        (image::ColorType::Rgb8, DynamicImage::from(rgba.to_luma8()).to_rgba8())
    );
}

#[test]
fn what_is_transparent_is_made_white_whatever_colour_hides_there() {
    let hiding = DynamicImage::from(island(8, RED, [255, 0, 255]));
    let mut extended = Vec::new();
    let mut encoder = codecs::webp::WebPEncoder::new_lossless(&mut extended);
    encoder.set_exif_metadata(exif(1)).expect("EXIF in WebP");
    hiding.write_with_encoder(encoder).expect("a file");
    for file in [file_of(&hiding, ImageFormat::Png), file_of(&hiding, ImageFormat::WebP), extended] {
        let made = plain(&file, 64).expect("readable").expect("made plain");
        let made = image::load_from_memory(&made).expect("a picture").into_rgb8();
        assert_eq!((made.get_pixel(0, 0).0, made.get_pixel(4, 4).0), ([255; 3], [200, 0, 0]));
    }
    assert!(plain(&file_of(&hiding, ImageFormat::Png)[..60], 64).is_err());
}
