//! The colour of a picture between its pixels, by bicubic interpolation (Catmull-Rom).

use image::{Rgba, RgbaImage};

const TRANSPARENT: Rgba<u8> = Rgba([0; 4]);

/// The colour at a place in pixels, where a pixel's centre is at one half. Everything around the picture is
/// transparent.
///
/// Colours are weighted by their opacity, so that transparent pixels leave no fringe on others.
pub(super) fn sample(picture: &RgbaImage, x: f64, y: f64) -> Rgba<u8> {
    let (width, height) = picture.dimensions();
    let near = |place: f64, side: u32| place > -1.5 && place < f64::from(side) + 1.5;
    if !near(x, width) || !near(y, height) {
        return TRANSPARENT;
    }
    let (left, across) = taps(x - 0.5);
    let (top, down) = taps(y - 0.5);
    // Red, green and blue times opacity, and opacity.
    let mut sum = [0_f32; 4];
    for (row, down) in (top..).zip(down) {
        for (column, across) in (left..).zip(across) {
            let (Ok(column), Ok(row)) = (u32::try_from(column), u32::try_from(row)) else { continue };
            let Some(Rgba([colours @ .., opacity])) = picture.get_pixel_checked(column, row) else { continue };
            let weight = down * across * f32::from(*opacity);
            for (sum, colour) in sum.iter_mut().zip(colours) {
                *sum += weight * f32::from(*colour);
            }
            sum[3] += weight;
        }
    }
    let [red, green, blue, opacity] = sum;
    if opacity < 0.5 {
        return TRANSPARENT;
    }
    Rgba([byte(red / opacity), byte(green / opacity), byte(blue / opacity), byte(opacity)])
}

/// The first of the four pixels around a place on one axis, and the weights of all four.
#[expect(clippy::cast_possible_truncation, reason = "places are within a few pixels of the picture")]
fn taps(place: f64) -> (i32, [f32; 4]) {
    let before = place.floor();
    let t = (place - before) as f32;
    let weights = [
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ];
    (before as i32 - 1, weights)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte's range")]
fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}
