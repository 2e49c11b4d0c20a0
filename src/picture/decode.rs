//! From a file's bytes to upright pixels.

mod jpeg;

use super::PictureError;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits, RgbaImage, metadata::Orientation};
use std::io::Cursor;

/// Sixteen bits in each of four channels: the widest pixel there is.
const MOST_BYTES_PER_PIXEL: u64 = 8;

/// What a decoder may allocate beside the pixels.
const DECODER_SLACK: u64 = 8 * 1024 * 1024;

/// Reads a PNG, JPEG, WebP or BMP file, whatever its name, and turns it upright by its EXIF orientation.
///
/// `most_pixels` is the width × height that the caller has agreed to; a decoder's memory is bounded by it. Of an animation
/// it is the first frame.
pub fn decode(file: &[u8], most_pixels: u64) -> Result<RgbaImage, PictureError> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most_pixels.saturating_mul(MOST_BYTES_PER_PIXEL).saturating_add(DECODER_SLACK));

    let unreadable = PictureError::Unreadable;
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|e| unreadable(e.into()))?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg::is_complete(file) {
        return Err(PictureError::Truncated);
    }
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > most_pixels {
        return Err(PictureError::WrongSize { width, height, most: most_pixels });
    }
    // Broken metadata is no reason to refuse a picture that can be seen.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    limits.reserve(decoder.total_bytes()).map_err(unreadable)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    let mut picture = DynamicImage::ImageRgba8(picture.into_rgba8());
    picture.apply_orientation(orientation);
    Ok(picture.into_rgba8())
}
