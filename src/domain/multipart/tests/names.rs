//! Names and file names, in every way that clients write them.

use super::*;

/// The file name of an image part whose disposition ends in this.
fn filename(parameters: &[u8]) -> Result<Option<String>, Malformed> {
    head(&[b"Content-Disposition: form-data; name=\"image\"; ", parameters].concat()).map(|part| part.filename)
}

fn name(parameter: &[u8]) -> Result<String, Malformed> {
    head(&[b"Content-Disposition: form-data; ", parameter].concat()).map(|part| part.name)
}

#[test]
fn names_are_read_as_clients_write_them() {
    for (sent, name) in [
        ("filename=\"cat.png\"", Some("cat.png")),
        ("filename=cat.png", Some("cat.png")),
        ("filename = \"cat.png\" ; size=3", Some("cat.png")),
        ("FILENAME=\"cat.png\"", Some("cat.png")),
        ("filename=\"\"", Some("")),
        ("filename=", Some("")),
        ("filename=\"a \\\"b\\\" \\\\ c.png\"", Some("a \"b\" \\ c.png")),
        ("filename=\"a %22b%22.png\"", Some("a \"b\".png")),
        ("filename=\"a%0D%0Ab.png\"", Some("a%0D%0Ab.png")),
        ("filename=\"C:\\new\\cat.png\"", Some("C:\\new\\cat.png")),
        ("filename=\"a;b=c.png\"", Some("a;b=c.png")),
        ("filename=\"mèo.png\"", Some("mèo.png")),
        ("filename=\"first.png\"; filename=\"second.png\"", Some("first.png")),
        ("flag; filename=\"cat.png\"", Some("cat.png")),
        ("", None),
    ] {
        assert_eq!(filename(sent.as_bytes()), Ok(name.map(Into::into)), "{sent}");
    }
    assert_eq!(filename(b"filename=\"m\xe8o.png\""), Ok(Some("m\u{fffd}o.png".into())), "what is no UTF-8");
}

#[test]
fn encoded_words_are_decoded_wherever_they_stand() {
    for (sent, decoded) in [
        // Spring, for any name and for one that is not ASCII.
        ("=?UTF-8?Q?photo.png?=", "photo.png"),
        ("=?UTF-8?Q?m=C3=A8o_1.png?=", "mèo 1.png"),
        // .NET, JavaMail.
        ("=?utf-8?B?bcOoby5wbmc=?=", "mèo.png"),
        ("=?utf-8?b?bcOoby5wbmc?=", "mèo.png"),
        ("=?ISO-8859-1?q?m=E8o.png?=", "mèo.png"),
        ("=?us-ascii*en?Q?cat?= \t =?UTF-8?Q?.png?=", "cat.png"),
        ("=?UTF-8?Q?m=C3?= =?UTF-8?Q?=A8o.png?=", "mèo.png"),
        ("my =?UTF-8?Q?cat?= .png", "my cat .png"),
        ("=?UTF-8?Q?=FF.png?=", "\u{fffd}.png"),
        ("=?UTF-8?B??=a.png", "a.png"),
        ("=?UTF-8?Q?=3D=3FUTF-8=3FQ=3Fa=3F=3D?=.png", "=?UTF-8?Q?a?=.png"),
        // No words, or none that can be read: they stay.
        ("=?koi8-r?Q?a.png?=", "=?koi8-r?Q?a.png?="),
        ("=?UTF-8?X?a.png?=", "=?UTF-8?X?a.png?="),
        ("=?UTF-8?Q?a=2.png?=", "=?UTF-8?Q?a=2.png?="),
        ("=?UTF-8?B?a*b=?=", "=?UTF-8?B?a*b=?="),
        ("=?UTF-8?B?YWJjY?=", "=?UTF-8?B?YWJjY?="),
        ("=?UTF-8?Q?a.png", "=?UTF-8?Q?a.png"),
        ("=?UTF-8?Q?a?b?=", "=?UTF-8?Q?a?b?="),
        ("what=?.png", "what=?.png"),
    ] {
        assert_eq!(filename(format!("filename=\"{sent}\"").as_bytes()), Ok(Some(decoded.into())), "{sent}");
        assert_eq!(name(format!("name=\"{sent}\"").as_bytes()), Ok(decoded.into()), "{sent}");
    }
}

#[test]
fn the_extended_filename_counts_where_there_is_no_other_that_every_reader_knows() {
    for (sent, name) in [
        // Old Python requests.
        ("filename*=UTF-8''m%C3%A8o.png", Some("mèo.png")),
        ("filename*=utf-8'vi'm%c3%a8o.png", Some("mèo.png")),
        ("filename*=\"UTF-8''a%20b.png\"", Some("a b.png")),
        ("filename*=iso-8859-1''m%E8o.png", Some("mèo.png")),
        ("filename*=UTF-8''a%2522b.png", Some("a%22b.png")),
        ("filename*=UTF-8''", Some("")),
        // Spring, .NET, and everybody who sends both.
        ("filename=\"=?UTF-8?Q?photo.png?=\"; filename*=UTF-8''photo.png", Some("photo.png")),
        ("filename=\"=?UTF-8?Q?a?= =?UTF-8?Q?b?=\"; filename*=UTF-8''c.png", Some("c.png")),
        ("filename=\"=?GB2312?B?1dU=?=\"; filename*=UTF-8''c.png", Some("c.png")),
        ("filename*=UTF-8''c.png; filename=\"=?utf-8?B?YQ==?=\"", Some("c.png")),
        ("filename*=UTF-8''m%C3%A8o.png; filename=\"meo.png\"", Some("meo.png")),
        ("filename=\"a =?UTF-8?Q?b?=\"; filename*=UTF-8''c.png", Some("a b")),
        ("filename=\"\"; filename*=UTF-8''c.png", Some("")),
        ("filename*=UTF-8''a.png; filename*=UTF-8''b.png", Some("a.png")),
        // A name that cannot be decoded counts as absent.
        ("filename*=UTF-8''m%E8o.png", None),
        ("filename*=UTF-8''a%2.png", None),
        ("filename*=UTF-8''a%2", None),
        ("filename*=UTF-8''mèo.png", None),
        ("filename*=koi8-r''a.png", None),
        ("filename*=a.png", None),
        ("filename*=UTF-8'a.png", None),
        ("filename*=UTF-8''a%+1.png", None),
        ("filename=\"=?UTF-8?Q?a.png?=\"; filename*=UTF-8''%ff", Some("a.png")),
        ("filename*0=\"a.png\"; filename*1=\".exe\"", None),
    ] {
        assert_eq!(filename(sent.as_bytes()), Ok(name.map(Into::into)), "{sent}");
    }
}

#[test]
fn the_extended_name_is_none() {
    assert_eq!(name(b"name*=UTF-8''w; name=\"h\""), Ok("h".into()));
    assert_eq!(name(b"name=\"=?UTF-8?Q?h?=\"; name*=UTF-8''w"), Ok("h".into()));
}

#[test]
fn a_control_character_is_malformed_in_whatever_way_it_is_written() {
    for c in (0..0x20).chain(0x7f..0xa0).chain([0x2028, 0x2029]).filter_map(char::from_u32) {
        let mut utf8 = [0; 4];
        let utf8 = c.encode_utf8(&mut utf8).as_bytes();
        let percent = utf8.iter().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let quoted = percent.replace('%', "=");
        for written in [
            [b"filename=\"a", utf8, b".png\""].concat(),
            format!("filename=\"=?UTF-8?Q?a{quoted}.png?=\"").into_bytes(),
            format!("filename*=UTF-8''a{percent}.png").into_bytes(),
            format!("filename=\"=?koi8-r?Q?a?==?UTF-8?Q?{quoted}?=.png\"").into_bytes(),
        ] {
            let shown = String::from_utf8_lossy(&written).into_owned();
            assert_eq!(filename(&written), Err(Malformed), "{c:?} in {shown:?}");
        }
        for written in [[b"name=\"w", utf8, b"\""].concat(), format!("name=\"=?UTF-8?Q?w{quoted}?=\"").into_bytes()] {
            assert_eq!(name(&written), Err(Malformed), "{c:?} in a name");
        }
        if u32::from(c) < 0x100 {
            let latin = u32::from(c);
            assert_eq!(filename(format!("filename*=ISO-8859-1''a%{latin:02x}").as_bytes()), Err(Malformed), "{c:?}");
            assert_eq!(name(format!("name=\"=?latin1?Q?w={latin:02x}?=\"").as_bytes()), Err(Malformed), "{c:?}");
        }
    }
    for harmless in ["\u{a0}", "\u{200b}", "\u{feff}", "\u{202e}", "%0D%0A", "%C2%85", "\u{fffd}"] {
        let sent = format!("filename=\"a{harmless}.png\"");
        assert_eq!(filename(sent.as_bytes()), Ok(Some(format!("a{harmless}.png"))), "{harmless:?}");
    }
}

#[test]
fn a_folded_header_is_one_line() {
    for sent in [
        "Content-Disposition: form-data; name=\"image\";\r\n filename=\"my cat.png\"",
        "Content-Disposition: form-data; name=\"image\"; \r\n\tfilename=\"my cat.png\"",
        "Content-Disposition:\r\n form-data;\r\n\t name=image;\r\n \r\n \tfilename=\"my\r\n cat.png\"",
        "Content-Disposition: form-data; name=image; filename=\"=?UTF-8?Q?my_?=\r\n =?UTF-8?Q?cat.png?=\"",
        "X-Other: 1\r\n Content-Disposition: form-data; name=w\r\nContent-Disposition: form-data; name=image; \
         filename=\"my cat.png\"",
    ] {
        let read = head(sent.as_bytes()).unwrap_or_else(|_| panic!("{sent}"));
        assert_eq!((read.name.as_str(), read.filename.as_deref()), ("image", Some("my cat.png")), "{sent}");
        let body = [b"--Bo-und\r\n", sent.as_bytes(), b"\r\n\r\n\r\n--Bo-und--"].concat();
        assert_eq!(parts(body.chunks(1)), Ok(vec![read]), "{sent}, byte by byte");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_back_from_any_spelling_or_is_malformed(text in any::<String>()) {
        let hidden = text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
        let expected = if hidden { Err(Malformed) } else { Ok(Some(text.clone())) };
        let percent = text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        prop_assert_eq!(filename(format!("filename*=utf-8''{percent}").as_bytes()), expected.clone());
        let quoted = percent.replace('%', "=");
        let word = filename(format!("filename=\"=?utf-8?q?{quoted}?=\"").as_bytes());
        prop_assert_eq!(word, expected.map(|text| text.map(|text| text.replace("%22", "\""))));
    }

    #[test]
    fn no_bytes_make_a_name_with_a_control_character(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for parameter in [&b"name=\""[..], b"name=\"=?latin1?Q?", b"name=", b"name=\"=?UTF-8?B?"] {
            if let Ok(name) = name(&[parameter, &bytes, b"?=\""].concat()) {
                prop_assert!(!name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{:?}", name);
            }
        }
    }
}
