//! The result's file.

use super::{Area, area::is_opaque, zip};
use crate::{
    domain::{
        composition::{Channels, Encoding},
        form::OutputFormat,
    },
    picture::{
        PictureError,
        colour::{WHITE, flatten, mask_of},
        encode::{self, encode_as},
    },
};
use image::{DynamicImage, RgbImage, RgbaImage};

/// The files in a zip file.
const COLOURS: &str = "color.jpg";
const OPACITY: &str = "alpha.png";

pub(super) fn content_type(encoding: Encoding) -> &'static str {
    match format(encoding) {
        Some(format) => encode::content_type(format),
        None => "application/zip",
    }
}

/// Encodes colours with opacity, or opacity alone as grey.
pub(super) fn write(picture: RgbaImage, channels: Channels, encoding: Encoding) -> Result<Vec<u8>, PictureError> {
    let is_alpha = channels == Channels::Alpha;
    match format(encoding) {
        Some(format) if is_alpha => encode_as(&DynamicImage::ImageLuma8(mask_of(&picture)), format, true),
        Some(format) => encode_as(&visible(picture, format), format, false),
        None => zipped(&picture, is_alpha),
    }
}

/// The format of a file that is one picture.
fn format(encoding: Encoding) -> Option<OutputFormat> {
    match encoding {
        Encoding::Auto | Encoding::Png => Some(OutputFormat::Png),
        Encoding::Jpeg => Some(OutputFormat::Jpeg),
        Encoding::Webp => Some(OutputFormat::Webp),
        Encoding::Zip => None,
    }
}

fn visible(picture: RgbaImage, format: OutputFormat) -> DynamicImage {
    if format == OutputFormat::Jpeg || is_opaque(&picture, Area::whole(picture.dimensions())) {
        DynamicImage::ImageRgb8(flatten(&picture, WHITE))
    } else {
        DynamicImage::ImageRgba8(picture)
    }
}

/// Colours and opacity as two pictures. Opacity alone is the second of them.
fn zipped(picture: &RgbaImage, is_alpha: bool) -> Result<Vec<u8>, PictureError> {
    let opacity = encode_as(&DynamicImage::ImageLuma8(mask_of(picture)), OutputFormat::Png, true)?;
    if is_alpha {
        return zip::stored(&[(OPACITY, &opacity)]);
    }
    let colours = encode_as(&DynamicImage::ImageRgb8(bare(picture)), OutputFormat::Jpeg, false)?;
    zip::stored(&[(COLOURS, &colours), (OPACITY, &opacity)])
}

/// The colours where anything is visible, black elsewhere.
fn bare(picture: &RgbaImage) -> RgbImage {
    let mut bare = RgbImage::new(picture.width(), picture.height());
    for (to, from) in bare.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, a] = from.0;
        if a != 0 {
            to.0 = [r, g, b];
        }
    }
    bare
}
