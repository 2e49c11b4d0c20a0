//! From pixels to a file's bytes.

use super::PictureError;
use crate::domain::form::{Output, OutputFormat};
use image::{
    DynamicImage,
    codecs::{bmp::BmpEncoder, jpeg::JpegEncoder, png::PngEncoder},
};
use webp::{WebPConfig, WebPEncodingError};

/// JPEG quality, 1–100. The loss is hardly visible, at a third of the size of 100.
const JPEG_QUALITY: u8 = 90;

/// WebP quality of the colours, 0–100; opacity is always kept exactly.
const WEBP_QUALITY: f32 = 85.0;

/// How hard WebP tries, 0–6. For a cut-out of 12 megapixels 2 takes 1.2 s; 4 takes 1.6 s for 7 % less, 0 takes half of the time
/// for twice the bytes.
const WEBP_EFFORT: i32 = 2;

/// Bytes before the pixels of a BMP: its headers, and the palette where there are only shades of grey.
const BMP_HEADER: u64 = 54;
const BMP_HEADER_WITH_OPACITY: u64 = 122;
const BMP_PALETTE: u64 = 4 * 256;

const NO_CONFIGURATION: WebPEncodingError = WebPEncodingError::VP8_ENC_ERROR_INVALID_CONFIGURATION;

/// The media type of the result of [`finish`](super::finish).
#[must_use]
pub fn content_type(format: OutputFormat) -> &'static str {
    match format {
        OutputFormat::Webp => "image/webp",
        OutputFormat::Png => "image/png",
        OutputFormat::Jpeg => "image/jpeg",
        OutputFormat::Bmp => "image/bmp",
    }
}

/// Bytes of the file for a picture of `size`, if that is known beforehand. It is for a BMP, which is not compressed. It
/// is not for the others: a picture of one colour takes next to none.
pub(super) fn foreseen_length((width, height): (u32, u32), output: &Output) -> Option<u64> {
    let rows_of = |bytes_per_pixel: u64| u64::from(height) * (u64::from(width) * bytes_per_pixel).next_multiple_of(4);
    match output.format {
        OutputFormat::Webp | OutputFormat::Png | OutputFormat::Jpeg => None,
        OutputFormat::Bmp if output.mask => Some(BMP_HEADER + BMP_PALETTE + rows_of(1)),
        OutputFormat::Bmp if output.bg_color.is_some_and(|behind| behind.a == u8::MAX) => Some(BMP_HEADER + rows_of(3)),
        OutputFormat::Bmp => Some(BMP_HEADER_WITH_OPACITY + rows_of(4)),
    }
}

/// Encodes in the format that the form asks for.
pub(super) fn encode(picture: &DynamicImage, output: &Output) -> Result<Vec<u8>, PictureError> {
    encode_as(picture, output.format, output.mask)
}

/// Encodes in a format. A mask is kept exactly where the format allows for it.
pub(super) fn encode_as(picture: &DynamicImage, format: OutputFormat, mask: bool) -> Result<Vec<u8>, PictureError> {
    let mut file = Vec::new();
    let written = match format {
        OutputFormat::Webp => return webp(picture, mask),
        OutputFormat::Png => picture.write_with_encoder(PngEncoder::new(&mut file)),
        OutputFormat::Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY)),
        OutputFormat::Bmp => picture.write_with_encoder(BmpEncoder::new(&mut file)),
    };
    written.map_err(PictureError::Encode)?;
    Ok(file)
}

/// A mask is data rather than something to look at, so it is kept exactly.
fn webp(picture: &DynamicImage, lossless: bool) -> Result<Vec<u8>, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    let mut config = WebPConfig::new().map_err(|()| PictureError::Webp(NO_CONFIGURATION))?;
    config.lossless = i32::from(lossless);
    config.quality = WEBP_QUALITY;
    config.method = WEBP_EFFORT;
    let written = if let DynamicImage::ImageRgba8(pixels) = picture {
        webp::Encoder::from_rgba(pixels, width, height).encode_advanced(&config)
    } else {
        webp::Encoder::from_rgb(&picture.to_rgb8(), width, height).encode_advanced(&config)
    };
    Ok(written.map_err(PictureError::Webp)?.to_vec())
}
