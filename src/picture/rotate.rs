//! Rotation, counter-clockwise about the centre. Quarter turns move pixels; any other angle samples them.

mod sample;

use crate::domain::form::Output;
use image::{RgbaImage, imageops};
use sample::sample;

/// A rotation, without the full circles.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rotation {
    /// This many quarter turns, 0–3.
    Quarters(u8),
    /// Cosine and sine of any other angle.
    Free(f64, f64),
}

impl Rotation {
    fn of(degrees: f64) -> Self {
        // The remainder of a tiny negative angle rounds up to a full circle.
        let degrees = degrees.rem_euclid(360.0) % 360.0;
        for (quarters, exact) in [(0, 0.0), (1, 90.0), (2, 180.0), (3, 270.0)] {
            if (degrees - exact).abs() < f64::EPSILON {
                return Self::Quarters(quarters);
            }
        }
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self::Free(round_off(cos), round_off(sin))
    }
}

/// The size of a picture of `size` once rotated.
pub(super) fn rotated_size((width, height): (u32, u32), output: &Output) -> (u32, u32) {
    match Rotation::of(output.angle) {
        _ if !output.expand => (width, height),
        Rotation::Quarters(1 | 3) => (height, width),
        Rotation::Quarters(_) => (width, height),
        Rotation::Free(cos, sin) => {
            let (w, h) = (f64::from(width), f64::from(height));
            (spanned(w, w * cos.abs() + h * sin.abs()), spanned(h, w * sin.abs() + h * cos.abs()))
        }
    }
}

/// Rotates by `angle`; with `expand` the canvas grows so that nothing is cropped, otherwise it keeps its size. New corners
/// are transparent.
pub(super) fn rotate(picture: RgbaImage, output: &Output) -> RgbaImage {
    let size = rotated_size(picture.dimensions(), output);
    match Rotation::of(output.angle) {
        Rotation::Quarters(0) => picture,
        Rotation::Quarters(1) => centred(imageops::rotate270(&picture), size),
        Rotation::Quarters(2) => imageops::rotate180(&picture),
        Rotation::Quarters(_) => centred(imageops::rotate90(&picture), size),
        Rotation::Free(cos, sin) => freely(&picture, (cos, sin), size),
    }
}

/// Rounds off the last digit, which is noise: the cosine of 60° is 0.5000000000000001, and would cost a row of pixels.
fn round_off(x: f64) -> f64 {
    (x * 1e15).round() / 1e15
}

/// Whole pixels that a length covers when it is centred over a side, counted as Pillow does.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length of at most 15,000 pixels")]
fn spanned(side: f64, length: f64) -> u32 {
    (f64::midpoint(side, length).ceil() - ((side - length) / 2.0).floor()) as u32
}

/// The picture in the middle of a canvas, cropped or padded to it; half a pixel is rounded down.
fn centred(picture: RgbaImage, (width, height): (u32, u32)) -> RgbaImage {
    if picture.dimensions() == (width, height) {
        return picture;
    }
    let mut canvas = RgbaImage::new(width, height);
    let left = (i64::from(width) - i64::from(picture.width())).div_euclid(2);
    let top = (i64::from(height) - i64::from(picture.height())).div_euclid(2);
    imageops::replace(&mut canvas, &picture, left, top);
    canvas
}

fn freely(picture: &RgbaImage, (cos, sin): (f64, f64), (width, height): (u32, u32)) -> RgbaImage {
    let (from_x, from_y) = (f64::from(picture.width()) / 2.0, f64::from(picture.height()) / 2.0);
    let (to_x, to_y) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    RgbaImage::from_fn(width, height, |x, y| {
        // Centre of the new pixel, seen from the new centre; rotated back, seen from the old corner.
        let (dx, dy) = (f64::from(x) + 0.5 - to_x, f64::from(y) + 0.5 - to_y);
        sample(picture, cos * dx - sin * dy + from_x, sin * dx + cos * dy + from_y)
    })
}
