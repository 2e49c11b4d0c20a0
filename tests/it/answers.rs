//! A credit is spent only for an answer of the backend's that is a picture, and a caller sees only certain parts of it.

use crate::{
    backend::{Manner, PICTURE, StubBackend},
    form::{Form, png},
    people::Reply,
    world::World,
};
use rembg_gateway::config::BackendKind;

const BUSY: &str = "The service is busy. Please retry shortly.";
const FAILED: &str = "The background-removal service failed. You have not been charged.";
const CORRUPT: &str = "File does not appear to be a valid image (invalid file signature)";

/// A PNG's first bytes in base64.
const IN_BASE64: &str = "iVBORw0KGgoAAAANSUhEUgAAAAQ";

fn says(status: u16, content_type: &str, body: &[u8]) -> Manner {
    Manner::says(status, &format!("content-type: {content_type}\r\n"), body)
}

fn asking_for_base64() -> Form {
    Form::with_picture().text("return_base64", "true")
}

fn coded(header: &str) -> Manner {
    Manner::says(200, &format!("content-type: image/png\r\n{header}\r\n"), b"\x1f\x8b\x08 compressed, or so it says")
}

#[tokio::test]
async fn what_is_no_picture_is_a_failure_and_costs_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let chunked =
        b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answers = [
        coded("content-encoding: gzip"),
        coded("Content-Encoding: br"),
        coded("content-encoding: identity\r\ncontent-encoding: zstd"),
        Manner::Raw(chunked.to_vec()),
        says(200, "text/html", b"<!doctype html><p>Just a moment"),
        says(200, "image/png", b"\r\n <html>"),
        says(200, "image/svg+xml", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        says(200, "application/json", br#"{"error": "credits of account 4711 are spent", "status": 402}"#),
        says(200, "image/png", b"{}"),
        says(200, "text/plain", b"ok"),
        says(200, "application/json", format!(r#"{{"image": "{IN_BASE64}"}}"#).as_bytes()),
        says(200, "text/plain", IN_BASE64.as_bytes()),
        says(200, "image/png", b""),
        says(201, "text/plain", b" \n"),
        says(200, "image/png", &[vec![b' '; 1 << 20], b"<html>".to_vec()].concat()),
        Manner::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        Manner::Raw(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n".to_vec()),
        says(205, "image/png", b""),
        says(206, "image/webp", PICTURE),
        says(302, "image/webp", PICTURE),
        says(304, "image/webp", b""),
        says(402, "image/webp", PICTURE),
        says(600, "image/webp", PICTURE),
    ];
    for (nth, manner) in answers.into_iter().enumerate() {
        world.backend.will(manner.clone());
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.error().as_str()), (502, FAILED), "{nth}: {manner:?}");
        assert_eq!(world.backend.seen().len(), nth + 1, "it was asked once: {manner:?}");
        assert_eq!(ann.used().await, 0, "{manner:?}");
    }
    let without = says(200, "application/json", br#"{"error": "nothing left", "image": null}"#);
    world.backend.will(without);
    assert_eq!(ann.cut(&asking_for_base64()).await.status, 502, "asked for or not, it must be there");
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_picture_by_its_type_or_by_its_signature_is_passed_on_as_it_is_and_counted_once() {
    let world = World::start().await;
    let ann = world.customer("ann", 100).await;
    let json = format!(r#"{{"status": "ok", "result": {{"image": "data:image\/png;base64,{IN_BASE64}"}}}}"#);
    let text = format!("{IN_BASE64}\n");
    let hints =
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nRIFF\0\0\0\0WEBP";
    let plain = Form::with_picture();
    let answers = [
        (&plain, says(200, "image/png", &png(3, 3)), png(3, 3)),
        (&plain, says(200, "application/octet-stream", &png(3, 3)), png(3, 3)),
        (&plain, says(201, "image/x-of-its-own", b"\x01\x02"), b"\x01\x02".to_vec()),
        (&plain, says(200, "image/x-of-its-own", &vec![b'\t'; 3 << 20]), vec![b'\t'; 3 << 20]),
        (&plain, Manner::says(200, "content-encoding: identity\r\n", PICTURE), PICTURE.to_vec()),
        (&plain, Manner::says(200, "content-encoding:\r\n", b"BM\x01"), b"BM\x01".to_vec()),
        (&plain, Manner::Raw(hints.to_vec()), b"RIFF\0\0\0\0WEBP".to_vec()),
        (&asking_for_base64(), says(200, "application/json", json.as_bytes()), json.clone().into_bytes()),
        (&asking_for_base64(), says(200, "text/plain", text.as_bytes()), text.clone().into_bytes()),
        (&asking_for_base64(), says(200, "image/png", &png(3, 3)), png(3, 3)),
    ];
    for (nth, (form, manner, body)) in answers.into_iter().enumerate() {
        world.backend.will(manner.clone());
        let reply = ann.cut(form).await;
        assert!((200..300).contains(&reply.status) && reply.body == body, "{manner:?}: {reply:?}");
        assert_eq!(ann.used().await, nth as u64 + 1, "{manner:?}");
    }
    world.audited("ann").await;
}

#[tokio::test]
async fn no_coding_is_asked_for_whatever_the_caller_takes() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await.with("accept-encoding", "gzip, br");
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    let head = world.backend.seen().remove(0).head.to_ascii_lowercase();
    assert_eq!(head.matches("accept-encoding").count(), 1, "{head}");
    assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
}

#[tokio::test]
async fn what_comes_after_the_end_of_an_answer_is_nobodys() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let longer = [&b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n"[..], PICTURE].concat();
    world.backend.will(Manner::Raw(longer));
    let first = ann.cut(&Form::with_picture()).await;
    assert_eq!((first.status, &first.body[..]), (200, &PICTURE[..12]), "as long as the service says");
    world.backend.will(Manner::picture());
    let mut served = 1;
    for _ in 0..5 {
        let reply = ann.cut(&Form::with_picture()).await;
        assert!(reply.status == 502 || reply.body == PICTURE, "{reply:?}");
        served += u64::from(reply.status == 200);
    }
    assert_eq!(ann.used().await, served);
    assert!(served > 1);
}

#[tokio::test]
async fn a_400_in_words_of_the_backends_own_is_told_in_ours() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let both_credentials = r#"{"error":"This is a mistake: Cannot use both API key and user token","status":400}"#;
    for manner in [
        says(400, "text/html", b""),
        says(400, "text/html", b"<html><h1>400 Bad Request</h1><p>secret-of-ours</html>"),
        says(400, "application/json", b"{}"),
        says(400, "application/json", br#"{"message": "secret-of-ours is over quota"}"#),
        says(400, "application/json", br#"{"error": "secret-of-ours", "status": 402}"#),
        says(400, "application/json", br#"{"error": {"code": "secret-of-ours"}, "status": 400}"#),
        says(400, "application/json", both_credentials.as_bytes()),
        says(400, "image/png", &png(3, 3)),
        Manner::says(400, "content-encoding: gzip\r\ncontent-type: application/json\r\n", b"\x1f\x8b\x08"),
    ] {
        world.backend.will(manner.clone());
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, CORRUPT), "{manner:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{manner:?}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret-of-ours"), "{manner:?}");
    }
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_400_in_the_contracts_form_is_passed_on_as_json_whatever_type_it_has() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let body =
        br#"{"error":"Multiple validation errors","details":[{"field":"w","message":"'w' is odd"}],"status":400}"#;
    for content_type in ["application/json", "text/html; charset=utf-8", "image/png"] {
        world.backend.will(says(400, content_type, body));
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, &reply.body[..]), (400, &body[..]));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("x-credits-charged"), Some("0"));
    }
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn the_words_of_a_backend_about_anything_else_reach_nobody() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let quiet = |reply: &Reply| !format!("{reply:?}").contains("secret-of-ours");
    for status in [401, 402, 403, 404, 409, 413, 429, 500, 503] {
        world.backend.will(Manner::refuses(status, "secret-of-ours", "x-account: secret-of-ours\r\n"));
        let reply = ann.cut(&Form::with_picture()).await;
        // In this form these are about our account there, though it is used without a key.
        let told = if matches!(status, 401 | 402 | 429) { (503, BUSY) } else { (502, FAILED) };
        assert_eq!((reply.status, reply.error().as_str()), told, "{status}");
        assert!(quiet(&reply), "{reply:?}");
    }
    world.backend.will(Manner::says(200, "content-type: image/png\r\nx-account: secret-of-ours\r\n", png(3, 3)));
    let reply = ann.cut(&Form::with_picture()).await;
    assert!(reply.status == 200 && quiet(&reply), "{reply:?}");
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn a_server_that_only_cuts_is_held_to_the_same() {
    let server = StubBackend::start().await;
    let world = World::with(|config| {
        config.backend.kind = BackendKind::Rembg;
        config.backend.urls = vec![server.url()];
    })
    .await;
    let ann = world.customer("ann", 10).await;
    for manner in [
        Manner::says(200, "content-type: image/png\r\ncontent-encoding: gzip\r\n", png(4, 3)),
        says(200, "text/html", b"<p>Back soon"),
        says(200, "application/json", br#"{"error": "no"}"#),
        says(206, "image/png", &png(4, 3)),
        says(400, "text/html", b"<p>secret-of-ours"),
    ] {
        server.will(manner.clone());
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.error().as_str()), (502, FAILED), "{manner:?}");
    }
    assert_eq!(ann.used().await, 0);
    server.will(says(200, "application/octet-stream", &png(4, 3)));
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    assert_eq!(ann.used().await, 1);
    world.nothing_held().await;
}
