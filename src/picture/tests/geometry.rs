//! Sizes and turns.

use super::*;
use image::imageops;
use proptest::prelude::*;

#[test]
fn the_size_is_the_one_asked_for() {
    let table = [
        // size, w, h, exact, result
        ((400, 200), None, None, false, (400, 200)),
        ((400, 200), None, None, true, (400, 200)),
        ((400, 200), Some(100), None, false, (100, 50)),
        ((400, 200), None, Some(100), false, (200, 100)),
        ((400, 200), Some(800), None, false, (800, 400)),
        ((400, 200), Some(100), None, true, (100, 50)),
        ((400, 200), None, Some(10), true, (20, 10)),
        ((400, 200), Some(100), Some(100), false, (100, 50)),
        ((200, 400), Some(100), Some(100), false, (50, 100)),
        ((400, 200), Some(600), Some(1000), false, (600, 300)),
        ((400, 200), Some(100), Some(100), true, (100, 100)),
        ((400, 200), Some(7), Some(900), true, (7, 900)),
        ((400, 200), Some(1), None, false, (1, 1)),
        ((1000, 3), Some(100), None, false, (100, 1)),
        ((3, 2), None, Some(1), false, (2, 1)),
        ((10_000, 1), None, Some(10_000), false, (10_000, 1)),
        ((1, 10_000), Some(10_000), None, false, (1, 10_000)),
    ];
    for (size, w, h, exact_resize, result) in table {
        let output = Output { w, h, exact_resize, ..AS_IT_IS };
        assert_eq!(result_size(size, &output), result, "{size:?} to {w:?} x {h:?}, exact: {exact_resize}");
    }
}

#[test]
fn an_expanded_canvas_is_as_large_as_pillow_makes_it() {
    let table = [
        ((100, 50), 30.0, (112, 94)),
        ((100, 50), 45.0, (108, 108)),
        ((100, 50), 60.0, (94, 112)),
        ((100, 50), -45.0, (108, 108)),
        ((100, 50), 359.5, (102, 52)),
        ((50, 100), 30.0, (94, 112)),
        ((7, 3), 60.0, (7, 9)),
        ((7, 3), 0.5, (9, 5)),
        ((1, 1), 45.0, (3, 3)),
        ((1000, 800), 30.0, (1268, 1194)),
        ((1000, 800), 135.0, (1274, 1274)),
        ((1000, 800), 1e-9, (1002, 802)),
        ((100, 50), 90.0, (50, 100)),
        ((100, 50), -90.0, (50, 100)),
        ((100, 50), 180.0, (100, 50)),
        ((100, 50), -360.0, (100, 50)),
        ((10_000, 10_000), 45.0, (14_144, 14_144)),
    ];
    for (size, angle, result) in table {
        assert_eq!(result_size(size, &Output { angle, ..AS_IT_IS }), result, "{size:?} by {angle}");
        assert_eq!(result_size(size, &Output { angle, expand: false, ..AS_IT_IS }), size, "{size:?} by {angle}, kept");
    }
}

#[test]
fn it_is_resized_first_and_rotated_then() {
    let output = Output { w: Some(40), h: Some(40), angle: 90.0, ..AS_IT_IS };
    assert_eq!(finished(distinct(80, 40), output).dimensions(), (20, 40));
}

#[test]
fn quarter_turns_move_pixels_and_change_none() {
    let picture = distinct(5, 3);
    for (angle, turned) in [
        (0.0, picture.clone()),
        (90.0, imageops::rotate270(&picture)),
        (180.0, imageops::rotate180(&picture)),
        (270.0, imageops::rotate90(&picture)),
        (-90.0, imageops::rotate90(&picture)),
        (360.0, picture.clone()),
        (-1e-300, picture.clone()),
    ] {
        assert_eq!(finished(picture.clone(), Output { angle, ..AS_IT_IS }), turned, "by {angle}");
    }
}

#[test]
fn a_quarter_turn_on_a_kept_canvas_is_centred_and_cropped() {
    let picture = distinct(6, 2);
    let turned = finished(picture.clone(), Output { angle: 90.0, expand: false, ..AS_IT_IS });
    assert_eq!(turned.dimensions(), (6, 2));
    for y in 0..2 {
        for x in 0..6 {
            // Columns 2 and 3 show the middle of the two rows, turned; all else is new.
            let expected = if (2..4).contains(&x) { *picture.get_pixel(3 - y, x - 2) } else { CLEAR };
            assert_eq!(*turned.get_pixel(x, y), expected, "at {x}, {y}");
        }
    }
}

#[test]
fn angles_turn_counter_clockwise() {
    // A marker at the right edge's middle goes up by a positive angle and down by a negative one.
    let mut picture = RgbaImage::from_pixel(101, 101, BLUE);
    imageops::replace(&mut picture, &RgbaImage::from_pixel(7, 7, RED), 91, 47);
    for (angle, x, y) in [(90.0, 50, 6), (-90.0, 50, 94), (45.0, 81, 19), (-45.0, 81, 81), (30.0, 88, 28)] {
        let turned = finished(picture.clone(), Output { angle, expand: false, ..AS_IT_IS });
        assert_eq!(*turned.get_pixel(x, y), RED, "by {angle}");
        assert_eq!(*turned.get_pixel(50, 50), BLUE, "the centre stays, by {angle}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_file_has_the_size_that_was_foretold(
        size in (1_u32..40, 1_u32..40),
        w in proptest::option::of(1_u32..60),
        h in proptest::option::of(1_u32..60),
        exact_resize: bool,
        expand: bool,
        angle in -360.0..360.0_f64,
    ) {
        let output = Output { w, h, exact_resize, angle, expand, ..AS_IT_IS };
        let picture = finished(distinct(size.0, size.1), output);
        prop_assert_eq!(picture.dimensions(), result_size(size, &output));
    }

    #[test]
    fn a_fitted_picture_touches_the_box_and_does_not_leave_it(
        size in (1_u32..10_000, 1_u32..10_000), w in 1_u32..10_000, h in 1_u32..10_000,
    ) {
        let (width, height) = result_size(size, &Output { w: Some(w), h: Some(h), ..AS_IT_IS });
        prop_assert!(width <= w && height <= h && (width == w || height == h), "{} x {}", width, height);
    }

    #[test]
    fn expanding_loses_nothing(angle in -360.0..360.0_f64) {
        let weight = |picture: &RgbaImage| picture.pixels().map(|p| f64::from(p.0[3])).sum::<f64>();
        let picture = RgbaImage::from_pixel(30, 20, RED);
        let turned = finished(picture.clone(), Output { angle, ..AS_IT_IS });
        prop_assert!((weight(&turned) / weight(&picture) - 1.0).abs() < 0.01, "{}", weight(&turned));
    }
}
