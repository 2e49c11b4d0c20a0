//! Masks and colours.

use super::*;
use crate::domain::form::Rgba as Colour;

const GREEN: Colour = Colour { r: 0, g: 128, b: 0, a: 255 };

#[test]
fn the_mask_is_the_opacity_in_grey_and_new_corners_are_black() {
    let output = Output { mask: true, angle: 45.0, w: Some(80), ..AS_IT_IS };
    let file = read_back(island(40, RED, [0; 3]), &output);
    assert_eq!(file.color(), image::ColorType::L8);
    let mask = file.into_luma8();
    assert_eq!(mask.dimensions(), result_size((40, 40), &output));
    let middle = mask.width() / 2;
    assert_eq!([mask.get_pixel(0, 0).0, mask.get_pixel(middle, middle).0], [[0], [255]]);
}

#[test]
fn a_mask_is_exact_in_every_format_without_loss() {
    let shades = RgbaImage::from_fn(16, 16, |x, y| Rgba([9, 9, 9, u8::try_from(16 * y + x).expect("256 shades")]));
    for format in [OutputFormat::Webp, OutputFormat::Png, OutputFormat::Bmp] {
        let mask = read_back(shades.clone(), &Output { mask: true, format, ..AS_IT_IS }).into_rgb8();
        for (x, y, shade) in mask.enumerate_pixels() {
            assert_eq!(shade.0, [shades.get_pixel(x, y).0[3]; 3], "{format:?} at {x}, {y}");
        }
    }
}

#[test]
fn an_opaque_colour_fills_the_background_and_the_corners_that_a_rotation_adds() {
    let output = Output { bg_color: Some(GREEN), angle: 45.0, ..AS_IT_IS };
    let file = read_back(island(40, RED, [0; 3]), &output);
    assert_eq!(file.color(), image::ColorType::Rgb8, "nothing is transparent any more");
    let picture = file.into_rgba8();
    assert_eq!(*picture.get_pixel(0, 0), Rgba([0, 128, 0, 255]));
    assert_eq!(*picture.get_pixel(picture.width() / 2, 4), Rgba([0, 128, 0, 255]));
    assert_eq!(*picture.get_pixel(picture.width() / 2, picture.height() / 2), RED);
}

#[test]
fn colours_lie_behind_by_porter_duff() {
    let table = [
        // front, behind, result
        ([10, 20, 30, 255], [90, 90, 90, 128], [10, 20, 30, 255]),
        ([10, 20, 30, 0], [90, 80, 70, 128], [90, 80, 70, 128]),
        ([10, 20, 30, 0], [90, 80, 70, 0], [0, 0, 0, 0]),
        ([10, 20, 30, 64], [90, 80, 70, 0], [10, 20, 30, 64]),
        ([255, 0, 0, 128], [0, 0, 255, 255], [128, 0, 127, 255]),
        ([255, 0, 0, 128], [0, 0, 255, 128], [170, 0, 85, 192]),
    ];
    for (front, [r, g, b, a], result) in table {
        let output = Output { bg_color: Some(Colour { r, g, b, a }), ..AS_IT_IS };
        let picture = finished(RgbaImage::from_pixel(1, 1, Rgba(front)), output);
        assert_eq!(picture.get_pixel(0, 0).0, result, "{front:?} over {:?}", [r, g, b, a]);
    }
}

#[test]
fn jpeg_lies_on_white_unless_a_colour_is_asked_for() {
    let translucent = Colour { r: 0, g: 0, b: 0, a: 128 };
    for (bg_color, corner) in [(None, [255; 3]), (Some(GREEN), [0, 128, 0]), (Some(translucent), [127; 3])] {
        let output = Output { format: OutputFormat::Jpeg, bg_color, ..AS_IT_IS };
        let picture = read_back(island(64, RED, [0; 3]), &output).into_rgb8();
        for (found, expected) in picture.get_pixel(0, 0).0.into_iter().zip(corner) {
            assert!(found.abs_diff(expected) <= 3, "{bg_color:?}: {:?}", picture.get_pixel(0, 0));
        }
    }
}

#[test]
fn what_is_transparent_leaves_no_fringe() {
    // Hidden beneath the transparency is the opposite colour: none of it may show along the edges.
    let (light, dark) = (Rgba([250, 250, 250, 255]), [0, 0, 0]);
    for output in [
        Output { angle: 30.0, ..AS_IT_IS },
        Output { w: Some(17), ..AS_IT_IS },
        Output { w: Some(150), ..AS_IT_IS },
        Output { w: Some(90), angle: -12.5, expand: false, ..AS_IT_IS },
    ] {
        let picture = finished(island(40, light, dark), output);
        let edges = picture.pixels().filter(|p| (8..248).contains(&p.0[3])).count();
        assert!(edges > 0, "the edge is smooth: {output:?}");
        for (x, y, pixel) in picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] >= 8) {
            // Eight bits of colour times opacity cannot be told apart better where there is little opacity.
            let blur = 4 + 255 / pixel.0[3];
            assert!(pixel.0[..3].iter().all(|c| c.abs_diff(250) <= blur), "{pixel:?} at {x}, {y}: {output:?}");
        }
    }
}
