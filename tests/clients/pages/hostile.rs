//! Names, titles and answers that others control run no code on a page.

use crate::{backend::Manner, form::png, support::browser::Browser, world::World};
use rembg_gateway::config::LinkConfig;
use std::fs;

const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>alert(2)</script>";

/// An SVG is a picture by its type, but can run scripts as a page does.
const PAGE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(3)\"><script>alert(4)</script></svg>";

#[tokio::test(flavor = "multi_thread")]
async fn names_titles_and_messages_are_text() {
    let world = World::with(|config| {
        config.pages.title = HOSTILE.into();
        config.pages.links = vec![LinkConfig { text: HOSTILE.into(), url: "/?a=\"b".into() }];
    })
    .await;
    let ann = world.customer("ann", 9).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("'; touch x; $(x) <img src=x onerror=alert(1)>.png");
    fs::write(&file, png(4, 3)).unwrap();
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.expects("status of 400");
    page.open("/");
    page.reads(".brand", HOSTILE);
    page.use_key(&ann.headers[0].1);
    page.choose("#file", &file);
    page.reads("#chosen", "onerror=alert(1)>.png");
    assert!(!page.text("#code").contains("touch"), "a name that a shell might read is not in the code");
    // A backend's own refusal is told in its words.
    let message = serde_json::json!({"error": HOSTILE, "status": 400}).to_string();
    world.backend.will(Manner::Answer { status: 400, content_type: "application/json", body: message.into() });
    page.click("#submit");
    page.reads("#problem", HOSTILE);
    page.fill("#bg_color", HOSTILE);
    page.click("#submit");
    page.reads("#bg_color-error", HOSTILE);
    page.is_well("hostile words");
    assert_eq!(page.evaluate("document.querySelectorAll('main script:not([type]), main img[src=x]').length"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_picture_is_not_opened() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    page.expects("status of 502");
    page.open("/");
    page.use_key(&ann.headers[0].1);
    page.click("#sample");
    page.sees("#before");
    let marked = [b"\xef\xbb\xbf".as_slice(), PAGE.as_bytes()].concat();
    let sixteen: Vec<u8> = format!("\u{feff}{PAGE}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    // The gateway refuses some of these itself, and the page does not open the others.
    for (content_type, body) in [
        ("image/svg+xml", PAGE.as_bytes().to_vec()),
        ("text/html", PAGE.as_bytes().to_vec()),
        ("image/svg+xml", marked),
        ("image/svg+xml", sixteen),
    ] {
        world.backend.will(Manner::Answer { status: 200, content_type, body });
        page.click("#submit");
        page.sees("#problem");
        assert_eq!(page.evaluate("document.querySelector('#after').checkVisibility()"), false, "{content_type}");
        assert_eq!(page.evaluate("document.querySelector('#download').checkVisibility()"), false, "{content_type}");
    }
    for (content_type, signature) in [("text/html", b"BM".as_slice()), ("image/svg+xml", b"\x89PNG\r\n\x1a\n")] {
        let body = [signature, PAGE.as_bytes()].concat();
        world.backend.will(Manner::Answer { status: 200, content_type, body });
        page.click("#submit");
        page.reads("#status", "this browser cannot read it");
        assert_eq!(page.evaluate("document.querySelector('#after').checkVisibility()"), false, "{content_type}");
    }
    page.is_well("no picture");
    // The download has the type that its bytes say.
    world.backend.will(Manner::Answer { status: 200, content_type: "text/html", body: png(4, 3) });
    page.click("#submit");
    page.reads("#facts", "4 × 3");
    assert_eq!(page.evaluate("document.querySelector('#download').download"), "mug-cutout.png");
}
