//! The parts that are passed on: those that were judged, and those that no reader can take for one of them.

use super::*;

/// A part with this disposition behind `form-data; `, and perhaps another header.
fn part(parameters: &str, value: &str) -> Vec<u8> {
    format!("--XX\r\nContent-Disposition: form-data; {parameters}\r\n\r\n{value}\r\n").into_bytes()
}

fn fields_of(form: &Form) -> Vec<(&str, &[u8])> {
    form.fields.iter().map(|field| (field.name.as_str(), &field.value[..])).collect()
}

/// The fields passed on of a good picture and these parts.
fn passed(parts: &[Vec<u8>]) -> Vec<(String, String)> {
    let form =
        read(&body(&[&[file("cat.png", &png(3, 2))], parts].concat())).unwrap_or_else(|error| panic!("{error:?}"));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    fields_of(&form).into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

#[test]
fn unknown_texts_pass_as_sent_and_in_order_with_their_place_about_the_image() {
    let parts = [
        field("return_base64", "false"),
        field("h", ""),
        field("w", " 7\n"),
        field("x", " \u{e9} "),
        file("cat.png", &png(3, 2)),
        field("x", "again"),
        field("w", "8"),
        field("x", ""),
        b"--XX\r\nContent-Disposition: form-data; name=extra\r\nContent-Type: text/plain\r\n\r\n\xff\r\n".to_vec(),
    ];
    let form = read(&body(&parts)).unwrap();
    assert_eq!(
        fields_of(&form),
        [
            ("return_base64", &b"false"[..]),
            ("w", b"7"),
            ("x", " \u{e9} ".as_bytes()),
            ("x", b"again"),
            ("x", b""),
            ("extra", b"\xff")
        ]
    );
    assert_eq!(form.fields_before_image, 3);
    assert_eq!(form.fields.last().unwrap().content_type.as_deref(), Some("text/plain"));
}

#[test]
fn a_known_field_passes_without_the_blanks_around_it_and_not_at_all_if_it_is_not_set() {
    for (name, sent, judged) in [
        ("w", " 5 ", Some("5")),
        ("h", "\t+5\r\n", Some("+5")),
        ("w", "0", Some("0")),
        ("h", " -0 ", Some("-0")),
        ("w", "", None),
        ("angle", " 3.6e2\n", Some("3.6e2")),
        ("format", " PNG", Some("PNG")),
        ("format", "", None),
        ("bg_color", " Red ", Some("Red")),
        ("mask", " On", Some("On")),
        ("exact_resize", "no\n", Some("no")),
        ("expand", "", None),
    ] {
        let expected: Vec<_> = judged.map(|judged| (name.to_owned(), judged.to_owned())).into_iter().collect();
        assert_eq!(passed(&[field(name, sent)]), expected, "{name}={sent:?}");
        assert_eq!(passed(&[field(name, sent), field(name, "nonsense")]), expected, "the first {name} counts");
        let as_file = part(&format!("name={name}; filename=\"a.txt\"\r\nContent-Type: application/octet-stream"), sent);
        assert_eq!(passed(std::slice::from_ref(&as_file)), expected, "{name} as a file");
        let form = read(&body(&[file("cat.png", &png(3, 2)), as_file])).unwrap();
        assert!(form.fields.iter().all(|field| field.content_type.is_none()), "{name}: it is passed on as a text");
    }
    let refused = part("name=w; filename*=UTF-8''a.txt", "abc");
    assert_eq!(complaints(&body(&[file("cat.png", &png(3, 2)), refused])), ["w: 'w' must be an integer, got: 'abc'"]);
}

#[test]
fn what_could_be_taken_for_a_known_field_does_not_pass() {
    let known = ["w", "h", "angle", "format", "bg_color", "mask", "exact_resize", "expand", "image"];
    for known in known {
        let upper = known.to_ascii_uppercase();
        let dotted: String = known.chars().flat_map(|c| [c, '.']).collect();
        for name in [
            upper.clone(),
            dotted,
            format!("-{known}_"),
            upper.replace('_', "-"),
            known.replace('_', ".") + ".",
            format!(" {known}"),
            format!("{known} "),
            format!("{known}[]"),
            format!("{known}[0]"),
            format!("{known}\u{200b}"),
            format!("{known}\u{fffd}"),
            format!("%{:02x}{}", known.as_bytes()[0], &known[1..]),
            format!("{known}%22"),
            format!("{known};x"),
            known.replace('a', "\u{430}") + "\u{301}",
        ] {
            assert_eq!(passed(&[field(&name, "1e9")]), [], "{name:?}");
            assert_eq!(passed(&[part(&format!("name=\"{name}\"; filename=a.png"), "1e9")]), [], "{name:?} as a file");
        }
    }
    assert_eq!(passed(&[field("bgcolor", "red"), field("exactresize", "1"), field("EXACT-RESIZE", "1")]), []);
    assert_eq!(passed(&[field("width", "7"), field("i.m.g", "8")]).len(), 2);
}

#[test]
fn a_control_character_in_any_name_is_malformed() {
    for parameters in [
        "name=\"w\u{85}\"",
        "name=\"mask\u{9c}\"",
        "name=\"angle\u{2028}\"",
        "name=\"w\t\"",
        "name=\"=?UTF-8?Q?w=00?=\"",
        "name=\"other\"; filename=\"a\u{85}.txt\"",
        "name=\"other\"; filename*=UTF-8''a%0A.txt",
        "name=\"image\"; filename=\"\u{85}.png\"",
    ] {
        for parts in [[file("cat.png", &png(3, 2)), part(parameters, "1e9")], [part(parameters, "1"), field("w", "x")]]
        {
            assert_eq!(read(&body(&parts)), Err(FormError::Malformed), "{parameters:?}");
        }
    }
}

#[test]
fn an_encoded_name_is_the_field_that_it_says() {
    assert_eq!(
        complaints(&body(&[file("cat.png", &png(3, 2)), part("name=\"=?UTF-8?Q?angl=65?=\"", "1e9")])),
        ["angle: 'angle' must be between -360 and 360 degrees, got: 1000000000.0"]
    );
    assert_eq!(passed(&[part("name=\"=?UTF-8?B?dw==?=\"", "5")]), [("w".to_owned(), "5".to_owned())]);
}

#[test]
fn names_of_unknown_texts_are_1_to_64_plain_characters() {
    let longest = "n".repeat(64);
    for name in ["a", "return_base64", "A-9.z_", "_", "..", longest.as_str()] {
        assert_eq!(passed(&[field(name, "x")]), [(name.to_owned(), "x".to_owned())]);
    }
    for name in ["", "a b", "a[]", "naïve", "a/b", "a%22b", "a\\b", "a:b", &format!("{longest}n")] {
        assert_eq!(passed(&[field(name, "x")]), [], "{name:?}");
    }
}

#[test]
fn unknown_files_are_dropped_however_long_and_whatever_their_name() {
    let large = "x".repeat(2 * MAX_FIELDS);
    for parameters in [
        "name=extra; filename=a.txt",
        "name=extra; filename=\"\"",
        "name=extra; filename*=UTF-8''a",
        "name=\"\"; filename=a",
    ] {
        assert_eq!(passed(&[part(parameters, &large), field("x", "y")]), [("x".to_owned(), "y".to_owned())]);
    }
    assert_eq!(
        passed(&[part("name=extra; filename*=UTF-8''%ff", "z")]).len(),
        1,
        "a filename that nobody can read is none"
    );
}

#[test]
fn only_a_type_of_texts_passes_as_one() {
    for (sent, passed) in [
        ("text/plain; charset=utf-8", true),
        ("Application/JSON", true),
        ("application/octet-stream", false),
        ("multipart/mixed; boundary=yy", false),
        ("message/rfc822", false),
        ("image/png", false),
        ("text/plain; x=\u{85}", false),
        ("text/plain; name=m\u{e8}o", false),
        ("tëxt/plain", false),
        (&format!("text/plain; x={}", "y".repeat(200)), false),
    ] {
        let sent_part = part(&format!("name=extra\r\nContent-Type: {sent}"), "x");
        let form = read(&body(&[file("cat.png", &png(3, 2)), sent_part])).unwrap();
        assert_eq!(form.fields[0].content_type.as_deref(), passed.then_some(sent), "{sent}");
    }
}

#[test]
fn what_is_held_of_a_thousand_parts_is_bounded() {
    let name = |at: usize| format!("{at:03}{}", "n".repeat(61));
    let kind = format!("text/{}", "k".repeat(123));
    let unknown = |at| part(&format!("name={}\r\nContent-Type: {kind}", name(at)), "x");
    let mut parts: Vec<_> = (0..MAX_UNKNOWN).map(unknown).collect();
    parts.push(file("cat.png", &png(3, 2)));
    parts.extend((MAX_UNKNOWN..998).map(unknown));
    parts.push(field("w", "5"));
    let form = read(&body(&parts)).unwrap();
    assert_eq!((form.fields.len(), form.fields_before_image), (MAX_UNKNOWN + 1, MAX_UNKNOWN));
    assert_eq!(
        (&form.fields[127].name, &form.fields[128].name[..]),
        (&name(127), "w"),
        "the first pass, and all known ones"
    );
    let held: usize =
        form.fields.iter().map(|field| field.name.len() + field.content_type.as_ref().map_or(0, String::len)).sum();
    assert!(held <= MAX_UNKNOWN * (64 + 128) + 100, "{held} bytes of names and types");
    parts.push(field("mask", "1"));
    assert_eq!(read(&body(&parts)), Err(FormError::Malformed), "the thousand-and-first part");
}

#[test]
fn a_field_that_does_not_pass_takes_no_room() {
    let full = "x".repeat(MAX_FIELDS);
    let mut parts: Vec<_> = (0..=MAX_UNKNOWN).map(|at| field(&format!("n{at}"), "")).collect();
    parts.extend([field("a[]", &full), field("b", &full), field("W", &full), part("name=c; filename=d", &full)]);
    assert_eq!(passed(&parts).len(), MAX_UNKNOWN);
    assert_eq!(passed(&[field("a", &full)])[0].1.len(), MAX_FIELDS);
    let over = body(&[file("cat.png", &png(3, 2)), field("a", &full), field("b", "x")]);
    assert_eq!(read(&over), Err(FormError::TooLarge));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever the rules take is the same to every reader: they pass no value of a known field that is more than visible
    /// ASCII.
    #[test]
    fn values_that_pass_are_visible_ascii(
        name in prop::sample::select(vec!["w", "h", "angle", "format", "bg_color", "mask", "exact_resize", "expand"]),
        value in prop_oneof!["\\PC{0,6}", "[ \t\r\n\u{85}\u{a0}]{0,2}[0-9a-f#trueonyspngwb.+-]{0,6}[ \t\r\n\u{85}\u{a0}]{0,2}"],
    ) {
        if let Ok(form) = read(&body(&[file("cat.png", &png(3, 2)), field(name, &value)])) {
            for field in &form.fields {
                prop_assert!(field.value.iter().all(u8::is_ascii_graphic) && !field.value.is_empty(), "{:?}", field);
                let again = read(&with_fields(&[(name, std::str::from_utf8(&field.value).unwrap())])).unwrap();
                prop_assert_eq!(again.output, form.output, "it means what it meant");
            }
        }
    }
}
