//! The colours that are seen where the background was.

use crate::domain::form::{Output, OutputFormat, Rgba};
use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};

/// The colour behind the subject if a format has no transparency and no colour was asked for.
pub const WHITE: Rgba = Rgba { r: 255, g: 255, b: 255, a: 255 };

/// The picture as it is to be encoded: its mask in grey, or its colours, with a fourth channel only if some of it may be
/// transparent. A mask shows no colour; the form allows only one of the two.
pub(super) fn colour(mut picture: RgbaImage, output: &Output) -> DynamicImage {
    if output.mask {
        return DynamicImage::ImageLuma8(mask_of(&picture));
    }
    if let Some(behind) = output.bg_color {
        if behind.a == u8::MAX {
            return DynamicImage::ImageRgb8(flatten(&picture, behind));
        }
        for pixel in picture.pixels_mut() {
            pixel.0 = over(pixel.0, behind);
        }
    }
    match output.format {
        OutputFormat::Jpeg => DynamicImage::ImageRgb8(flatten(&picture, WHITE)),
        OutputFormat::Webp | OutputFormat::Png | OutputFormat::Bmp => DynamicImage::ImageRgba8(picture),
    }
}

/// The picture on an opaque colour.
#[must_use]
pub fn flatten(picture: &RgbaImage, behind: Rgba) -> RgbImage {
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (to, from) in flat.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, _] = over(from.0, behind);
        to.0 = [r, g, b];
    }
    flat
}

/// The opacity of each pixel, as a shade of grey.
pub(super) fn mask_of(picture: &RgbaImage) -> GrayImage {
    let mut mask = GrayImage::new(picture.width(), picture.height());
    for (to, from) in mask.pixels_mut().zip(picture.pixels()) {
        to.0 = [from.0[3]];
    }
    mask
}

/// The Porter-Duff operator "over", rounded to the nearest.
pub(super) fn over(front: [u8; 4], behind: Rgba) -> [u8; 4] {
    if front[3] == u8::MAX {
        return front;
    }
    let [r, g, b, a] = front.map(u32::from);
    // Opacities in 255ths of 255ths.
    let shown = a * 255;
    let seen_through = u32::from(behind.a) * (255 - a);
    let total = shown + seen_through;
    if total == 0 {
        return [0; 4];
    }
    let mixed = |front: u32, behind: u8| byte((front * shown + u32::from(behind) * seen_through + total / 2) / total);
    [mixed(r, behind.r), mixed(g, behind.g), mixed(b, behind.b), byte((total + 127) / 255)]
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}
