//! The file has everything that the form asks for: each is decoded again.

mod bounds;
mod files;
mod geometry;
mod looks;

use super::{Bounds, TooMuch, cut, decode, decode_mask, finish, plain, result_size};
use crate::domain::form::{Output, OutputFormat};
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

const FORMATS: [OutputFormat; 4] = [OutputFormat::Webp, OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Bmp];

/// Formats that can name a profile.
pub(super) const FORMATS_WITH_PROFILES: [(ImageFormat, &str); 3] =
    [(ImageFormat::Png, "PNG"), (ImageFormat::Jpeg, "JPEG"), (ImageFormat::WebP, "WebP")];

const RED: Rgba<u8> = Rgba([200, 0, 0, 255]);
const BLUE: Rgba<u8> = Rgba([0, 0, 200, 255]);
const CLEAR: Rgba<u8> = Rgba([0; 4]);

/// A form that asks for nothing but a PNG.
const AS_IT_IS: Output = Output {
    format: OutputFormat::Png,
    w: None,
    h: None,
    exact_resize: false,
    mask: false,
    bg_color: None,
    angle: 0.0,
    expand: true,
};

/// The finished file, decoded in its own colour type.
fn read_back(cutout: RgbaImage, output: &Output) -> DynamicImage {
    let file = finish(cutout, output).expect("a file");
    image::load_from_memory(&file).expect("a file that can be read")
}

/// The finished picture with its opacity.
fn finished(cutout: RgbaImage, output: Output) -> RgbaImage {
    read_back(cutout, &output).into_rgba8()
}

/// A picture in which no two pixels are alike.
fn distinct(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let [x, y] = [x, y].map(|place| u8::try_from(place).expect("a small picture"));
        Rgba([x, y, 255 - x, 255])
    })
}

/// An opaque square in the middle of a transparent one, whose hidden colour is another.
fn island(side: u32, shown: Rgba<u8>, hidden: [u8; 3]) -> RgbaImage {
    let inner = side / 4..side * 3 / 4;
    let [r, g, b] = hidden;
    RgbaImage::from_fn(
        side,
        side,
        |x, y| {
            if inner.contains(&x) && inner.contains(&y) { shown } else { Rgba([r, g, b, 0]) }
        },
    )
}
