//! Removes the background.

use image::{GrayImage, Rgba, RgbaImage};

const CLEAR: Rgba<u8> = Rgba([0; 4]);

/// The opacity from which on a pixel counts as visible.
const SEEN: u8 = 128;

/// A picture without its background.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// The cut-out.
    pub cutout: RgbaImage,
    /// Whether nothing visible is left, although the picture showed something.
    pub is_lost: bool,
}

/// Multiplies the picture's own opacity with the mask of the same size: 255 keeps a pixel, 0 removes it, its colour too.
#[must_use]
pub fn cut(mut picture: RgbaImage, mask: &GrayImage) -> Cut {
    debug_assert_eq!(picture.dimensions(), mask.dimensions());
    let showed_something = shows_something(&picture);
    let mut is_seen = false;
    for (pixel, keep) in picture.pixels_mut().zip(mask.pixels()) {
        let opacity = times(pixel.0[3], keep.0[0]);
        if opacity == 0 {
            // Otherwise the background would still be in the file, though not shown.
            *pixel = CLEAR;
        }
        pixel.0[3] = opacity;
        is_seen |= opacity >= SEEN;
    }
    Cut { cutout: picture, is_lost: showed_something && !is_seen }
}

/// Whether two visible pixels differ. In most pictures this is known after a few.
fn shows_something(picture: &RgbaImage) -> bool {
    let mut seen = picture.pixels().filter(|pixel| pixel.0[3] >= SEEN);
    let first = seen.next();
    seen.any(|pixel| Some(pixel) != first)
}

/// The product of two opacities, rounded to the nearest.
fn times(a: u8, b: u8) -> u8 {
    let product = (u16::from(a) * u16::from(b) + 127) / 255;
    u8::try_from(product).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    #[test]
    fn the_mask_is_multiplied_with_the_opacity_that_was_there() {
        for (own, mask, product) in [(255, 255, 255), (128, 255, 128), (128, 128, 64), (255, 1, 1)] {
            assert_eq!(cut_one(own, mask), Rgba([9, 8, 7, product]), "{own} x {mask}");
        }
    }

    #[test]
    fn of_what_is_removed_no_colour_stays_in_the_file() {
        for (own, mask) in [(255, 0), (0, 255), (1, 1)] {
            assert_eq!(cut_one(own, mask), CLEAR, "{own} x {mask}");
        }
    }

    #[test]
    fn a_cut_is_lost_if_nothing_is_seen_of_a_picture_that_showed_something() {
        let plain = RgbaImage::from_pixel(4, 1, Rgba([9, 8, 7, 255]));
        let mut varied = plain.clone();
        varied.put_pixel(3, 0, Rgba([90, 8, 7, 255]));
        let mut hidden = varied.clone();
        hidden.pixels_mut().for_each(|pixel| pixel.0[3] = 0);
        for (picture, mask, is_lost) in [
            (&varied, [0, 0, 0, 0], true),
            (&varied, [40, 40, 40, 40], true),
            (&varied, [0, 255, 0, 0], false),
            (&plain, [0, 0, 0, 0], false),
            (&hidden, [255, 255, 255, 255], false),
        ] {
            let mask = GrayImage::from_raw(4, 1, mask.to_vec()).expect("four shades");
            assert_eq!(cut(picture.clone(), &mask).is_lost, is_lost, "{picture:?} by {mask:?}");
        }
    }

    fn cut_one(own: u8, mask: u8) -> Rgba<u8> {
        let picture = RgbaImage::from_pixel(2, 1, Rgba([9, 8, 7, own]));
        *cut(picture, &GrayImage::from_pixel(2, 1, Luma([mask]))).cutout.get_pixel(1, 0)
    }
}
