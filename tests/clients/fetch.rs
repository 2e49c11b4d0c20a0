//! `fetch` with `FormData`, in Node and in a browser.

use crate::{
    secured::{Secured, output},
    support::browser::Browser,
};
use serde_json::Value;

/// Enough that the refusal comes while the upload is under way.
const LARGE: u32 = 12 << 20;

/// Uploads a picture of this size from a page, and tells what came back.
const UPLOAD: &str = r"async (key, size) => {
  const form = new FormData();
  const header = Uint8Array.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x04\0\0\0\x04\x08\x06\0\0\0', (c) => c.charCodeAt(0));
  form.append('image', new Blob([header, new Uint8Array(size)]));
  form.append('bg_color', 'Red');
  const answer = await fetch('/rmbg', { method: 'POST', headers: { 'x-api-key': key }, body: form });
  const body = await answer.text();
  const protocol = performance.getEntriesByType('resource').at(-1)?.nextHopProtocol;
  return { status: answer.status, type: answer.headers.get('content-type'), body, protocol };
}";

fn parsed(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_fetch_uploads_and_sees_early_refusals() {
    let gateway = Secured::start().await;
    let (key, broke) = (gateway.key("ann", 10).await, gateway.key("broke", 0).await);
    let url = gateway.url("/rmbg");
    let ok = parsed(&output(gateway.node("fetch.mjs").args([&url, &key, "100", "3000000"]), ""));
    assert!(ok.as_array().unwrap().iter().all(|one| one["status"] == 200 && one["type"] == "image/webp"), "{ok}");
    assert!(gateway.world.backend.seen()[0].text().contains("name=\"w\"\r\n\r\n7\r\n"));
    let large = LARGE.to_string();
    for (key, status) in [(broke.as_str(), 429), ("nobody's", 401)] {
        let refused = parsed(&output(gateway.node("fetch.mjs").args([&url, key, &large, &large, &large]), ""));
        for one in refused.as_array().unwrap() {
            assert_eq!(
                (one["status"].as_u64(), &parsed(one["body"].as_str().unwrap())["status"]),
                (Some(status), &status.into())
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_uploads_over_http2_and_sees_early_refusals() {
    let gateway = Secured::start().await;
    let (key, broke) = (gateway.key("ann", 10).await, gateway.key("broke", 0).await);
    let browser = Browser::trusting_any_certificate();
    let page = browser.page_at(&gateway.url(""), "en");
    for status in [401, 429] {
        page.expects(&format!("status of {status}"));
    }
    page.open("/docs");
    let fetched = |key: &str, size: u32| page.evaluate(&format!("({UPLOAD})({}, {size})", serde_json::json!(key)));
    let ok = fetched(&key, 2_000_000);
    assert_eq!(
        (&ok["status"], &ok["type"], &ok["protocol"]),
        (&200.into(), &"image/webp".into(), &"h2".into()),
        "{ok}"
    );
    let seen = gateway.world.backend.seen()[0].text();
    assert!(seen.contains("filename=\"blob\"") && seen.contains("name=\"bg_color\"\r\n\r\nRed\r\n"));
    for (key, status) in [(broke.as_str(), 429), ("nobody's", 401)] {
        let refused = fetched(key, LARGE);
        assert_eq!(refused["status"], status, "{refused}");
        assert_eq!(parsed(refused["body"].as_str().unwrap())["status"], status);
    }
}
