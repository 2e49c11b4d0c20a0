use super::*;
use crate::domain::refusal::Refusal;
use proptest::prelude::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and more";
const WEBP: &[u8] = b"RIFF\x10\0\0\0WEBPVP8 ";
/// The beginnings of a PNG, a JPEG, a WebP and a BMP.
const IN_BASE64: [&str; 4] = ["iVBORw0KGgoAAAAN", "/9j/4AAQSkZJRgAB", "UklGRhAAAABXRUJQVlA4IA==", "Qk12AAAA"];

fn judge(status: u16, content_type: Option<&str>, beginning: &[u8], base64: bool) -> Result<(), NoPicture> {
    is_picture(Shown { status, content_type, beginning }, base64)
}

#[test]
fn a_picture_is_one_by_its_type_or_by_its_signature_and_begins_like_nothing_else() {
    use NoPicture::{Empty, Json, Page, Status, Unknown};
    let (png, html, json) = (Some("image/png"), Some("text/html"), Some("application/json"));
    for (status, content_type, body, expected) in [
        (200, png, PNG, Ok(())),
        (200, Some("IMAGE/x-anything; q=1"), b"\x01\x02", Ok(())),
        (200, Some("application/octet-stream"), PNG, Ok(())),
        (200, html, PNG, Ok(())),
        (200, None, WEBP, Ok(())),
        (200, None, b"\xff\xd8\xff\xe0", Ok(())),
        (200, None, b"BM\x01\x02", Ok(())),
        (201, png, PNG, Ok(())),
        (299, png, PNG, Ok(())),
        (206, png, PNG, Err(Status(206))),
        (199, png, PNG, Err(Status(199))),
        (302, png, PNG, Err(Status(302))),
        (400, png, PNG, Err(Status(400))),
        (204, None, b"", Err(Empty)),
        (205, png, b"", Err(Empty)),
        (200, png, b"", Err(Empty)),
        (200, png, b" \r\n\t", Ok(())),
        (200, Some("text/plain"), b" \r\n\t", Err(Unknown)),
        (200, None, b"\xef\xbb\xbf", Err(Unknown)),
        (200, html, b"<!doctype html>", Err(Page)),
        (200, png, b"<html>", Err(Page)),
        (200, png, b"\xef\xbb\xbf \n<html>", Err(Page)),
        (200, Some("image/svg+xml"), b"<svg xmlns='http://www.w3.org/2000/svg'/>", Err(Page)),
        (200, json, br#"{"error": "out of credits"}"#, Err(Json)),
        (200, png, b"\n\n{}", Err(Json)),
        (200, json, br#"{"image": "iVBORw0KGgoAAAAN"}"#, Err(Json)),
        (200, None, b"iVBORw0KGgoAAAAN", Err(Unknown)),
        (200, Some("text/plain"), b"Bad gateway", Err(Unknown)),
        (200, Some("image/"), b"no type at all", Err(Unknown)),
        (200, Some("images/png"), b"nor this", Err(Unknown)),
        (200, None, b"RIFF\x10\0\0\0WAVEfmt ", Err(Unknown)),
        (200, None, b"GIF89a", Err(Unknown)),
        (200, Some("application/zip"), b"PK\x03\x04", Err(Unknown)),
    ] {
        assert_eq!(judge(status, content_type, body, false), expected, "{status} {content_type:?} {body:?}");
    }
}

#[test]
fn who_asks_for_base64_may_get_text_or_a_json_member_that_begins_as_a_picture() {
    let kinds = |code: &str| {
        vec![
            code.to_owned(),
            format!(" \n{code}"),
            format!("data:image/png;base64,{code}"),
            format!("DATA:;BASE64,{code}"),
            code.split("").collect::<Vec<_>>().join("\r\n"),
            format!(r#"{{"image": "{code}"}}"#),
            format!(r#"{{"status": 200, "a": [1, {{"b": "no: \"picture\""}}], "data" : {{"image":"{code}"}}}}"#),
            format!(r#"{{"image": "data:image\/png;base64,{}"}}"#, code.replace('/', "\\/")),
            format!(r#"{{"image": "\n{}"}}"#, code.replace('/', "\\u002f")),
            format!(r#"{{"image": "{code}"#),
        ]
    };
    for text in IN_BASE64.into_iter().flat_map(kinds) {
        assert_eq!(judge(200, Some("text/plain"), text.as_bytes(), true), Ok(()), "{text}");
        assert!(judge(200, Some("text/plain"), text.as_bytes(), false).is_err(), "nobody asked for it: {text}");
        assert!(judge(206, None, text.as_bytes(), true).is_err(), "a part of it: {text}");
    }
    assert_eq!(judge(200, None, PNG, true), Ok(()), "the picture itself will do");
}

#[test]
fn what_begins_as_no_picture_is_none_in_base64_either() {
    for text in [
        "",
        "{}",
        "<p>iVBORw0KGgoAAAAN</p>",
        "hello",
        "iVBO",
        "iVBORw0*GgoAAAAN",
        "data:image/png,iVBORw0KGgoAAAAN",
        "data:image/png;base64",
        r#"{"error": "out of credits", "status": 402}"#,
        r#"{"iVBORw0KGgoAAAAN": "a name"}"#,
        r#"{"iVBORw0KGgoAAAAN": 1, "x": true}"#,
        r#"{"images": ["iVBORw0KGgoAAAAN"]}"#,
        r#"{"a": "\"", "b": "x: \"iVBORw0KGgoAAAAN\""}"#,
        r#"{"a": "\u00"#,
        r#"{"a": "\"#,
    ] {
        assert!(judge(200, Some("application/json"), text.as_bytes(), true).is_err(), "{text}");
    }
}

#[test]
fn codings_other_than_none_are_known() {
    for (list, content, transfer) in [
        ("", true, true),
        ("identity", true, true),
        ("Identity , identity", true, true),
        ("chunked", false, true),
        ("gzip", false, false),
        ("br", false, false),
        ("gzip, chunked", false, false),
        ("identity, gzip", false, false),
        ("identity;q=1", false, false),
    ] {
        assert_eq!(leaves_as_is(list.as_bytes(), "identity"), content, "{list}");
        assert_eq!(leaves_as_is(list.as_bytes(), "chunked"), transfer, "{list}");
    }
}

/// Words in the contract's form.
fn said(error: &str, status: u16) -> String {
    serde_json::json!({"error": error, "status": status, "code": "more"}).to_string()
}

#[test]
fn only_words_in_the_contracts_form_are_about_our_key() {
    use KeyRefusal::{Rejected, Spent, TooFast};
    let unverified = Refusal::EmailNotVerified.message();
    let too_fast = Refusal::TooFast { retry_after: std::time::Duration::ZERO }.message();
    for (status, body, expected) in [
        (401, said("invalid api key", 401), Some(Rejected)),
        (402, said("Payment required", 402), Some(Spent)),
        (403, said(&unverified, 403), Some(Rejected)),
        (429, said("You've reached your monthly limit. Consider purchasing more credits.", 429), Some(Spent)),
        (429, said(&too_fast, 429), Some(TooFast)),
        (403, said("Forbidden", 403), None),
        (403, said(&unverified.replace('\u{2013}', "-"), 403), None),
        (403, said(&unverified, 401), None),
        (401, said("invalid api key", 403), None),
        (429, said("slow down", 200), None),
        (402, r#"{"error": "no status"}"#.to_owned(), None),
        (402, r#"{"status": 402}"#.to_owned(), None),
        (402, r#"{"error": {"message": "spent"}, "status": 402}"#.to_owned(), None),
        (402, r#"{"error": "spent", "status": "402"}"#.to_owned(), None),
        (402, r#"["spent", 402, null]"#.to_owned(), None),
        (402, r#"{"error": "spent", "status": 402} and more"#.to_owned(), None),
        (402, r#"{"error": "spent", "status": 402"#.to_owned(), None),
        (402, said(&"a".repeat(LONGEST_WORDS), 402), None),
        (429, "<html>Too many requests</html>".to_owned(), None),
        (401, String::new(), None),
        (500, said("broken", 500), None),
        (400, said("bad", 400), None),
    ] {
        assert_eq!(key_refusal(status, body.as_bytes()), expected, "{status} {body:.200}");
    }
    let about = (100..600).filter(|status| is_about_our_key(*status)).collect::<Vec<_>>();
    assert_eq!(about, [401, 402, 403, 429]);
}

#[test]
fn a_400_is_for_the_caller_if_it_is_in_the_contracts_form_and_not_about_our_credentials() {
    for (body, expected) in [
        (said("Image width (12000px) exceeds the maximum allowed width of 10000px.", 400), true),
        (
            r#"{"error":"Multiple validation errors","details":[{"field":"w","message":"no"}],"status":400}"#.into(),
            true,
        ),
        (r#"{"error":"x","details":null,"status":400}"#.into(), true),
        (r#"{"error":"x","details":"<html>","status":400}"#.into(), false),
        (r#"{"error":"x","details":[{"field":"w"}],"status":400}"#.into(), false),
        (said("x", 402), false),
        ("{}".into(), false),
        (r#"{"message":"account 4711 is over quota"}"#.into(), false),
        ("<html>400 Bad Request</html>".into(), false),
        (String::new(), false),
        (said(&"a".repeat(LONGEST_WORDS), 400), false),
        (said(&Refusal::KeyAndToken.message(), 400), false),
    ] {
        assert_eq!(is_about_the_form(body.as_bytes()), expected, "{body:.200}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_judged_and_nothing_but_a_whole_2xx_is_a_picture(
        status in 100_u16..600, content_type in proptest::option::of("[a-z/]{0,12}"),
        opening in prop::sample::select(vec!["", "{\"a\":\"", "{\"a\":\"\\u", "data:"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200), base64: bool,
    ) {
        let body = [opening.as_bytes(), &bytes].concat();
        let verdict = judge(status, content_type.as_deref(), &body, base64);
        prop_assert!(verdict.is_err() || ((200..300).contains(&status) && status != 206 && !body.is_empty()));
        let begins_as_text = body.trim_ascii_start().first().is_some_and(|first| b"<{".contains(first));
        prop_assert!(verdict.is_err() || base64 || !begins_as_text);
        let _ = (key_refusal(status, &body), is_about_the_form(&body));
    }
}
