//! Picture work: decode, cut, resize, rotate, colour, encode. Nothing here waits; it only computes.
//!
//! It is for backends that cannot do everything that the form asks for. [`finish`] does the rest, in the contract's
//! order: cut, resize, then rotate. Colours and the mask come last, so that the corners that a rotation adds are
//! coloured too. [`compose`](compose()) does what other APIs ask for beyond our form.

mod bounds;
mod colour;
mod colour_space;
mod compose;
mod cut;
mod decode;
mod encode;
mod plain;
mod png;
mod resize;
mod rotate;
#[cfg(test)]
mod tests;

pub use bounds::{Bounds, TooMuch};
pub use colour::{WHITE, flatten};
pub use compose::{
    Area, ComposeError, Composed, RegionFault, Source, Sources, compose, judge_region, judge_region_by_header, memory,
};
pub use cut::{Cut, cut};
pub use decode::{decode, decode_mask, upright_size};
pub use encode::content_type;
pub use plain::plain;
pub use resize::{resize, resize_mask};

use crate::domain::form::Output;
use image::RgbaImage;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file's header may be right, but its pixels cannot be read.
    #[error("unreadable: {0}")]
    Unreadable(#[source] image::ImageError),
    /// The file ends before its picture does.
    #[error("unreadable: the file is cut short")]
    Truncated,
    /// The file holds more pixels than were agreed, or none.
    #[error("{width} x {height} pixels, at most {most} were agreed")]
    WrongSize {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Width × height at most.
        most: u64,
    },
    /// The file would be longer than a zip file can say.
    #[error("encode zip: too long")]
    Zip,
    /// The pixels could not be resized.
    #[error("resize: {0}")]
    Resize(#[from] fast_image_resize::ResizeError),
    /// The pixels are not as many as the size says.
    #[error("resize: {0}")]
    Buffer(#[from] fast_image_resize::ImageBufferError),
    /// The output format cannot hold the picture.
    #[error("encode: {0}")]
    Encode(#[source] image::ImageError),
    /// WebP cannot hold the picture: it ends at 16383 pixels a side.
    #[error("encode webp: {0:?}")]
    Webp(webp::WebPEncodingError),
}

/// The width and height in pixels of the result of [`finish`] for a picture of `size`. A form that asks for too much
/// can be refused before anything is computed.
#[must_use]
pub fn result_size(size: (u32, u32), output: &Output) -> (u32, u32) {
    rotate::rotated_size(resize::fitted_size(size, output), output)
}

/// Does everything that follows once the background is gone: resize, rotate, colour (or show the mask), encode.
pub fn finish(cutout: RgbaImage, output: &Output) -> Result<Vec<u8>, PictureError> {
    let fitted = resize::fit(cutout, output)?;
    let rotated = rotate::rotate(fitted, output);
    encode::encode(&colour::colour(rotated, output), output)
}
