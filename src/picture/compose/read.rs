//! The cut as it is to be laid out: upright, as large as the input, and nothing outside of the region of interest.

use super::{ComposeError, Sources, judge_region};
use crate::{
    domain::composition::{Channels, Composition, Encoding},
    picture::{
        colour::mask_of,
        decode::{self, decode},
        resize::resize,
    },
};
use image::{DynamicImage, Rgba, RgbaImage, metadata::Orientation};

const CLEAR: Rgba<u8> = Rgba([0; 4]);

pub(super) fn cut(sources: &Sources<'_>, composition: &Composition) -> Result<RgbaImage, ComposeError> {
    let most_pixels = sources.input.most_pixels;
    let cut = decode(sources.cut, most_pixels).map_err(ComposeError::Cut)?;
    // What only the backend can read is as large as it says.
    let (stored, orientation) = decode::stored(sources.input.file, most_pixels)
        .unwrap_or_else(|_| (cut.dimensions(), Orientation::NoTransforms));
    let mut cut = fitted(cut, stored, orientation)?;
    if composition.encoding == Encoding::Zip && composition.channels == Channels::Rgba {
        cut = in_own_colours(cut, sources)?;
    }
    let region = composition.region.as_ref().map(|region| judge_region(region, cut.dimensions())).transpose()?;
    for (x, y, pixel) in cut.enumerate_pixels_mut() {
        // What is not seen is not in the file either.
        if pixel.0[3] == 0 || region.is_some_and(|region| !region.contains(x, y)) {
            *pixel = CLEAR;
        }
    }
    Ok(cut)
}

/// The cut in the size of the upright input.
fn fitted(cut: RgbaImage, stored: (u32, u32), orientation: Orientation) -> Result<RgbaImage, ComposeError> {
    let is_turned = decode::is_turned(orientation);
    let size = if is_turned { (stored.1, stored.0) } else { stored };
    if cut.dimensions() == size {
        return Ok(cut);
    }
    let cut = if is_turned && !is_alike(cut.dimensions(), size) && is_alike(cut.dimensions(), stored) {
        // A backend that knows nothing of EXIF leaves the picture on its side.
        let mut cut = DynamicImage::ImageRgba8(cut);
        cut.apply_orientation(orientation);
        cut.into_rgba8()
    } else {
        cut
    };
    if cut.dimensions() == size {
        return Ok(cut);
    }
    if !is_alike(cut.dimensions(), size) {
        return Err(ComposeError::CutShape { cut: cut.dimensions(), input: size });
    }
    resize(&cut, size).map_err(ComposeError::Result)
}

/// Whether two sizes have the same proportions, within a pixel of the first.
fn is_alike(one: (u32, u32), other: (u32, u32)) -> bool {
    let product = |a, b| u64::from(a) * u64::from(b);
    let difference = product(one.0, other.1).abs_diff(product(one.1, other.0));
    difference <= u64::from(other.0.max(other.1))
}

/// The cut's opacity with the input's colours: a backend may have changed them along the edges.
fn in_own_colours(cut: RgbaImage, sources: &Sources<'_>) -> Result<RgbaImage, ComposeError> {
    let opacity = mask_of(&cut);
    drop(cut);
    let mut input = decode(sources.input.file, sources.input.most_pixels).map_err(ComposeError::Input)?;
    for (pixel, opacity) in input.pixels_mut().zip(opacity.pixels()) {
        pixel.0[3] = opacity.0[0];
    }
    Ok(input)
}
