//! The rules of the fields beside the image, value by value.

use super::*;

fn complaint(name: &str, value: &str) -> String {
    match &complaints(&with_fields(&[(name, value)]))[..] {
        [only] => only.clone(),
        many => panic!("{name}={value}: {many:?}"),
    }
}

#[test]
fn a_field_that_is_not_sent_or_empty_has_its_default_and_a_blank_one_is_wrong() {
    let defaults = Output {
        format: OutputFormat::Webp,
        w: None,
        h: None,
        exact_resize: false,
        mask: false,
        bg_color: None,
        angle: 0.0,
        expand: true,
    };
    assert_eq!(output(&[]), defaults);
    let fields = ["w", "h", "angle", "format", "bg_color", "mask", "exact_resize", "expand"];
    assert_eq!(output(&fields.map(|name| (name, ""))), defaults);
    for name in fields {
        assert!(read(&with_fields(&[(name, " ")])).is_err(), "{name}");
    }
    assert_eq!(output(&[("mask", "true"), ("bg_color", "")]).bg_color, None, "an empty colour is none");
    assert_eq!(output(&[("W", "abc")]), defaults, "names have one case");
}

#[test]
fn widths_and_heights_are_integers_from_1_to_10000() {
    for (value, pixels) in [
        ("1", Some(1)),
        ("10000", Some(10_000)),
        ("+5", Some(5)),
        (" 5\n", Some(5)),
        ("0005", Some(5)),
        ("0", None),
        ("00", None),
        (" -0 ", None),
    ] {
        let Output { w, h, .. } = output(&[("w", value), ("h", value)]);
        assert_eq!((w, h), (pixels, pixels), "{value:?}");
    }
    for (value, message) in [
        ("abc", "must be an integer, got: 'abc'"),
        ("5.0", "must be an integer, got: '5.0'"),
        ("1e3", "must be an integer, got: '1e3'"),
        ("0x10", "must be an integer, got: '0x10'"),
        ("5 5", "must be an integer, got: '5 5'"),
        ("1_0", "must be an integer, got: '1_0'"),
        ("--5", "must be an integer, got: '--5'"),
        ("+", "must be an integer, got: '+'"),
        ("٥", "must be an integer, got: '٥'"),
        ("nan", "must be an integer, got: 'nan'"),
        (" x ", "must be an integer, got: ' x '"),
        ("-5", "must be at least 1, got: -5"),
        ("-99999999999999999999", "must be at least 1, got: -99999999999999999999"),
        ("10001", "must be at most 10000, got: 10001"),
        ("+15000", "must be at most 10000, got: +15000"),
        ("4294967297", "must be at most 10000, got: 4294967297"),
        ("99999999999999999999", "must be at most 10000, got: 99999999999999999999"),
    ] {
        for name in ["w", "h"] {
            assert_eq!(complaint(name, value), format!("{name}: '{name}' {message}"));
        }
    }
}

#[test]
fn an_angle_is_a_number_of_degrees_from_minus_360_to_360() {
    for (value, degrees) in [
        ("0", 0.0),
        ("90", 90.0),
        ("-360", -360.0),
        ("+360.0", 360.0),
        (" .5 ", 0.5),
        ("1.", 1.0),
        ("3.6e2", 360.0),
        ("1e-400", 0.0),
    ] {
        let read = output(&[("angle", value)]).angle;
        assert!((read - degrees).abs() < f64::EPSILON, "{value} was read as {read}");
    }
    for (value, message) in [
        ("ninety", "must be a number, got: 'ninety'"),
        ("90°", "must be a number, got: '90°'"),
        ("1,5", "must be a number, got: '1,5'"),
        ("nan", "must be a number, got: 'nan'"),
        ("-Infinity", "must be a number, got: '-Infinity'"),
        ("inf", "must be a number, got: 'inf'"),
        ("1e400", "must be a number, got: '1e400'"),
        ("500", "must be between -360 and 360 degrees, got: 500.0"),
        ("-360.01", "must be between -360 and 360 degrees, got: -360.01"),
        ("1e300", "must be between -360 and 360 degrees, got: 1e+300"),
    ] {
        assert_eq!(complaint("angle", value), format!("angle: 'angle' {message}"));
    }
}

#[test]
fn formats_are_named_in_any_case_and_jpg_is_none() {
    for (value, format) in [
        ("png", OutputFormat::Png),
        ("JPEG", OutputFormat::Jpeg),
        ("WebP", OutputFormat::Webp),
        (" bmp ", OutputFormat::Bmp),
    ] {
        assert_eq!(output(&[("format", value)]).format, format, "{value}");
    }
    for value in ["gif", "jpg", "image/png", ".png", "GIF"] {
        let message = format!("format: Invalid format '{value}'. Allowed formats: PNG, JPEG, WEBP, BMP");
        assert_eq!(complaint("format", value), message);
    }
}

#[test]
fn booleans_have_eight_words_in_any_case() {
    for name in ["mask", "exact_resize", "expand"] {
        let read = |value| {
            let output = output(&[(name, value)]);
            match name {
                "mask" => output.mask,
                "expand" => output.expand,
                _ => output.exact_resize,
            }
        };
        for value in ["true", "1", "yes", "on", "TRUE", " On"] {
            assert!(read(value), "{name}={value}");
        }
        for value in ["false", "0", "no", "off", "False", "OFF\n"] {
            assert!(!read(value), "{name}={value}");
        }
        for value in ["maybe", "2", "t", "truefalse", "null"] {
            assert_eq!(complaint(name, value), format!("{name}: '{name}' must be true or false, got: '{value}'"));
        }
    }
}

#[test]
fn colours_are_hexadecimal_or_named() {
    for (value, [r, g, b, a]) in [
        ("#1aF", [0x11, 0xaa, 0xff, 0xff]),
        ("#1aF8", [0x11, 0xaa, 0xff, 0x88]),
        ("#12aBfE", [0x12, 0xab, 0xfe, 0xff]),
        ("#12abfe00", [0x12, 0xab, 0xfe, 0]),
        (" #ffffffff ", [255; 4]),
        ("red", [255, 0, 0, 255]),
        ("RebeccaPurple", [0x66, 0x33, 0x99, 255]),
        ("aliceblue", [0xf0, 0xf8, 0xff, 255]),
        ("yellowgreen", [0x9a, 0xcd, 0x32, 255]),
        ("darkslategrey", [0x2f, 0x4f, 0x4f, 255]),
        ("Transparent", [0; 4]),
    ] {
        assert_eq!(output(&[("bg_color", value)]).bg_color, Some(Rgba { r, g, b, a }), "{value}");
    }
    for value in
        ["#12345", "#", "#12", "#1234567", "#123456789", "#gggggg", "#+12345", "123456", "rgb(1,2,3)", "reddish", "#é1"]
    {
        let message =
            format!("bg_color: Invalid color format '{value}'. Use hex format: #RGB, #RGBA, #RRGGBB, or #RRGGBBAA");
        assert_eq!(complaint("bg_color", value), message);
    }
}

#[test]
fn a_mask_has_no_background() {
    let conflict = "mask: Cannot use 'mask=true' together with 'bg_color'. Choose one or the other.";
    assert_eq!(complaints(&with_fields(&[("bg_color", "red"), ("mask", "1")])), [conflict]);
    assert_eq!(
        complaints(&with_fields(&[("mask", "true"), ("bg_color", "#12345")])),
        ["bg_color: Invalid color format '#12345'. Use hex format: #RGB, #RGBA, #RRGGBB, or #RRGGBBAA", conflict]
    );
    assert!(output(&[("mask", "false"), ("bg_color", "red")]).bg_color.is_some());
}

#[test]
fn what_is_no_utf_8_is_echoed_as_well_as_can_be() {
    let part = b"--XX\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\ng\xffif\r\n".to_vec();
    assert_eq!(
        complaints(&body(&[file("cat.png", &png(3, 2)), part])),
        ["format: Invalid format 'g\u{fffd}if'. Allowed formats: PNG, JPEG, WEBP, BMP"]
    );
}
