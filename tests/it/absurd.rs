//! Malicious requests are refused or made sane, and nothing of them reaches the backend as it was.

use crate::{
    form::{BOUNDARY, Form, png},
    rawsocket::Raw,
    world::World,
};
use std::fmt::Write as _;

/// The ordinary form as one chunk.
fn chunked(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

fn head(key: &str, more: &str) -> String {
    format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {}\r\n{more}\r\n\r\n",
        Form::content_type()
    )
}

#[tokio::test]
async fn a_chunked_body_with_a_length_beside_it_smuggles_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let key = &ann.headers[0].1;
    for lengths in
        ["content-length: 4\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 4"]
    {
        let before = world.backend.seen().len();
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&head(key, lengths)).await;
        raw.send_bytes(&chunked(&Form::with_picture().body())).await;
        raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let said = raw.rest().await;
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "one answer, then the connection is closed: {said}");
        assert!(world.backend.seen().len() - before <= 1);
    }
    world.nothing_held().await;
}

#[tokio::test]
async fn bad_framing_and_bad_heads_are_refused_and_cost_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let key = &ann.headers[0].1;
    let long = "a".repeat(200_000);
    let many = (0..200).fold(String::from("content-length: 0"), |mut all, at| {
        write!(all, "\r\nx-{at}: 1").unwrap();
        all
    });
    let mut absurd: Vec<Vec<u8>> = [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "content-length: +5",
        "content-length: -5",
        "content-length: 0x5",
        "content-length: 99999999999999999999",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "content-length : 5",
        " content-length: 5",
        "x-folded: a\r\n b\r\ncontent-length: 5",
        "x-bare: a\rb\r\ncontent-length: 5",
        "x-nul: a\0b\r\ncontent-length: 5",
        "x\x01y: a\r\ncontent-length: 5",
        "x y: a\r\ncontent-length: 5",
        ": a\r\ncontent-length: 5",
        &many,
        &format!("x-long: {long}\r\ncontent-length: 5"),
    ]
    .iter()
    .map(|more| [head(key, more).as_bytes(), b"hello"].concat())
    .collect();
    for line in [
        format!("GET /{long} HTTP/1.1"),
        format!("{long} / HTTP/1.1"),
        "GET / HTTP/9.9".into(),
        "GET /a b HTTP/1.1".into(),
        "GET\0/ HTTP/1.1".into(),
        "GET".into(),
        "\x16\x03\x01\x02\x00\x01".into(),
    ] {
        absurd.push(format!("{line}\r\nhost: x\r\n\r\n").into_bytes());
    }
    for request in absurd {
        let mut raw = Raw::connect(world.app.public).await;
        raw.try_send(&request).await;
        let said = raw.rest().await;
        let shown = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{shown:?} was answered {said:?}");
        assert!(said.matches("HTTP/1.1 ").count() <= 1, "{shown:?} was answered {said:?}");
    }
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn broken_chunks_are_a_malformed_form_and_cost_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    for chunks in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello",
        "5\nhello\n0\n\n",
        "ffffffffffffffffff\r\nhello",
        "5\r\nhelloXX0\r\n\r\n",
    ] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&head(&ann.headers[0].1, "transfer-encoding: chunked")).await;
        raw.try_send(chunks.as_bytes()).await;
        let said = raw.rest().await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{chunks:?} was answered {said:?}");
    }
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn what_reaches_the_backend_is_built_by_us() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let mut raw = Raw::connect(world.app.public).await;
    let more = "transfer-encoding: chunked\r\nconnection: keep-alive, x-secret\r\nx-secret: mine\r\ncookie: a=b\r\n\
                x-forwarded-for: 1.2.3.4\r\nforwarded: for=1.2.3.4\r\nte: trailers\r\nupgrade: h2c\r\nexpect: 100-continue";
    raw.send(&head(&ann.headers[0].1, more)).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 100"));
    // One byte a chunk, with extensions, and trailers after the last.
    let mut body = String::new().into_bytes();
    for byte in Form::empty().image("a.png", &png(2, 2)).text("w", "7").body() {
        body.extend_from_slice(b"1;ext=\"a\"\r\n");
        body.push(byte);
        body.extend_from_slice(b"\r\n");
    }
    raw.send_bytes(&body).await;
    raw.send("0\r\ncontent-length: 3\r\nx-trailer: evil\r\n\r\n").await;
    let answer = raw.head().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let seen = &world.backend.seen()[0];
    let head = seen.head.to_ascii_lowercase();
    for never in
        ["x-secret", "cookie", "forwarded", "1.2.3.4", "transfer-encoding", "te:", "upgrade", "expect", "trailer"]
    {
        assert!(!head.contains(never), "{never} went on: {head}");
    }
    assert!(head.contains("content-length: ") && !seen.text().contains(BOUNDARY), "our own framing: {head}");
}

#[tokio::test]
async fn every_method_and_path_is_answered_in_the_contracts_json() {
    let world = World::start().await;
    for (line, status, error) in [
        ("OPTIONS /nowhere HTTP/1.1", 404, "not found"),
        ("OPTIONS * HTTP/1.1", 404, "not found"),
        ("CONNECT x:443 HTTP/1.1", 404, "not found"),
        ("GET http://elsewhere/nowhere HTTP/1.1", 404, "not found"),
        ("GET //rmbg HTTP/1.1", 404, "not found"),
        ("POST /rmbg/../rmbg HTTP/1.1", 404, "not found"),
        ("GET /%00 HTTP/1.1", 404, "not found"),
        ("GET /rmbg HTTP/1.1", 405, "method not allowed"),
        ("TRACE /rmbg HTTP/1.1", 405, "method not allowed"),
        ("BREW /rmbg HTTP/1.1", 405, "method not allowed"),
        ("PUT /api/membership-usage HTTP/1.1", 405, "method not allowed"),
    ] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&format!("{line}\r\nhost: x\r\n\r\n")).await;
        let (head, body) = raw.answer().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {head}");
        let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{line}: {body}"));
        assert_eq!((&json["error"], &json["status"]), (&error.into(), &status.into()), "{line}");
    }
}

#[tokio::test]
async fn a_head_request_gets_the_head_of_the_answer_and_no_body() {
    let world = World::start().await;
    for (path, status) in [("/healthz", 200), ("/rmbg", 405), ("/nowhere", 404)] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        let said = raw.rest().await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.ends_with("\r\n\r\n"), "{path}: {said}");
        assert!(said.contains("content-length: "), "{path}: {said}");
    }
}

#[tokio::test]
async fn only_who_may_upload_is_told_to_continue() {
    let world = World::start().await;
    let (ann, broke) = (world.customer("ann", 10).await, world.customer("broke", 0).await);
    let body = Form::with_picture().body();
    let more = format!("content-length: {}\r\nexpect: 100-continue", body.len());
    for (key, status) in [("nobody's", 401), (broke.headers[0].1.as_str(), 429)] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&head(key, &more)).await;
        let answer = raw.head().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "the refusal and no 100 before it: {answer}");
    }
    let mut raw = Raw::connect(world.app.public).await;
    raw.send(&head(&ann.headers[0].1, &format!("content-length: {}\r\nexpect: 100-continue", 200 << 20))).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 413 "), "what is too long is said before it is sent");
    let mut raw = Raw::connect(world.app.public).await;
    raw.send(&head(&ann.headers[0].1, &more)).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 100 "));
    raw.send_bytes(&body).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_closes_its_half_has_left_and_is_not_charged() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let body = Form::with_picture().body();
    world.backend.will(crate::backend::Manner::Wait);
    let whole = Raw::connect(world.app.public).await;
    let cut_short = Raw::connect(world.app.public).await;
    for (mut raw, sent) in [(whole, &body[..]), (cut_short, &body[..20])] {
        raw.send(&head(&ann.headers[0].1, &format!("content-length: {}", body.len()))).await;
        raw.send_bytes(sent).await;
        raw.half_close().await;
        let said = raw.rest().await;
        assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    }
    world.nothing_held().await;
    assert_eq!(ann.used().await, 0);
}
