//! The background goes.

use image::{GrayImage, Rgba, RgbaImage};

const CLEAR: Rgba<u8> = Rgba([0; 4]);

/// Multiplies the picture's own opacity with the mask of the same size: 255 keeps a pixel, 0 removes it, its colour too.
#[must_use]
pub fn cut(mut picture: RgbaImage, mask: &GrayImage) -> RgbaImage {
    debug_assert_eq!(picture.dimensions(), mask.dimensions());
    for (pixel, keep) in picture.pixels_mut().zip(mask.pixels()) {
        let opacity = times(pixel.0[3], keep.0[0]);
        if opacity == 0 {
            // Otherwise the background would still be in the file, merely not shown.
            *pixel = CLEAR;
        }
        pixel.0[3] = opacity;
    }
    picture
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

    fn cut_one(own: u8, mask: u8) -> Rgba<u8> {
        let picture = RgbaImage::from_pixel(2, 1, Rgba([9, 8, 7, own]));
        *cut(picture, &GrayImage::from_pixel(2, 1, Luma([mask]))).get_pixel(1, 0)
    }
}
