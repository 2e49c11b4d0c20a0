//! From a file's bytes to upright pixels in sRGB.

mod jpeg;

use super::{PictureError, colour_space};
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage, metadata::Orientation,
};
use std::io::Cursor;

/// Sixteen bits in each of four channels: the widest pixel there is.
const MOST_BYTES_PER_PIXEL: u64 = 8;

/// The memory that a decoder may allocate beside the pixels.
const DECODER_SLACK: u64 = 8 * 1024 * 1024;

/// Reads a PNG, JPEG, WebP or BMP file, whatever its name, turns it upright by its EXIF orientation, and converts its
/// colours to sRGB by its profile.
///
/// `most_pixels` is the largest width × height that is accepted; it bounds the decoder's memory. Of an animation, the
/// first frame is read.
pub fn decode(file: &[u8], most_pixels: u64) -> Result<RgbaImage, PictureError> {
    let mut decoder = decoder(file, most_pixels)?;
    // Broken metadata is no reason to refuse a picture that can be seen.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let to_srgb = colour_space::stated(file, &mut decoder);
    let picture = DynamicImage::from_decoder(decoder).map_err(PictureError::Unreadable)?;
    let mut pixels = picture.into_rgba8();
    if let Some(to_srgb) = to_srgb {
        to_srgb.apply(&mut pixels);
    }
    let mut picture = DynamicImage::ImageRgba8(pixels);
    picture.apply_orientation(orientation);
    Ok(picture.into_rgba8())
}

/// The width and height in pixels of a picture that [`decode`] would turn upright. Of the file only what describes the
/// picture is read, which in a WebP stands behind the pixels.
///
/// `most_pixels` is as in [`decode`].
pub fn upright_size(file: &[u8], most_pixels: u64) -> Result<(u32, u32), PictureError> {
    let ((width, height), orientation) = stored(file, most_pixels)?;
    Ok(if is_turned(orientation) { (height, width) } else { (width, height) })
}

/// The size of a picture as the file has it, and what turns it upright.
pub(super) fn stored(file: &[u8], most_pixels: u64) -> Result<((u32, u32), Orientation), PictureError> {
    let mut decoder = decoder(file, most_pixels)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder.dimensions(), orientation))
}

/// Whether width and height change places.
pub(super) fn is_turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Reads a mask: its shades, or its opacity if it is a cut-out.
///
/// `most_pixels` is as in [`decode`].
pub fn decode_mask(file: &[u8], most_pixels: u64) -> Result<GrayImage, PictureError> {
    let decoder = decoder(file, most_pixels)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(PictureError::Unreadable)?;
    if picture.color().has_alpha() {
        return Ok(super::colour::mask_of(&picture.into_rgba8()));
    }
    Ok(picture.into_luma8())
}

/// A decoder that has read the size, and may take the memory that this size needs.
fn decoder(file: &[u8], most_pixels: u64) -> Result<impl ImageDecoder, PictureError> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most_pixels.saturating_mul(MOST_BYTES_PER_PIXEL).saturating_add(DECODER_SLACK));

    let unreadable = PictureError::Unreadable;
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|e| unreadable(e.into()))?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg::is_complete(file) {
        return Err(PictureError::Truncated);
    }
    reader.limits(limits.clone());
    let decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > most_pixels {
        return Err(PictureError::WrongSize { width, height, most: most_pixels });
    }
    limits.reserve(decoder.total_bytes()).map_err(unreadable)?;
    Ok(decoder)
}
