//! Crop, margins, scale, position and size.

use super::*;
use proptest::prelude::*;

/// A subject that is not in the middle.
const SIZE: (u32, u32) = (80, 60);
const PLACE: Area = Area { left: 10, top: 5, width: 20, height: 10 };

#[test]
fn without_options_every_pixel_stays() {
    let cut = RgbaImage::from_fn(31, 17, |x, y| {
        let [x, y] = [x, y].map(|place| u8::try_from(place).expect("a small picture"));
        Rgba([x, y, 255 - x, 100 + y])
    });
    assert_eq!(pixels(&cut, &AS_IT_IS), cut);
}

#[test]
fn crop_leaves_the_subject_and_its_margin() {
    let four = |top, right, bottom, left| Some(Margins { top, right, bottom, left });
    let table = [
        // margins, result, subject
        (margins(px(0)), (20, 10), area(0, 0, 20, 10)),
        (margins(px(3)), (26, 16), area(3, 3, 20, 10)),
        (margins(percent(10.0)), (24, 12), area(2, 1, 20, 10)),
        (margins(percent(50.0)), (40, 20), area(10, 5, 20, 10)),
        (four(px(1), px(2), px(3), px(4)), (26, 14), area(4, 1, 20, 10)),
        (four(percent(50.0), px(0), px(0), percent(5.0)), (21, 15), area(1, 5, 20, 10)),
        // The canvas grows beyond the input.
        (four(px(0), px(500), px(500), px(0)), (520, 510), area(0, 0, 20, 10)),
        // No margin is wider than the contract's widest.
        (margins(px(u32::MAX)), (1_020, 1_010), area(500, 500, 20, 10)),
        (margins(percent(100.0)), (40, 20), area(10, 5, 20, 10)),
    ];
    for (crop, size, place) in table {
        let result = composed(&subject(SIZE, PLACE), &Composition { crop, ..AS_IT_IS });
        assert_eq!((result.size, result.foreground), (size, Some(PLACE)), "{crop:?}");
        assert_eq!(read(&result).into_rgba8(), subject(size, place), "{crop:?}");
    }
}

#[test]
fn a_position_is_a_share_of_the_free_room() {
    for (x, y, left, top) in [
        (0.0, 0.0, 0, 0),
        (100.0, 0.0, 60, 0),
        (0.0, 100.0, 0, 50),
        (100.0, 100.0, 60, 50),
        (50.0, 50.0, 30, 25),
        (25.0, 10.0, 15, 5),
    ] {
        let moved = pixels(&subject(SIZE, PLACE), &Composition { position: at(x, y), ..AS_IT_IS });
        assert_eq!(moved, subject(SIZE, area(left, top, 20, 10)), "at {x} %, {y} %");
    }
}

#[test]
fn a_scaled_subject_takes_its_share_of_the_tighter_side() {
    for (scale, position, place) in [
        // The width is the tighter side: 20 of 80, 10 of 60.
        (100.0, at(50.0, 50.0), area(0, 10, 80, 40)),
        (50.0, at(50.0, 50.0), area(20, 20, 40, 20)),
        (10.0, at(50.0, 50.0), area(36, 28, 8, 4)),
        (50.0, at(0.0, 100.0), area(0, 40, 40, 20)),
        (50.0, at(100.0, 0.0), area(40, 0, 40, 20)),
        // Where it is: a sixth of the free width is left of it, and a tenth of the free height above.
        (50.0, None, area(7, 4, 40, 20)),
    ] {
        let scaled = pixels(&subject(SIZE, PLACE), &Composition { scale: Some(Percent(scale)), position, ..AS_IT_IS });
        assert_eq!(scaled.dimensions(), SIZE, "{scale} %");
        assert_eq!(red_box(&scaled), Some(place), "{scale} % at {position:?}");
    }
    let high = subject((80, 60), area(70, 0, 4, 30));
    let scaled = pixels(&high, &Composition { scale: Some(Percent(100.0)), position: at(50.0, 50.0), ..AS_IT_IS });
    assert_eq!(red_box(&scaled), Some(area(36, 0, 8, 60)));
}

#[test]
fn scale_and_position_are_on_the_cropped_canvas() {
    let crop = margins(px(10));
    let composition = Composition { crop, scale: Some(Percent(50.0)), position: at(100.0, 100.0), ..AS_IT_IS };
    let result = pixels(&subject(SIZE, PLACE), &composition);
    assert_eq!(result.dimensions(), (40, 30));
    assert_eq!(red_box(&result), Some(area(20, 20, 20, 10)));
}

#[test]
fn a_result_is_scaled_down_and_never_up() {
    for (size, most, result) in [
        ((80, 60), 4_800, (80, 60)),
        ((80, 60), 1_200, (40, 30)),
        ((60, 80), 1_200, (30, 40)),
        ((80, 60), 50_000_000, (80, 60)),
        ((80, 60), 1, (1, 1)),
        ((80, 60), 0, (1, 1)),
        ((1_000, 1), 10, (10, 1)),
        ((1, 1_000), 10, (1, 10)),
        ((1_000, 3), 1_500, (707, 2)),
    ] {
        let whole = subject(size, Area::whole(size));
        assert_eq!(composed(&whole, &Composition { most_pixels: most, ..AS_IT_IS }).size, result, "{size:?} in {most}");
    }
}

#[test]
fn a_png_has_a_bound_of_its_own() {
    let cut = subject((40, 30), area(0, 0, 40, 29));
    for (encoding, size) in [
        (Encoding::Png, (20, 15)),
        (Encoding::Auto, (20, 15)),
        (Encoding::Jpeg, (40, 30)),
        (Encoding::Webp, (40, 30)),
        (Encoding::Zip, (40, 30)),
    ] {
        let composition = Composition { most_png_pixels: 300, encoding, ..AS_IT_IS };
        assert_eq!(composed(&cut, &composition).size, size, "{encoding:?}");
    }
    let smaller = Composition { most_pixels: 75, most_png_pixels: 300, ..AS_IT_IS };
    assert_eq!(composed(&cut, &smaller).size, (10, 7), "the lower of both counts");
}

#[test]
fn crop_and_size_together_keep_the_proportions_of_the_margin() {
    let composition = Composition { crop: margins(percent(50.0)), most_pixels: 200, ..AS_IT_IS };
    let result = pixels(&subject(SIZE, PLACE), &composition);
    assert_eq!(result.dimensions(), (20, 10));
    let place = red_box(&result).expect("a subject");
    assert_eq!((place.left, place.width), (5, 10));
    assert!((2..=3).contains(&place.top) && place.height == 5, "{place:?}");
}

#[test]
fn an_empty_cut_is_told_and_stays_as_large_as_it_was() {
    let composition = Composition {
        crop: margins(px(20)),
        scale: Some(Percent(100.0)),
        position: at(0.0, 0.0),
        most_pixels: 1_200,
        ..AS_IT_IS
    };
    let result = composed(&RgbaImage::new(80, 60), &composition);
    assert_eq!((result.foreground, result.size), (None, (40, 30)));
    assert_eq!(read(&result).into_rgba8(), RgbaImage::new(40, 30));
}

#[test]
fn the_faintest_pixel_counts_for_the_box() {
    let mut cut = RgbaImage::new(9, 7);
    cut.put_pixel(8, 2, Rgba([1, 1, 1, 1]));
    assert_eq!(composed(&cut, &AS_IT_IS).foreground, Some(area(8, 2, 1, 1)));
    cut.put_pixel(3, 6, Rgba([1, 1, 1, 1]));
    assert_eq!(composed(&cut, &AS_IT_IS).foreground, Some(area(3, 2, 6, 5)));
}

fn lengths() -> impl Strategy<Value = Length> {
    prop_oneof![(0_u32..30).prop_map(px), (0.0..50.0_f64).prop_map(percent)]
}

/// Start and length of a part of a side, and the side.
fn spans() -> impl Strategy<Value = (u32, u32, u32)> {
    (1_u32..60).prop_flat_map(|side| (0..side).prop_flat_map(move |start| (Just(start), 1..=side - start, Just(side))))
}

/// A size, and a place in it.
fn places() -> impl Strategy<Value = ((u32, u32), Area)> {
    (spans(), spans()).prop_map(|((left, width, w), (top, height, h))| ((w, h), area(left, top, width, height)))
}

prop_compose! {
    fn compositions()(
        crop in proptest::option::of((lengths(), lengths(), lengths(), lengths())),
        scale in proptest::option::of(10.0..=100.0_f64),
        position in proptest::option::of((0.0..=100.0_f64, 0.0..=100.0_f64)),
        most_pixels in 1_u64..9_000,
    ) -> Composition {
        Composition {
            crop: crop.map(|(top, right, bottom, left)| Margins { top, right, bottom, left }),
            scale: scale.map(Percent),
            position: position.and_then(|(x, y)| at(x, y)),
            most_pixels,
            ..AS_IT_IS
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_result_has_its_pixels_its_proportions_and_its_subject((size, place) in places(), composition in compositions()) {
        let cut = subject(size, place);
        let result = composed(&cut, &composition);
        prop_assert_eq!(result.foreground, Some(place));
        let (width, height) = result.size;
        prop_assert!(u64::from(width) * u64::from(height) <= composition.most_pixels);

        let canvas = composed(&cut, &Composition { most_pixels: u64::MAX, ..composition }).size;
        prop_assert!(width <= canvas.0 && height <= canvas.1, "never up");
        let [w, h] = [width, height].map(f64::from);
        let [of_w, of_h] = [canvas.0, canvas.1].map(f64::from);
        let within_a_pixel = (w - of_w * h / of_h).abs() <= 1.0 || (h - of_h * w / of_w).abs() <= 1.0;
        prop_assert!(within_a_pixel, "{:?} of {:?}", result.size, canvas);
        // It is not smaller than it must be: two pixels more on both sides would be too much.
        let grown = u64::from(width + 2) * u64::from(height + 2);
        prop_assert!(result.size == canvas || grown > composition.most_pixels);

        let factor = composition.scale.map_or(1.0, |scale| {
            scale.0 / 100.0 * (of_w / f64::from(place.width)).min(of_h / f64::from(place.height))
        });
        let expected = [f64::from(place.width) * factor * w / of_w, f64::from(place.height) * factor * h / of_h];
        if expected.iter().all(|length| *length >= 2.0) {
            let found = red_box(&read(&result).into_rgba8()).expect("a subject");
            let is_right = |length: u32, expected: f64| (f64::from(length) - expected).abs() <= 1.0;
            prop_assert!(is_right(found.width, expected[0]) && is_right(found.height, expected[1]), "{:?}", found);
        }
    }

    #[test]
    fn a_subject_keeps_its_proportions_and_touches_the_edges_at_the_ends(
        (size, place) in places(),
        scale in 10.0..=100.0_f64,
        ends in (proptest::bool::ANY, proptest::bool::ANY),
    ) {
        let position = at(if ends.0 { 100.0 } else { 0.0 }, if ends.1 { 100.0 } else { 0.0 });
        let composition = Composition { scale: Some(Percent(scale)), position, ..AS_IT_IS };
        let found = red_box(&pixels(&subject(size, place), &composition)).expect("a subject");
        prop_assert_eq!(if ends.0 { size.0 - found.left - found.width } else { found.left }, 0);
        prop_assert_eq!(if ends.1 { size.1 - found.top - found.height } else { found.top }, 0);

        let [w, h, of_w, of_h] = [place.width, place.height, size.0, size.1].map(f64::from);
        let factor = scale / 100.0 * (of_w / w).min(of_h / h);
        let is_right = |side: u32, exact: f64| (f64::from(side) - exact.max(1.0)).abs() <= 0.501;
        prop_assert!(is_right(found.width, w * factor) && is_right(found.height, h * factor), "{:?} of {:?}", found, place);
    }
}
