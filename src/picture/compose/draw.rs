//! The result's pixels.

use super::{Area, layout::Layout};
use crate::{
    domain::form::Rgba,
    picture::{
        PictureError,
        colour::over,
        resize::{Part, resize, resize_part},
    },
};
use image::{RgbaImage, imageops};

/// What comes behind the subject.
pub(super) enum Behind {
    Nothing,
    Colour(Rgba),
    Picture(RgbaImage),
}

impl Behind {
    /// Whether something may be transparent where the subject is.
    pub(super) fn may_be_transparent(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Colour(colour) => colour.a != u8::MAX,
            Self::Picture(picture) => picture.pixels().any(|pixel| pixel.0[3] != u8::MAX),
        }
    }
}

/// Draws the subject and what is behind it in the result's size.
pub(super) fn draw(
    cut: RgbaImage,
    layout: &Layout,
    size: (u32, u32),
    behind: Behind,
) -> Result<RgbaImage, PictureError> {
    let mut picture = subject(cut, layout, size)?;
    match behind {
        Behind::Nothing => {}
        Behind::Colour(colour) => {
            for pixel in picture.pixels_mut() {
                pixel.0 = over(pixel.0, colour);
            }
        }
        Behind::Picture(behind) => {
            let behind = resize_part(&behind, filling(behind.dimensions(), size), size)?;
            for (pixel, behind) in picture.pixels_mut().zip(behind.pixels()) {
                let [r, g, b, a] = behind.0;
                pixel.0 = over(pixel.0, Rgba { r, g, b, a });
            }
        }
    }
    Ok(picture)
}

/// The subject alone, in its place. What lies around it in the cut does not blur into its edges.
fn subject(cut: RgbaImage, layout: &Layout, size: (u32, u32)) -> Result<RgbaImage, PictureError> {
    let (part, place) = (layout.part, layout.place(size));
    let mut subject = if part == Area::whole(cut.dimensions()) {
        cut
    } else {
        imageops::crop_imm(&cut, part.left, part.top, part.width, part.height).to_image()
    };
    if subject.dimensions() != place.size() {
        subject = resize(&subject, place.size())?;
    }
    if subject.dimensions() == size {
        return Ok(subject);
    }
    let mut canvas = RgbaImage::new(size.0, size.1);
    imageops::replace(&mut canvas, &subject, place.left.into(), place.top.into());
    Ok(canvas)
}

/// The middle of a picture of size `from` that has the proportions of `to`, as large as there is.
fn filling(from: (u32, u32), to: (u32, u32)) -> Part {
    let [width, height] = [from.0, from.1].map(f64::from);
    let [to_width, to_height] = [to.0, to.1].map(f64::from);
    let (part_width, part_height) = if u64::from(from.0) * u64::from(to.1) > u64::from(to.0) * u64::from(from.1) {
        ((height * to_width / to_height).min(width), height)
    } else {
        (width, (width * to_height / to_width).min(height))
    };
    Part { left: (width - part_width) / 2.0, top: (height - part_height) / 2.0, width: part_width, height: part_height }
}
