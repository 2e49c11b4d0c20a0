//! The region of interest.

use super::*;
use crate::picture::{judge_region, judge_region_by_header};

fn region(x1: Length, y1: Length, x2: Length, y2: Length) -> Region {
    Region { x1, y1, x2, y2 }
}

#[test]
fn a_region_is_judged_by_the_upright_picture() {
    let table = [
        (region(px(0), px(0), px(200), px(100)), Ok(area(0, 0, 200, 100))),
        (region(px(10), px(20), px(30), px(50)), Ok(area(10, 20, 20, 30))),
        (region(px(30), px(50), px(10), px(20)), Ok(area(10, 20, 20, 30))),
        (region(px(30), px(20), px(10), px(50)), Ok(area(10, 20, 20, 30))),
        (region(percent(0.0), percent(0.0), percent(100.0), percent(100.0)), Ok(area(0, 0, 200, 100))),
        (region(percent(10.0), px(10), percent(20.0), percent(30.0)), Ok(area(20, 10, 20, 20))),
        (region(percent(0.1), percent(0.1), percent(0.2), percent(0.2)), Ok(area(0, 0, 1, 1))),
        (region(px(199), px(99), px(200), px(100)), Ok(area(199, 99, 1, 1))),
        (region(px(10), px(20), px(10), px(50)), Err(RegionFault::Empty)),
        (region(px(10), px(20), px(30), px(20)), Err(RegionFault::Empty)),
        (region(px(0), px(0), px(0), px(0)), Err(RegionFault::Empty)),
        (region(percent(50.0), px(0), px(100), px(50)), Err(RegionFault::Empty)),
        (region(px(0), px(0), px(201), px(100)), Err(RegionFault::ExceedsBounds)),
        (region(px(0), px(0), px(200), px(101)), Err(RegionFault::ExceedsBounds)),
        (region(px(201), px(0), px(201), px(10)), Err(RegionFault::ExceedsBounds)),
        (region(px(u32::MAX), px(0), px(0), px(u32::MAX)), Err(RegionFault::ExceedsBounds)),
        (region(percent(f64::NAN), px(0), px(1), px(1)), Err(RegionFault::Empty)),
    ];
    for (region, judged) in table {
        assert_eq!(judge_region(&region, (200, 100)), judged, "{region:?}");
    }
}

#[test]
fn percentages_of_any_side_cover_whole_pixels_without_noise() {
    for side in 1..=1_000 {
        for part in 1..=10 {
            let region = region(percent(0.0), px(0), percent(f64::from(part) * 10.0), px(1));
            let width = judge_region(&region, (side, 1)).expect("a region").width;
            assert_eq!(width, (side * part).div_ceil(10), "{part}0 % of {side}");
        }
    }
}

#[test]
fn a_header_is_enough_unless_it_matters_which_way_up_the_picture_is() {
    for (region, judged) in [
        (region(px(0), px(0), px(100), px(100)), Some(Ok(()))),
        (region(percent(10.0), percent(0.0), percent(20.0), percent(100.0)), Some(Ok(()))),
        (region(px(0), px(0), px(200), px(100)), None),
        (region(px(0), px(0), px(100), px(200)), None),
        (region(px(0), px(0), px(200), px(200)), Some(Err(RegionFault::ExceedsBounds))),
        (region(px(7), px(0), px(7), px(100)), Some(Err(RegionFault::Empty))),
    ] {
        assert_eq!(judge_region_by_header(&region, (200, 100)), judged, "{region:?}");
    }
}

#[test]
fn outside_of_the_region_nothing_is_left() {
    let cut = RgbaImage::from_fn(40, 20, |x, _| if x < 20 { RED } else { BLUE });
    let composition = Composition { region: Some(region(px(10), px(5), percent(75.0), percent(75.0))), ..AS_IT_IS };
    let result = composed(&cut, &composition);
    assert_eq!(result.foreground, Some(area(10, 5, 20, 10)), "the box counts what is left");
    for (x, y, pixel) in read(&result).into_rgba8().enumerate_pixels() {
        let inside = (10..30).contains(&x) && (5..15).contains(&y);
        assert_eq!(pixel, if inside { cut.get_pixel(x, y) } else { &CLEAR }, "at {x}, {y}");
    }
}

#[test]
fn the_region_comes_before_crop_and_scale() {
    let cut = subject((40, 20), area(0, 0, 40, 20));
    let region = Some(region(px(30), px(0), px(40), px(10)));
    assert_eq!(pixels(&cut, &Composition { region, crop: margins(px(0)), ..AS_IT_IS }).dimensions(), (10, 10));
    let scaled =
        pixels(&cut, &Composition { region, scale: Some(Percent(100.0)), position: at(50.0, 50.0), ..AS_IT_IS });
    assert_eq!(red_box(&scaled), Some(area(10, 0, 20, 20)));
}

#[test]
fn a_region_that_the_picture_does_not_have_is_an_error_here_too() {
    let file = png(&subject((4, 4), area(0, 0, 4, 4)));
    let sources = Sources { cut: &file, input: source(&file), background: None };
    for (end, fault) in [(0, RegionFault::Empty), (5, RegionFault::ExceedsBounds)] {
        let composition = Composition { region: Some(region(px(0), px(0), px(end), px(4))), ..AS_IT_IS };
        let error = compose(&sources, &composition).expect_err("no such region");
        assert!(matches!(error, ComposeError::Region(found) if found == fault), "{error}");
    }
}
