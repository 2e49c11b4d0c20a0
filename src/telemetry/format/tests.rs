use super::*;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tracing::{error, info, subscriber::with_default, warn};
use tracing_subscriber::layer::SubscriberExt as _;

/// 2026-03-15T12:00:00.000007Z
const NOW: UnixMicros = UnixMicros(1_773_576_000_000_007);

struct Capture(Form, Arc<Mutex<String>>);

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        write_event(&mut self.1.lock().unwrap(), self.0, event, NOW);
    }
}

/// The lines of what is logged meanwhile.
fn lines(form: Form, logging: impl FnOnce()) -> String {
    let written = Arc::new(Mutex::new(String::new()));
    with_default(tracing_subscriber::registry().with(Capture(form, Arc::clone(&written))), logging);
    written.lock().unwrap().clone()
}

fn one_of_each() {
    let (absent, nan) = (None::<&str>, f64::NAN);
    let list = [1, 2];
    warn!(
        plain = "a-1",
        spaced = "a b",
        absent,
        whole = 2.0_f64,
        part = 0.25_f64,
        nan,
        n = 3_u64,
        minus = -3,
        yes = true,
        ?list,
        "it is {}",
        "so"
    );
}

#[test]
fn people_read_words_and_machines_read_types() {
    assert_eq!(
        lines(Form::Text, one_of_each),
        "2026-03-15T12:00:00.000007Z  WARN it is so plain=a-1 spaced=\"a b\" whole=2.0 part=0.25 nan=null n=3 minus=-3 \
         yes=true list=\"[1, 2]\"\n"
    );
    assert_eq!(
        lines(Form::Json, one_of_each),
        "{\"timestamp\":\"2026-03-15T12:00:00.000007Z\",\"level\":\"WARN\",\"message\":\"it is so\",\"plain\":\"a-1\",\
         \"spaced\":\"a b\",\"whole\":2.0,\"part\":0.25,\"nan\":null,\"n\":3,\"minus\":-3,\"yes\":true,\"list\":\"[1, 2]\"}\n"
    );
    let coloured = lines(Form::Coloured, || error!(n = 1, "no"));
    assert_eq!(coloured, "2026-03-15T12:00:00.000007Z \u{1b}[31mERROR\u{1b}[0m no \u{1b}[2mn=\u{1b}[0m1\n");
}

/// Everything by which a value could end its line, look like another field, or make a terminal do something.
const NASTY: &str =
    "a\r\nb=c level=ERROR \",\"uid\":\"x\" \\\u{1b}[2J\u{9b}2J\u{7f}\0\u{2028}\u{202e}\u{200b}\u{85}\t\u{e9}";

#[test]
fn no_value_is_more_than_a_value() {
    let nasty = || info!(uid = NASTY, error = %NASTY, last = 1, "{NASTY}");
    for form in [Form::Text, Form::Json] {
        let text = lines(form, nasty);
        assert_eq!(text.matches(['\n', '\r']).count(), 1, "{form:?}: {text}");
        assert!(text.ends_with(if form == Form::Json { "}\n" } else { " last=1\n" }), "{text}");
        let acts = |c: &char| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}' | '\u{200b}');
        assert_eq!(text.trim_end().chars().find(acts), None, "{form:?}: {text:?}");
    }
    let json: Value = serde_json::from_str(&lines(Form::Json, nasty)).unwrap();
    assert_eq!((&json["uid"], &json["error"], &json["message"]), (&NASTY.into(), &NASTY.into(), &NASTY.into()));
    assert_eq!((json.as_object().unwrap().len(), &json["level"]), (6, &"INFO".into()), "{json}");
    let text = lines(Form::Text, nasty);
    let uid = text.split(" uid=").nth(1).unwrap().split(" error=").next().unwrap();
    assert_eq!(serde_json::from_str::<String>(uid).unwrap(), NASTY, "what is quoted is a string of JSON");
}

#[test]
fn what_is_not_quoted_cannot_be_two_things() {
    for (value, written) in [
        ("", "\"\""),
        ("-", "-"),
        ("ann@example.com", "ann@example.com"),
        ("http://127.0.0.1:7000/rmbg", "http://127.0.0.1:7000/rmbg"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("a=b", "\"a=b\""),
        ("\"", "\"\\\"\""),
        ("caf\u{e9}", "\"caf\u{e9}\""),
    ] {
        let text = lines(Form::Text, || info!(value, ""));
        assert_eq!(text, format!("2026-03-15T12:00:00.000007Z  INFO  value={written}\n"));
    }
}
