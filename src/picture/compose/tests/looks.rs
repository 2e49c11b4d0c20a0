//! Backgrounds, channels and colours.

use super::*;
use image::{ColorType, GrayAlphaImage, GrayImage, Luma};

/// Left half opaque, right half half transparent, below both nothing.
fn halves() -> RgbaImage {
    RgbaImage::from_fn(32, 32, |x, y| match (x < 16, y < 16) {
        (true, true) => RED,
        (false, true) => Rgba([200, 0, 0, 128]),
        (_, false) => CLEAR,
    })
}

#[test]
fn a_colour_comes_behind_the_subject() {
    let white = Colour { r: 255, g: 255, b: 255, a: 255 };
    let picture = pixels(&halves(), &Composition { background: Background::Colour(white), ..AS_IT_IS });
    assert_eq!(*picture.get_pixel(0, 0), RED);
    assert_eq!(*picture.get_pixel(31, 0), Rgba([227, 127, 127, 255]));
    assert_eq!(*picture.get_pixel(0, 31), Rgba([255; 4]));

    let faint = Colour { r: 0, g: 0, b: 200, a: 100 };
    let picture = pixels(&halves(), &Composition { background: Background::Colour(faint), ..AS_IT_IS });
    assert_eq!(*picture.get_pixel(0, 0), RED);
    assert_eq!(*picture.get_pixel(0, 31), Rgba([0, 0, 200, 100]));
    assert_eq!(picture.get_pixel(31, 0).0[3], 178, "128 and 100 of the 127 that are left");
}

#[test]
fn the_background_is_on_the_whole_canvas_and_comes_after_the_crop() {
    let cut = subject((40, 40), area(10, 10, 8, 8));
    let green = Background::Colour(Colour { r: 0, g: 180, b: 0, a: 255 });
    let picture = pixels(&cut, &Composition { crop: margins(px(6)), background: green, ..AS_IT_IS });
    assert_eq!(picture.dimensions(), (20, 20));
    assert_eq!(red_box(&picture), Some(area(6, 6, 8, 8)));
    assert!(picture.pixels().all(|pixel| *pixel == RED || *pixel == GREEN), "margins have a colour too");
}

/// Three stripes: blue, green, blue.
fn stripes(size: (u32, u32)) -> RgbaImage {
    let is_middle = |at: u32, side: u32| (side / 3..side - side / 3).contains(&at);
    RgbaImage::from_fn(size.0, size.1, |x, y| {
        let middle = if size.0 > size.1 { is_middle(x, size.0) } else { is_middle(y, size.1) };
        if middle { GREEN } else { BLUE }
    })
}

#[test]
fn a_background_picture_fills_the_canvas_and_is_centred() {
    let cut = subject((30, 30), area(12, 12, 6, 6));
    for size in [(90, 30), (30, 90), (900, 300), (9, 3)] {
        let picture = read(&composed_on(&cut, &stripes(size), &AS_IT_IS)).into_rgba8();
        assert_eq!(picture.dimensions(), (30, 30), "the canvas is the input's, not the background's");
        assert_eq!(red_box(&picture), Some(area(12, 12, 6, 6)), "{size:?}");
        let others = picture.pixels().filter(|pixel| **pixel != RED);
        let blue = others.filter(|pixel| pixel.0[2] > 100).count();
        assert!(blue <= 60, "of {size:?} only the middle is seen, but for an edge, and not {blue} pixels of the rest");
    }
    let same = read(&composed_on(&cut, &stripes((30, 30)), &AS_IT_IS)).into_rgba8();
    assert_eq!(*same.get_pixel(0, 0), BLUE, "of the same proportions all is seen");
    assert_eq!(*same.get_pixel(0, 15), GREEN);
    assert_eq!(*same.get_pixel(29, 29), BLUE);
}

#[test]
fn a_background_picture_fills_what_the_margins_have_added() {
    let composition = Composition { crop: margins(px(12)), ..AS_IT_IS };
    let result = composed_on(&subject((30, 30), area(0, 0, 6, 6)), &stripes((30, 30)), &composition);
    let picture = read(&result).into_rgba8();
    assert_eq!((picture.dimensions(), red_box(&picture)), ((30, 30), Some(area(12, 12, 6, 6))));
    assert!(picture.pixels().all(|pixel| pixel.0[3] == 255));
}

#[test]
fn a_background_is_seen_through_the_subject() {
    let picture = read(&composed_on(&halves(), &RgbaImage::from_pixel(8, 8, BLUE), &AS_IT_IS)).into_rgba8();
    assert_eq!(*picture.get_pixel(0, 0), RED);
    assert_eq!(*picture.get_pixel(31, 0), Rgba([100, 0, 100, 255]));
    assert_eq!(*picture.get_pixel(0, 31), BLUE);
}

#[test]
fn automatic_is_a_png_only_where_something_is_transparent() {
    let auto = Composition { encoding: Encoding::Auto, ..AS_IT_IS };
    let opaque = subject((20, 20), area(0, 0, 20, 20));
    let (solid, faint) = (Colour { r: 0, g: 0, b: 200, a: 255 }, Colour { r: 0, g: 0, b: 200, a: 254 });
    let on = |colour| Composition { background: Background::Colour(colour), ..auto };
    let island = subject((20, 20), area(5, 5, 9, 9));
    for (what, cut, composition, content_type) in [
        ("a cut with gaps", &halves(), auto.clone(), "image/png"),
        ("an opaque cut", &opaque, auto.clone(), "image/jpeg"),
        ("gaps on a solid colour", &halves(), on(solid), "image/jpeg"),
        ("gaps on a faint colour", &halves(), on(faint), "image/png"),
        ("an opaque cut on a faint colour", &opaque, on(faint), "image/jpeg"),
        ("nothing but the subject", &island, Composition { crop: margins(px(0)), ..auto }, "image/jpeg"),
        ("a margin", &island, Composition { crop: margins(px(1)), ..auto }, "image/png"),
        ("a smaller subject", &opaque, Composition { scale: Some(Percent(50.0)), ..auto }, "image/png"),
        ("nothing at all", &RgbaImage::new(3, 3), auto.clone(), "image/png"),
    ] {
        let result = composed(cut, &composition);
        assert_eq!(result.content_type, content_type, "{what}");
        read(&result);
    }
    let mut holed = RgbaImage::from_pixel(8, 8, BLUE);
    assert_eq!(composed_on(&halves(), &holed, &auto).content_type, "image/jpeg");
    holed.put_pixel(7, 7, CLEAR);
    assert_eq!(composed_on(&halves(), &holed, &auto).content_type, "image/png");
}

#[test]
fn a_jpeg_without_background_is_on_white() {
    let jpeg = Composition { encoding: Encoding::Jpeg, ..AS_IT_IS };
    let picture = read(&composed(&halves(), &jpeg));
    assert_eq!(picture.color(), ColorType::Rgb8);
    let picture = picture.into_rgba8();
    for (x, y, colour) in [(2, 2, RED), (28, 2, Rgba([227, 127, 127, 255])), (2, 28, Rgba([255; 4]))] {
        assert!(is_near(*picture.get_pixel(x, y), colour), "at {x}, {y}: {:?}", picture.get_pixel(x, y));
    }
}

#[test]
fn webp_keeps_opacity_exactly() {
    let cut = halves();
    let picture = pixels(&cut, &Composition { encoding: Encoding::Webp, ..AS_IT_IS });
    assert!(picture.pixels().zip(cut.pixels()).all(|(one, other)| one.0[3] == other.0[3]));
    assert!(is_near(*picture.get_pixel(2, 2), RED));
}

#[test]
fn alpha_is_grey_after_all_geometry() {
    let composition = Composition { channels: Channels::Alpha, crop: margins(px(16)), ..AS_IT_IS };
    let picture = read(&composed(&halves(), &composition));
    assert_eq!(picture.color(), ColorType::L8);
    let opacity = |x, y| match ((16..32).contains(&x), (32..48).contains(&x), (16..32).contains(&y)) {
        (true, _, true) => Luma([255]),
        (_, true, true) => Luma([128]),
        _ => Luma([0]),
    };
    assert_eq!(picture.into_luma8(), GrayImage::from_fn(64, 48, opacity));

    for (encoding, content_type) in [(Encoding::Jpeg, "image/jpeg"), (Encoding::Webp, "image/webp")] {
        let result = composed(&halves(), &Composition { encoding, ..composition });
        assert_eq!(result.content_type, content_type);
        let picture = read(&result).into_luma8();
        for (x, y, shade) in [(24, 24, 255), (40, 24, 128), (24, 40, 0)] {
            assert!(picture.get_pixel(x, y).0[0].abs_diff(shade) < 6, "{encoding:?} at {x}, {y}");
        }
    }
}

#[test]
fn alpha_is_not_changed_by_a_background() {
    let background = Background::Colour(Colour { r: 255, g: 255, b: 255, a: 255 });
    let alpha = Composition { channels: Channels::Alpha, encoding: Encoding::Auto, ..AS_IT_IS };
    let result = composed(&halves(), &Composition { background, ..alpha.clone() });
    assert_eq!(result, composed(&halves(), &alpha));
    assert_eq!(result.content_type, "image/png", "a mask with gaps is kept exactly");
    assert_eq!(composed(&subject((8, 8), area(0, 0, 8, 8)), &alpha).content_type, "image/jpeg");
}

#[test]
fn a_resized_edge_takes_no_colour_from_what_is_transparent() {
    // Black is hidden beside white; a cut that mixed them would have a grey edge.
    let cut = RgbaImage::from_fn(64, 64, |x, _| if x < 29 { Rgba([255; 4]) } else { Rgba([0, 0, 0, 0]) });
    for composition in [
        Composition { most_pixels: 400, ..AS_IT_IS },
        Composition { scale: Some(Percent(37.0)), ..AS_IT_IS },
        Composition { crop: margins(px(3)), most_pixels: 333, ..AS_IT_IS },
    ] {
        let picture = pixels(&cut, &composition);
        let seen = picture.pixels().filter(|pixel| pixel.0[3] > 8);
        assert!(seen.into_iter().all(|pixel| pixel.0[0] > 240), "{composition:?}");
    }
}

#[test]
fn what_is_hidden_under_transparency_is_not_in_the_file() {
    let cut = GrayAlphaImage::from_fn(16, 16, |x, _| image::LumaA([77, if x < 8 { 255 } else { 0 }]));
    let cut = DynamicImage::from(cut).into_rgba8();
    let picture = pixels(&cut, &AS_IT_IS);
    assert!(picture.enumerate_pixels().all(|(x, _, pixel)| x < 8 || *pixel == CLEAR));
}
