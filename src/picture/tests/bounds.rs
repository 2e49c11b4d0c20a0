//! A result that is known to become too large is refused, and nothing else is.

use super::*;
use crate::{domain::form::Rgba as Colour, picture::encode::foreseen_length};
use proptest::prelude::*;

const BMP: Output = Output { format: OutputFormat::Bmp, ..AS_IT_IS };

#[test]
fn a_bmp_is_refused_from_the_first_byte_that_is_too_much() {
    // Four bytes for each of 12 pixels, and the headers.
    let judge = |bytes| Bounds { pixels: None, bytes: Some(bytes) }.judge((4, 3), &BMP);
    assert_eq!(judge(170), Ok(()));
    assert_eq!(judge(169), Err(TooMuch::Bytes { bytes: 170, most: 169 }));
    for format in FORMATS.into_iter().filter(|format| *format != OutputFormat::Bmp) {
        let unknown = Bounds { pixels: None, bytes: Some(1) }.judge((4, 3), &Output { format, ..AS_IT_IS });
        assert_eq!(unknown, Ok(()), "{format:?}");
    }
    let elsewhere = Bounds { pixels: None, bytes: None }.judge((10_000, 10_000), &BMP);
    assert_eq!(elsewhere, Ok(()), "what is made elsewhere is not known");
}

#[test]
fn what_is_asked_for_counts_and_not_what_was_sent() {
    let bounds = Bounds { pixels: None, bytes: Some(134_217_728) };
    for (output, bytes) in [
        (BMP, Some(144_000_122)),
        (Output { w: Some(4_000), ..BMP }, None),
        (Output { mask: true, ..BMP }, None),
        (Output { bg_color: Some(Colour { r: 0, g: 0, b: 0, a: 255 }), ..BMP }, None),
        (Output { bg_color: Some(Colour { r: 0, g: 0, b: 0, a: 254 }), ..BMP }, Some(144_000_122)),
        (Output { w: Some(4_000), angle: 45.0, ..BMP }, None),
        (Output { w: Some(5_000), angle: 45.0, ..BMP }, Some(200_052_858)),
        (Output { w: Some(5_000), angle: 45.0, expand: false, ..BMP }, None),
    ] {
        let refused = bytes.map(|bytes| TooMuch::Bytes { bytes, most: 134_217_728 });
        assert_eq!(bounds.judge((6_000, 6_000), &output).err(), refused, "{output:?}");
    }
}

#[test]
fn a_picture_that_exif_may_turn_is_refused_early_only_if_it_is_too_much_either_way() {
    // 1000 x 4000 lying, as wide as 6000, is 2500 x 10,000; upright, 6000 x 1500.
    let wide = Output { w: Some(6_000), ..AS_IT_IS };
    let refused = Err(TooMuch::Pixels { pixels: 25_000_000, most: 20_000_000 });
    let judge = |pixels, bytes| Bounds { pixels: Some(pixels), bytes }.judge_header((1_000, 4_000), &wide);
    assert_eq!(judge(20_000_000, Some(u64::MAX)), Ok(()));
    assert!(judge(8_000_000, Some(u64::MAX)).is_err());
    assert_eq!(judge(20_000_000, None), refused, "what is made elsewhere is judged only once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_length_that_is_foreseen_is_the_one_that_the_file_has(
        size in (1_u32..40, 1_u32..40),
        w in proptest::option::of(1_u32..60),
        mask: bool,
        opacity in proptest::option::of(any::<u8>()),
        angle in -360.0..360.0_f64,
        format in proptest::sample::select(FORMATS.to_vec()),
    ) {
        let bg_color = opacity.filter(|_| !mask).map(|a| Colour { r: 1, g: 2, b: 3, a });
        let output = Output { format, w, mask, bg_color, angle, ..AS_IT_IS };
        let file = finish(distinct(size.0, size.1), &output).expect("a file");
        let foreseen = foreseen_length(result_size(size, &output), &output);
        prop_assert_eq!(foreseen.is_some(), format == OutputFormat::Bmp);
        prop_assert!(foreseen.is_none_or(|length| length == file.len() as u64), "{:?}, {}", foreseen, file.len());
    }
}
