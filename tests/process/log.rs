//! The log of real requests: one line each, in both forms, of every kind of outcome.

use crate::{
    backend::{Manner, PICTURE, StubBackend},
    form::Form,
    gateway::{Installation, Serving},
    people::{Person, Reply},
    support::{rawsocket::Raw, wait::until},
};
use serde_json::Value;
use std::time::Instant;

const DEBUG: (&str, &str) = ("REMBG_GATEWAY__LOG__LEVEL", "debug");
const TEXT: (&str, &str) = ("REMBG_GATEWAY__LOG__FORMAT", "text");
const TRUSTING: (&str, &str) = ("REMBG_GATEWAY__LIMITS__TRUSTED_PROXIES", "127.0.0.1");

fn read(serving: &Serving) -> Vec<Value> {
    serving.said().iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// The lines that name this request, once the one that ends it is there.
async fn lines_of(serving: &Serving, id: &str) -> Vec<Value> {
    let lines = || read(serving).into_iter().filter(|line| line["request_id"] == id).collect::<Vec<_>>();
    until(&format!("{id} is logged"), async || lines().iter().any(|line| line["message"] == "request")).await;
    lines()
}

/// The line of this request, which is the only one.
async fn line_of(serving: &Serving, id: &str) -> Value {
    let lines = lines_of(serving, id).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines[0].clone()
}

async fn cut_as(person: &Person, id: &str, form: &Form) -> Reply {
    person.clone().with("x-request-id", id).cut(form).await
}

/// What an operator would filter by.
fn essence(line: &Value) -> [&str; 4] {
    ["level", "outcome", "code", "caller"].map(|name| line[name].as_str().unwrap_or("-"))
}

#[tokio::test]
async fn a_served_picture_is_one_line_with_typed_fields() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve();
    let form = Form::with_picture();
    cut_as(&serving.person(&key), "first", &form).await;
    let line = line_of(&serving, "first").await;
    assert_eq!(essence(&line), ["INFO", "served", "-", "api"], "{line:#}");
    let text = ["route", "uid", "pool", "client", "backend"].map(|name| line[name].as_str().unwrap());
    assert_eq!(text, ["rmbg", "ann", "included", "127.0.0.0/24", &here.backend.url()]);
    let numbers = ["status", "tries", "bytes_in", "bytes_out"].map(|name| line[name].as_u64().unwrap());
    assert_eq!(numbers, [200, 1, form.body().len() as u64, PICTURE.len() as u64]);
    let steps = ["caller_ms", "admit_ms", "form_ms", "queue_ms", "backend_ms", "send_ms", "settle_ms"];
    let steps: f64 = steps.iter().map(|name| line[name].as_f64().unwrap_or_else(|| panic!("{name}: {line}"))).sum();
    assert!(
        line["ms"].is_f64() && line["backend_ms"].is_f64() && steps <= line["ms"].as_f64().unwrap() + 0.1,
        "{line}"
    );
    let listed = here.json(&["key", "list", "ann"]);
    assert_eq!(line["key_id"], listed[0]["id"]);
    assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
    assert!(!line.to_string().contains(&key[..12]), "not even the beginning of the key");
}

#[tokio::test]
async fn every_outcome_has_its_line_and_every_failure_one_warning() {
    let here = Installation::new().await;
    let (ann, bob) = (here.customer("ann", 99), here.customer("bob", 0));
    let serving = here.serve_with(&[DEBUG]);
    let (ann, bob) = (serving.person(&ann), serving.person(&bob));
    let stranger = Person::stranger(serving.public);
    let (picture, nobody) = (Form::with_picture(), stranger.clone().with("x-api-key", "nobody's-key"));
    cut_as(&ann, "invalid", &Form::empty()).await;
    cut_as(&bob, "spent", &picture).await;
    cut_as(&nobody, "unknown-key", &picture).await;
    stranger.clone().with("x-request-id", "nowhere").get("/nowhere").await;
    stranger.clone().with("x-request-id", "page").get("/api/openapi").await;
    ann.clone().with("x-request-id", "usage").get("/api/membership-usage").await;
    here.backend.will(Manner::refuses(400, "The image cannot be read.", ""));
    cut_as(&ann, "refused-there", &picture).await;
    here.backend.will(Manner::Close);
    cut_as(&ann, "closed", &picture).await;
    here.backend.will(Manner::Answer { status: 500, content_type: "text/plain", body: b"no".to_vec() });
    cut_as(&ann, "failed", &picture).await;
    here.backend.will(Manner::Hang);
    cut_as(&ann, "late", &picture).await;
    let id = here.json(&["key", "list", "bob"])[0]["id"].as_str().unwrap().to_owned();
    here.json(&["key", "revoke", &id]);
    until("the key is refused", async || bob.get("/api/membership-usage").await.status == 401).await;
    cut_as(&bob, "revoked", &picture).await;
    assert_eq!(line_of(&serving, "revoked").await["cause"], format!("{id} is revoked"), "which the caller is not told");
    let expected = [
        ("revoked", 401, ["INFO", "refused", "invalid_key", "rejected"]),
        ("invalid", 400, ["INFO", "refused", "invalid", "api"]),
        ("spent", 429, ["INFO", "refused", "monthly_limit", "api"]),
        ("unknown-key", 401, ["INFO", "refused", "invalid_key", "rejected"]),
        ("nowhere", 404, ["INFO", "refused", "not_found", "rejected"]),
        ("page", 200, ["DEBUG", "served", "-", "rejected"]),
        ("usage", 200, ["INFO", "served", "-", "api"]),
        ("refused-there", 400, ["INFO", "backend_refused", "-", "api"]),
        ("closed", 502, ["WARN", "failed", "backend_failed", "api"]),
        ("failed", 502, ["WARN", "failed", "backend_failed", "api"]),
        ("late", 504, ["WARN", "failed", "timed_out", "api"]),
    ];
    for (id, status, essence_of_it) in expected {
        let line = line_of(&serving, id).await;
        assert_eq!((line["status"].as_u64(), essence(&line)), (Some(status), essence_of_it), "{line:#}");
    }
    assert_eq!(line_of(&serving, "spent").await["uid"], "bob", "who is refused is known all the same");
    assert_eq!(line_of(&serving, "failed").await["cause"], "the backend answered 500");
    assert_eq!(line_of(&serving, "late").await["cause"], Value::Null, "nothing that the code says already");
    let warnings = read(&serving).iter().filter(|line| line["level"] == "WARN").count();
    assert_eq!(warnings, 3, "{:#?}", serving.said());
}

#[tokio::test]
async fn who_leaves_has_a_line_without_a_status() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve();
    here.backend.will(Manner::Hang);
    let mut raw = Raw::connect(serving.public).await;
    let body = Form::with_picture().body();
    let head = format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-request-id: left\r\nx-api-key: {key}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        Form::content_type(),
        body.len()
    );
    raw.send(&head).await;
    raw.send_bytes(&body).await;
    here.backend.has_seen(1).await;
    drop(raw);
    let line = line_of(&serving, "left").await;
    assert_eq!((essence(&line), &line["status"]), (["INFO", "abandoned", "-", "api"], &Value::Null), "{line:#}");
    assert!(line["backend_ms"].is_f64() && line["tries"] == 1, "what it had taken: {line:#}");
}

#[tokio::test]
async fn a_picture_that_fails_everywhere_is_warned_of_once() {
    let (here, second) = (Installation::new().await, StubBackend::start().await);
    let key = here.customer("ann", 9);
    let urls = format!("{}, {}", here.backend.url(), second.url());
    let serving = here.serve_with(&[("REMBG_GATEWAY__BACKEND__URLS", &urls)]);
    here.backend.will(Manner::CloseEarly);
    second.will(Manner::CloseEarly);
    assert_eq!(cut_as(&serving.person(&key), "both", &Form::with_picture()).await.status, 502);
    let lines = lines_of(&serving, "both").await;
    let levels: Vec<&str> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["INFO", "WARN"], "{lines:#?}");
    assert_eq!((&lines[1]["tries"], &lines[0]["backend"]), (&2.into(), &lines[1]["backend"]), "{lines:#?}");
}

#[tokio::test]
async fn operators_requests_are_for_debugging() {
    let here = Installation::new().await;
    let serving = here.serve_with(&[DEBUG]);
    for path in ["/readyz", "/metrics", "/hush"] {
        Person::stranger(serving.admin).get(path).await;
    }
    let lines = || read(&serving).into_iter().filter(|line| line["message"] == "operator's request");
    until("they are logged", async || lines().count() == 3).await;
    let paths: Vec<Value> = lines().map(|line| line["path"].clone()).collect();
    assert_eq!(paths, ["/readyz", "/metrics", "other"]);
    assert!(lines().all(|line| line["level"] == "DEBUG" && line["status"].is_u64() && line["ms"].is_f64()));
}

#[tokio::test]
async fn a_flood_of_503_is_ten_lines_a_second_and_a_count() {
    const FLOOD: usize = 1_000;
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve_with(&[
        ("REMBG_GATEWAY__BACKEND__CONCURRENCY", "1"),
        ("REMBG_GATEWAY__BACKEND__WAITING_PER_SLOT", "0"),
        ("REMBG_GATEWAY__BACKEND__TIMEOUT_S", "120"),
    ]);
    let ann = serving.person(&key);
    here.backend.will(Manner::Wait);
    let first = tokio::spawn({
        let ann = ann.clone();
        async move { cut_as(&ann, "first", &Form::with_picture()).await.status }
    });
    here.backend.has_seen(1).await;
    let begun = Instant::now();
    for _ in 0..FLOOD {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 503);
    }
    let most = 10 * (usize::try_from(begun.elapsed().as_secs()).unwrap() + 1);
    here.backend.let_one_go();
    assert_eq!(first.await.unwrap(), 200);
    let first = line_of(&serving, "first").await;
    assert_eq!(essence(&first)[1], "served", "it is not left out");
    let left_out = || read(&serving).into_iter().filter(|line| line["message"] == "not every line was written");
    let total = || left_out().map(|line| usize::try_from(line["left_out"].as_u64().unwrap()).unwrap()).sum::<usize>();
    let written = || read(&serving).iter().filter(|line| line["code"] == "queue_full").count();
    until("the rest is counted", async || written() + total() == FLOOD).await;
    assert!((10..=most).contains(&written()), "{} lines, at most {most}", written());
    let counted = serving.metric("rgw_log_lines_left_out_total").await;
    assert!((counted - f64::from(u32::try_from(total()).unwrap())).abs() < 0.5, "{counted}");
    assert!(left_out().all(|line| line["cause"] == "queue_full" && line["level"] == "WARN"), "{:#?}", serving.said());
}

#[tokio::test]
async fn what_is_left_out_is_told_before_the_end() {
    let here = Installation::new().await;
    let serving = here.serve_with(&[("REMBG_GATEWAY__LOG__LINES_PER_CAUSE", "1")]);
    let stranger = Person::stranger(serving.public);
    for _ in 0..100 {
        stranger.get("/nowhere").await;
    }
    serving.signal("INT");
    let log = serving.log.clone();
    assert_eq!(serving.exit_code().await, Some(0));
    until("it is told", async || log.count("not every line was written") > 0).await;
}

#[tokio::test]
async fn a_trace_is_believed_from_a_trusted_proxy_only_and_goes_on_to_the_backend() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    for (environment, own, continues) in [
        (&[TRUSTING][..], &[PARENT][..], true),
        (&[TRUSTING], &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-00"], false),
        (&[TRUSTING], &[PARENT, PARENT], false),
        (&[TRUSTING], &[], false),
        (&[], &[PARENT], false),
    ] {
        let serving = here.serve_with(environment);
        let mut ann = serving.person(&key).with("tracestate", "hush=1").with("baggage", "hush=2");
        for parent in own {
            ann = ann.with("traceparent", parent);
        }
        cut_as(&ann, "traced", &Form::with_picture()).await;
        let head = here.backend.seen().last().unwrap().head.to_ascii_lowercase();
        assert!(!head.contains("tracestate") && !head.contains("baggage") && !head.contains("hush"), "{head}");
        let sent: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("traceparent: ")).collect();
        let [sent] = sent[..] else { panic!("{head}") };
        let [_, id, span, flags] = sent.split('-').collect::<Vec<_>>()[..] else { panic!("{sent}") };
        let line = line_of(&serving, "traced").await;
        assert_eq!((line["trace_id"].as_str().unwrap(), sent.len()), (id, PARENT.len()), "{line:#}");
        assert_eq!(id == &PARENT[3..35], continues, "{own:?}: {sent}");
        assert_eq!((flags, span == &PARENT[36..52]), (if continues { "00" } else { "01" }, false), "{sent}");
    }
}

#[tokio::test]
async fn as_much_of_an_address_is_shown_as_is_configured() {
    let here = Installation::new().await;
    for (shown, four, six) in [
        ("full", Some("203.0.113.77"), Some("2001:db8:1:2:3::4")),
        ("network", Some("203.0.113.0/24"), Some("2001:db8:1:2::/64")),
        ("none", None, None),
    ] {
        let serving = here.serve_with(&[TRUSTING, DEBUG, ("REMBG_GATEWAY__LOG__CLIENT_ADDRESS", shown)]);
        for (id, address, expected) in [("four", "203.0.113.77", four), ("six", "2001:db8:1:2:3::4", six)] {
            Person::stranger(serving.public).calling_from(address).with("x-request-id", id).get("/nowhere").await;
            assert_eq!(line_of(&serving, id).await["client"].as_str(), expected, "{shown}");
        }
        assert!(shown == "full" || serving.log.count("203.0.113.77") + serving.log.count(":3::4") == 0);
    }
}

/// An account whose name would end its line, or be fields of its own.
const NASTY: &str = "ann\r\nlevel=ERROR uid=bob \",\"uid\":\"bob\" \\\u{1b}[2J\u{9b}2J\u{2028}\u{202e}";

async fn nasty_requests(serving: &Serving, key: &str) {
    let ann = serving.person(key).with("user-agent", "hush\tlevel=ERROR \"");
    ann.clone().with("x-request-id", "mine level=ERROR").cut(&Form::with_picture()).await;
    ann.clone().with("x-request-id", "named").cut(&Form::with_picture()).await;
    ann.with("x-request-id", "last").get("/hush%0Alevel=ERROR?hush=%1b").await;
}

fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{202e}')
}

#[tokio::test]
async fn nothing_that_a_caller_sends_is_a_line_or_a_field_of_its_own() {
    let here = Installation::new().await;
    let key = here.customer(NASTY, 9);
    let serving = here.serve_with(&[DEBUG]);
    nasty_requests(&serving, &key).await;
    let line = line_of(&serving, "named").await;
    assert_eq!((&line["uid"], essence(&line)[0]), (&NASTY.into(), "INFO"), "{line:#}");
    line_of(&serving, "last").await;
    let lines = read(&serving);
    assert_eq!(lines.iter().filter(|line| line["message"] == "request").count(), 3, "{lines:#?}");
    assert!(serving.said().iter().all(|line| !line.contains(acts) && !line.contains("hush")), "{lines:#?}");
    assert!(lines.iter().all(|line| line["level"] != "ERROR" && line["request_id"] != "mine level=ERROR"));

    let serving = here.serve_with(&[DEBUG, TEXT]);
    nasty_requests(&serving, &key).await;
    until("all are logged", async || serving.log.count("request_id=last") == 1).await;
    let lines = serving.said();
    let requests: Vec<&String> = lines.iter().filter(|line| line.contains(" request route=")).collect();
    assert_eq!(requests.len(), 3, "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with("20") && !line.contains(acts) && !line.contains("hush")));
    let named = requests
        .iter()
        .find(|line| line.ends_with(" request_id=named") || line.contains(" request_id=named "))
        .unwrap();
    let (quoted, _) = named.split_once(" uid=").unwrap().1.split_once(" key_id=").unwrap();
    assert_eq!(serde_json::from_str::<String>(quoted).unwrap(), NASTY, "{named}");
}

#[tokio::test]
async fn people_read_it_too() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve_with(&[TEXT]);
    let ann = serving.person(&key);
    cut_as(&ann, "good", &Form::with_picture()).await;
    here.backend.will(Manner::Answer { status: 500, content_type: "text/plain", body: b"no".to_vec() });
    cut_as(&ann, "bad", &Form::with_picture()).await;
    until("both are logged", async || serving.log.count(" request_id=bad ") == 1).await;
    let lines = serving.said();
    let of = |id: &str| lines.iter().find(|line| line.contains(&format!(" request_id={id} "))).unwrap();
    assert!(of("good").contains("Z  INFO request route=rmbg status=200 outcome=served ms="), "{lines:#?}");
    let bad = of("bad");
    assert!(bad.contains("Z  WARN request route=rmbg status=502 outcome=failed code=backend_failed ms="), "{bad}");
    assert!(bad.contains(" cause=\"the backend answered 500\" "), "{bad}");
    let mut words: Vec<&str> = bad.split(' ').filter(|word| !word.is_empty()).collect();
    let all = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), all, "no word twice: {bad}");
}
