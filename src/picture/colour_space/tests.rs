//! Against what `LittleCMS` says: the tables are printed by tests/pictures/profiles.py.

use crate::picture::{decode, tests::FORMATS_WITH_PROFILES};
use image::{DynamicImage, GrayImage, ImageEncoder as _, ImageFormat, Luma, Rgb, RgbImage, codecs};
use moxcms::ColorProfile;
use proptest::prelude::*;

const DISPLAY_P3: &[u8] = include_bytes!("../../../tests/pictures/display-p3.icc");
const GREY_18: &[u8] = include_bytes!("../../../tests/pictures/grey-gamma-1.8.icc");

/// A colour in Display P3, and in sRGB.
const COLOURS: [([u8; 3], [u8; 3]); 9] = [
    ([0, 0, 0], [0, 0, 0]),
    ([255, 255, 255], [255, 255, 255]),
    ([128, 128, 128], [128, 128, 128]),
    ([200, 100, 50], [215, 93, 31]),
    ([50, 160, 90], [0, 163, 82]),
    ([70, 90, 180], [64, 91, 186]),
    ([230, 180, 170], [239, 177, 168]),
    ([255, 0, 0], [255, 0, 0]),
    ([0, 255, 0], [0, 255, 0]),
];

/// A shade of gamma 1.8, and in sRGB.
const SHADES: [(u8, u8); 6] = [(0, 0), (20, 26), (64, 81), (128, 146), (200, 210), (255, 255)];

/// The difference that two good conversions may have.
const ROUNDING: u8 = 2;

/// A field of 16 x 16 pixels.
fn field(colour: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(16, 16, Rgb(colour)).into()
}

fn shade(shade: u8) -> DynamicImage {
    GrayImage::from_pixel(16, 16, Luma([shade])).into()
}

fn file(picture: &DynamicImage, format: ImageFormat, profile: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let profile = profile.to_vec();
    let written = if format == ImageFormat::Png {
        let mut encoder = codecs::png::PngEncoder::new(&mut file);
        encoder.set_icc_profile(profile).expect("a profile in PNG");
        picture.write_with_encoder(encoder)
    } else if format == ImageFormat::Jpeg {
        let mut encoder = codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 100);
        encoder.set_icc_profile(profile).expect("a profile in JPEG");
        picture.write_with_encoder(encoder)
    } else {
        let mut encoder = codecs::webp::WebPEncoder::new_lossless(&mut file);
        encoder.set_icc_profile(profile).expect("a profile in WebP");
        picture.write_with_encoder(encoder)
    };
    written.expect("a file");
    file
}

/// The colour in the middle of the file's picture.
fn read(file: &[u8]) -> [u8; 3] {
    let [rgb @ .., opacity] = decode(file, 256).expect("a picture that can be seen").get_pixel(8, 8).0;
    assert_eq!(opacity, 255);
    rgb
}

fn close(found: [u8; 3], expected: [u8; 3]) -> bool {
    found.into_iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= ROUNDING)
}

/// A PNG with a `cICP` chunk behind its header. Its checksum is right, or the decoder would not take the file.
fn with_code_points(png: &[u8], [primaries, transfer]: [u8; 2], checksum: u32) -> Vec<u8> {
    let chunk = [&b"\0\0\0\x04cICP"[..], &[primaries, transfer, 0, 1], &checksum.to_be_bytes()].concat();
    [&png[..33], &chunk, &png[33..]].concat()
}

#[test]
fn the_colours_of_a_display_p3_picture_become_those_of_srgb_in_every_format() {
    for (format, name) in FORMATS_WITH_PROFILES {
        for (wide, narrow) in COLOURS {
            let found = read(&file(&field(wide), format, DISPLAY_P3));
            assert!(close(found, narrow), "{name}: {wide:?} became {found:?} and not {narrow:?}");
        }
    }
}

#[test]
fn the_shades_of_a_grey_profile_become_those_of_srgb() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        for (stored, shown) in SHADES {
            let found = read(&file(&shade(stored), format, GREY_18));
            assert!(close(found, [shown; 3]), "{format:?}: {stored} became {found:?} and not {shown}");
        }
    }
    let grey = read(&file(&shade(128), ImageFormat::Png, DISPLAY_P3));
    assert!(close(grey, [128; 3]), "a grey picture may have a profile for colours: {grey:?}");
}

#[test]
fn the_opacity_stays_and_so_does_every_pixel_of_an_srgb_picture() {
    let picture = image::RgbaImage::from_fn(64, 64, |x, y| {
        let [x, y] = [x, y].map(|place| u8::try_from(4 * place).expect("a small picture"));
        image::Rgba([x, y, 255 - x, y])
    });
    let srgb = ColorProfile::new_srgb().encode().expect("a profile");
    let decoded =
        |profile| decode(&file(&picture.clone().into(), ImageFormat::Png, profile), 64 * 64).expect("readable");
    assert_eq!(decoded(&srgb), picture);
    let wide = decoded(DISPLAY_P3);
    assert_ne!(wide, picture);
    assert!(wide.pixels().zip(picture.pixels()).all(|(found, sent)| found.0[3] == sent.0[3]));
}

#[test]
fn code_points_of_a_png_count_before_its_profile() {
    let (wide, narrow) = COLOURS[3];
    let png = file(&field(wide), ImageFormat::Png, DISPLAY_P3);
    let display_p3 = with_code_points(&png, [12, 13], crc([12, 13]));
    assert!(close(read(&display_p3), narrow), "{:?}", read(&display_p3));
    let srgb = with_code_points(&png, [1, 13], crc([1, 13]));
    assert_eq!(read(&srgb), wide, "sRGB by its code points, whatever the profile says");
    for transfer in [16, 18] {
        let high_dynamic_range = with_code_points(&png, [9, transfer], crc([9, transfer]));
        assert_eq!(read(&high_dynamic_range), wide, "transfer {transfer}");
    }
}

/// CRC-32 of the chunk above, as PNG has it.
fn crc([primaries, transfer]: [u8; 2]) -> u32 {
    let chunk = [&b"cICP"[..], &[primaries, transfer, 0, 1]].concat();
    !chunk.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn a_profile_that_does_not_fit_or_cannot_be_read_is_as_good_as_none() {
    let (wide, _) = COLOURS[3];
    let of_inks = [&DISPLAY_P3[..16], b"CMYK", &DISPLAY_P3[20..]].concat();
    let long = [DISPLAY_P3, &vec![0; 2 << 20]].concat();
    let mut endless = DISPLAY_P3[..128].to_vec();
    endless.extend(80_000_u32.to_be_bytes());
    // The same long table again and again: read each time, it would take minutes.
    endless.extend([&b"A2B0"[..], &960_132_u32.to_be_bytes(), &80_000_u32.to_be_bytes()].concat().repeat(80_000));
    endless.extend(vec![0; 80_000]);
    for profile in [GREY_18, &of_inks, &long, &endless, b"no profile", &DISPLAY_P3[..300]] {
        for (format, name) in FORMATS_WITH_PROFILES {
            let found = read(&file(&field(wide), format, profile));
            let length = profile.len();
            assert!(close(found, wide), "{name}, {length} bytes of profile: {wide:?} became {found:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_broken_profile_loses_a_picture(
        changes in proptest::collection::vec((0_usize..500, any::<u8>()), 1..8),
        grey: bool,
        end in 100_usize..=500,
    ) {
        let mut profile = if grey { GREY_18 } else { DISPLAY_P3 }.to_vec();
        profile.truncate(end);
        for (at, byte) in changes {
            if let Some(place) = profile.get_mut(at) {
                *place = byte;
            }
        }
        let picture = if grey { shade(90) } else { field([200, 100, 50]) };
        read(&file(&picture, ImageFormat::Png, &profile));
    }
}
