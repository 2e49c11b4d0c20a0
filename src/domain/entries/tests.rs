//! The same values, however they are written and in whatever pieces they arrive.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

type Pairs = Vec<(String, String)>;

fn read(content_type: &str, body: &[u8], pieces: &[usize]) -> Result<Pairs, Malformed> {
    let mut entries = Entries::new(Some(content_type))?;
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    let mut take = |event| match event {
        Event::Part(head) => found.push((head.name, Vec::new())),
        Event::Data(data) => {
            assert!(!data.is_empty());
            found.last_mut().unwrap().1.extend_from_slice(&data);
        }
    };
    let mut rest = body;
    for length in pieces.iter().copied().chain([usize::MAX]) {
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        entries.feed(Bytes::copy_from_slice(piece));
        while let Some(event) = entries.next_event()? {
            take(event);
        }
        rest = behind;
    }
    entries.finish()?.into_iter().for_each(take);
    Ok(found.into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect())
}

fn json_read(body: &str) -> Result<Pairs, Malformed> {
    read("application/json", body.as_bytes(), &[])
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn each_way_of_writing_says_the_same() {
    let same = pairs(&[("size", "auto"), ("crop", "true")]);
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\nauto\r\n--b\r\nContent-Disposition: form-data; name=\"crop\"\r\n\r\ntrue\r\n--b--\r\n";
    for (content_type, body) in [
        ("multipart/form-data; boundary=b", multipart),
        ("application/x-www-form-urlencoded; charset=utf-8", "size=auto&crop=true"),
        ("Application/JSON;charset=utf-8", r#" {"size": "auto", "crop" : true } "#),
    ] {
        assert_eq!(read(content_type, body.as_bytes(), &[]), Ok(same.clone()), "{content_type}");
    }
    assert_eq!(read("text/plain", b"size=auto", &[]), Ok(Vec::new()));
    assert_eq!(read("multipart/form-data", b"", &[]), Err(Malformed), "no boundary");
}

#[test]
fn values_of_json_are_texts_and_null_is_none() {
    let body = r#"{"a":"x\/\u00e9\ud83d\ude00\n","b":-1.5e3,"c":false,"d":null,"e":[1,{"f":"}"}],"":""}"#;
    let expected = [("a", "x/é😀\n"), ("b", "-1.5e3"), ("c", "false"), ("e", r#"[1,{"f":"}"}]"#), ("", "")];
    assert_eq!(json_read(body), Ok(pairs(&expected)));
    assert_eq!(json_read("{}"), Ok(Vec::new()));
}

#[test]
fn what_is_no_object_is_malformed() {
    for body in [
        "",
        " ",
        "[]",
        "\"a\"",
        "{",
        "{}}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":tru}",
        "{\"a\":01}",
        "{\"a\":\"\u{1}\"}",
        r#"{"a":"\x"}"#,
        r#"{"a":"\ud83d"}"#,
        r#"{"a":"\ude00"}"#,
        r#"{"a":"\ud83d\u0041"}"#,
        "{\"a\":[}",
        "{'a':1}",
    ] {
        assert_eq!(json_read(body), Err(Malformed), "{body}");
    }
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(json_read(&deep(64)).is_ok() && json_read(&deep(65)).is_err());
    let long = |digits: usize| format!("{{\"a\":{}}}", "1".repeat(digits));
    assert!(json_read(&long(64)).is_ok() && json_read(&long(65)).is_err());
    let members = |count: usize| format!("{{{}}}", vec!["\"a\":1"; count].join(","));
    assert!(json_read(&members(1_000)).is_ok() && json_read(&members(1_001)).is_err());
}

#[test]
fn names_are_bounded_and_entries_too() {
    let name = "n".repeat(300);
    let cut = "n".repeat(257);
    assert_eq!(json_read(&json!({name.as_str(): 1}).to_string()), Ok(pairs(&[(&cut, "1")])));
    let form = "application/x-www-form-urlencoded";
    assert_eq!(read(form, format!("{name}=1").as_bytes(), &[]), Ok(pairs(&[(&cut, "1")])));
    assert!(read(form, "a=1&".repeat(1_000).as_bytes(), &[]).is_ok());
    assert!(read(form, "a=1&".repeat(1_001).as_bytes(), &[]).is_err());
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        "[a-z\\\\/\"\u{e9}\u{1f600}]{0,12}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        Just(Value::Null),
        prop::collection::vec(".{0,4}", 0..4).prop_map(|texts| json!([texts, {"a": {}}])),
    ]
}

/// What is expected of a member; `None` for no value.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_object_is_read_whatever_the_pieces(
        members in prop::collection::btree_map("\\PC{0,8}", value(), 0..8),
        pieces in prop::collection::vec(0_usize..7, 0..80),
    ) {
        let object: Map<_, _> = members.into_iter().collect();
        let expected: Pairs = object.iter().filter_map(|(name, value)| Some((name.clone(), shown(value)?))).collect();
        let body = serde_json::to_string(&object).unwrap();
        prop_assert_eq!(read("application/json", body.as_bytes(), &pieces), Ok(expected));
        let pretty = serde_json::to_string_pretty(&object).unwrap();
        prop_assert!(read("application/json", pretty.as_bytes(), &pieces).is_ok());
        let cut = &body[..body.len() - 1];
        prop_assert_eq!(read("application/json", cut.as_bytes(), &pieces), Err(Malformed));
    }

    #[test]
    fn pieces_make_no_difference_to_any_text(
        body in prop::collection::vec(prop::sample::select(br#"{}[]":,\u0d8nulltrue1-. a"#.to_vec()), 0..60),
        pieces in prop::collection::vec(0_usize..5, 0..60),
    ) {
        let whole = read("application/json", &body, &[]);
        prop_assert_eq!(read("application/json", &body, &pieces), whole.clone());
        if serde_json::from_slice::<Map<String, Value>>(&body).is_ok() {
            prop_assert!(whole.is_ok());
        }
    }

    #[test]
    fn forms_are_read_as_the_url_standard_says(
        body in prop::collection::vec(prop::sample::select(b"ab=&%2BfF+ \xc3\xa9".to_vec()), 0..60),
        pieces in prop::collection::vec(0_usize..5, 0..60),
    ) {
        let standard: Pairs = form_urlencoded::parse(&body).into_owned().collect();
        let ours = read("application/x-www-form-urlencoded", &body, &pieces).unwrap();
        prop_assert_eq!(ours, standard);
    }
}
