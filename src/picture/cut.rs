//! The background goes.

use image::{GrayImage, RgbaImage};

/// Multiplies the picture's own opacity with the mask of the same size: 255 keeps a pixel, 0 removes it.
#[must_use]
pub fn cut(mut picture: RgbaImage, mask: &GrayImage) -> RgbaImage {
    debug_assert_eq!(picture.dimensions(), mask.dimensions());
    for (pixel, keep) in picture.pixels_mut().zip(mask.pixels()) {
        pixel.0[3] = times(pixel.0[3], keep.0[0]);
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
    use image::{Luma, Rgba};

    #[test]
    fn the_mask_is_multiplied_with_the_opacity_that_was_there() {
        for (own, mask, product) in [(255, 255, 255), (255, 0, 0), (0, 255, 0), (128, 255, 128), (128, 128, 64)] {
            let picture = RgbaImage::from_pixel(2, 1, Rgba([9, 8, 7, own]));
            let cutout = cut(picture, &GrayImage::from_pixel(2, 1, Luma([mask])));
            assert_eq!(cutout.get_pixel(1, 0), &Rgba([9, 8, 7, product]), "{own} x {mask}");
        }
    }
}
