//! The size that the form asks for, and resizing to it.

use super::PictureError;
use crate::domain::form::Output;
use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x4},
};
use image::{GrayImage, RgbaImage};

/// The contract's largest `w` and `h`. A side that follows from the aspect ratio obeys it too; otherwise a 10000 × 1
/// picture could ask for terabytes.
const LONGEST_SIDE: u32 = 10_000;

type Size = (u32, u32);

/// The size that `w`, `h` and `exact_resize` ask for: the largest that fits, smaller or larger than the picture, or exactly
/// `w` × `h`. Without `w` and `h` it is the picture's own.
pub(super) fn fitted_size(size: (u32, u32), output: &Output) -> (u32, u32) {
    match (output.w, output.h) {
        (None, None) => size,
        (Some(w), Some(h)) if output.exact_resize => (w, h),
        (w, h) => fit_inside(size, (w.unwrap_or(LONGEST_SIDE), h.unwrap_or(LONGEST_SIDE))),
    }
}

/// Resizes a cut-out as the form asks.
pub(super) fn fit(cutout: RgbaImage, output: &Output) -> Result<RgbaImage, PictureError> {
    let size = fitted_size(cutout.dimensions(), output);
    if size == cutout.dimensions() { Ok(cutout) } else { resize(&cutout, size) }
}

/// Resizes by Lanczos3 to width and height in pixels, at least 1 each. Transparent pixels do not affect the colours of
/// others.
pub fn resize(picture: &RgbaImage, size: (u32, u32)) -> Result<RgbaImage, PictureError> {
    let mut resized = RgbaImage::new(size.0, size.1);
    convolve::<U8x4>((picture, picture.dimensions()), (&mut resized, size), &lanczos())?;
    Ok(resized)
}

/// A part of a picture, in pixels, which need not be whole ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    /// From the picture's left edge.
    pub(super) left: f64,
    /// From the picture's top edge.
    pub(super) top: f64,
    /// To the right of `left`; the part does not exceed the picture.
    pub(super) width: f64,
    /// Below `top`; the part does not exceed the picture.
    pub(super) height: f64,
}

/// Resizes a part of a picture as [`resize`] does. What lies around it counts for the pixels at its edges.
pub(super) fn resize_part(picture: &RgbaImage, part: Part, size: Size) -> Result<RgbaImage, PictureError> {
    let mut resized = RgbaImage::new(size.0, size.1);
    let options = lanczos().crop(part.left, part.top, part.width, part.height);
    convolve::<U8x4>((picture, picture.dimensions()), (&mut resized, size), &options)?;
    Ok(resized)
}

/// Resizes a mask by Lanczos3 to width and height in pixels, at least 1 each.
pub fn resize_mask(mask: &GrayImage, size: (u32, u32)) -> Result<GrayImage, PictureError> {
    let mut resized = GrayImage::new(size.0, size.1);
    convolve::<U8>((mask, mask.dimensions()), (&mut resized, size), &lanczos())?;
    Ok(resized)
}

/// The largest size of the same proportions inside a box.
fn fit_inside((width, height): (u32, u32), (w, h): (u32, u32)) -> (u32, u32) {
    if u64::from(w) * u64::from(height) <= u64::from(h) * u64::from(width) {
        (w, proportional(height, w, width))
    } else {
        (proportional(width, h, height), h)
    }
}

/// `side` × `numerator` / `denominator`, to the nearest pixel, never none.
pub(super) fn proportional(side: u32, numerator: u32, denominator: u32) -> u32 {
    let denominator = u64::from(denominator.max(1));
    let scaled = (u64::from(side) * u64::from(numerator) + denominator / 2) / denominator;
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

fn lanczos() -> ResizeOptions {
    ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
}

/// Asks for the kind of pixel when this is compiled. The library's general function asks at run time, and so brings four
/// megabytes of code for kinds that are never used.
fn convolve<P: PixelTrait>(
    from: (&[u8], Size),
    to: (&mut [u8], Size),
    options: &ResizeOptions,
) -> Result<(), PictureError> {
    let (from, from_size) = from;
    let (to, to_size) = to;
    let from = TypedImageRef::<P>::from_buffer(from_size.0, from_size.1, from)?;
    let mut to = TypedImage::<P>::from_buffer(to_size.0, to_size.1, to)?;
    Ok(Resizer::new().resize_typed(&from, &mut to, options)?)
}
