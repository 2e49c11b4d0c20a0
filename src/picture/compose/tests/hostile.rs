//! Pictures and numbers of which nobody thinks, and the memory that is told beforehand.

use super::*;
use proptest::prelude::*;

const EVERYTHING: Composition = Composition {
    region: None,
    crop: Some(Margins { top: px_of(500), right: px_of(500), bottom: px_of(500), left: px_of(500) }),
    scale: Some(Percent(100.0)),
    position: Some(Position { x: Percent(100.0), y: Percent(100.0) }),
    background: Background::Picture,
    channels: Channels::Rgba,
    most_pixels: 250_000,
    most_png_pixels: 100_000,
    encoding: Encoding::Auto,
};

const fn px_of(pixels: u32) -> Length {
    Length::Pixels(pixels)
}

#[test]
fn the_thinnest_pictures_go_with_each_other() {
    let sizes = [(1, 1), (10_000, 1), (1, 10_000), (2, 3)];
    for size in sizes {
        for behind in sizes {
            let (cut, background) = (subject(size, Area::whole(size)), RgbaImage::from_pixel(behind.0, behind.1, BLUE));
            for composition in [EVERYTHING, AS_IT_IS, Composition { crop: margins(percent(50.0)), ..AS_IT_IS }] {
                let result = composed_on(&cut, &background, &composition);
                let (width, height) = result.size;
                assert!(u64::from(width) * u64::from(height) <= composition.most_pixels);
                let picture = read(&result).into_rgba8();
                assert!(picture.pixels().all(|pixel| pixel.0[3] == 255), "{size:?} on {behind:?} has a gap");
            }
        }
    }
}

#[test]
fn margins_make_no_canvas_that_is_larger_than_the_result() {
    // 2,000 x 1,500 with half of each on every side would be 12 megapixels.
    let cut = subject((2_000, 1_500), area(0, 0, 2_000, 1_500));
    let composition = Composition { crop: margins(percent(50.0)), most_pixels: 30_000, ..AS_IT_IS };
    let result = composed(&cut, &composition);
    assert_eq!(result.size, (200, 150));
    assert_eq!(red_box(&read(&result).into_rgba8()), Some(area(50, 38, 100, 75)));
    let most = memory(&composition, (2_000, 1_500), None);
    let without = memory(&Composition { crop: None, ..composition }, (2_000, 1_500), None);
    assert_eq!(most, without, "nor any more memory");
}

#[test]
fn numbers_that_no_parser_lets_through_end_in_a_result() {
    let cut = subject((20, 10), area(5, 5, 3, 3));
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300, 0.0] {
        let composition = Composition {
            crop: margins(percent(number)),
            scale: Some(Percent(number)),
            position: at(number, number),
            most_pixels: 0,
            most_png_pixels: 0,
            ..AS_IT_IS
        };
        assert_eq!(composed(&cut, &composition).size, (1, 1), "{number}");
        let composition = Composition { most_pixels: u64::MAX, most_png_pixels: u64::MAX, ..composition };
        read(&composed(&cut, &composition));
    }
}

#[test]
fn memory_is_told_for_any_header() {
    let most = (u32::MAX, u32::MAX);
    let composition = Composition { most_pixels: u64::MAX, ..EVERYTHING };
    assert_eq!(memory(&composition, most, Some(most)), u64::MAX);
    // Twelve bytes of each pixel to decode it, 28 to encode a PNG of 10 megapixels at most, 16 for another format; and what
    // coders need.
    let slack = 16 << 20;
    assert_eq!(memory(&AS_IT_IS, (4_000, 3_000), None), 28 * 9_996_438 + slack);
    let auto = Composition { encoding: Encoding::Auto, ..AS_IT_IS };
    assert_eq!(memory(&auto, (4_000, 3_000), None), 28 * 9_996_438 + slack);
    let jpeg = Composition { encoding: Encoding::Jpeg, ..AS_IT_IS };
    assert_eq!(memory(&jpeg, (4_000, 3_000), None), 16 * 12_000_000 + slack);
    let preview = Composition { most_pixels: 250_000, ..AS_IT_IS };
    assert_eq!(memory(&preview, (4_000, 3_000), None), 12 * 12_000_000 + 4 * 249_841 + slack);
    assert_eq!(memory(&preview, (3_000, 4_000), None), memory(&preview, (4_000, 3_000), None));
    let zip = Composition { encoding: Encoding::Zip, ..preview };
    assert_eq!(memory(&zip, (4_000, 3_000), None), 13 * 12_000_000 + slack);
    // A background that is not shown costs nothing.
    assert_eq!(memory(&preview, (4_000, 3_000), Some((9_000, 9_000))), memory(&preview, (4_000, 3_000), None));
    let on = Composition { background: Background::Picture, ..preview };
    assert_eq!(memory(&on, (4_000, 3_000), Some((4_000, 3_000))), 16 * 12_000_000 + 4 * 249_841 + slack);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_end_in_a_result_or_an_error(
        size in (1_u32..12, 1_u32..12),
        region in proptest::option::of((0_u32..14, 0_u32..14, -10.0..120.0_f64, -10.0..120.0_f64)),
        crop in proptest::option::of((0_u32..30, -10.0..200.0_f64)),
        numbers in (0.0..200.0_f64, 0.0..200.0_f64, 0.0..200.0_f64),
        most_pixels in 0_u64..3_000,
    ) {
        let whole = subject(size, Area::whole(size));
        let composition = Composition {
            region: region.map(|(x1, y1, x2, y2)| Region { x1: px(x1), y1: px(y1), x2: percent(x2), y2: percent(y2) }),
            crop: crop.map(|(one, other)| Margins { top: px(one), right: percent(other), bottom: percent(other), left: px(one) }),
            scale: Some(Percent(numbers.0)),
            position: at(numbers.1, numbers.2),
            most_pixels,
            ..EVERYTHING
        };
        let file = png(&whole);
        let sources = Sources { cut: &file, input: source(&file), background: Some(source(&file)) };
        match compose(&sources, &composition) {
            Ok(result) => {
                let picture = read(&result);
                prop_assert!(u64::from(picture.width()) * u64::from(picture.height()) <= most_pixels.max(1));
            }
            Err(error) => prop_assert!(matches!(error, ComposeError::Region(_)), "{}", error),
        }
    }
}
