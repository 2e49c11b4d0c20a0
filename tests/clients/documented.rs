//! The documentation's examples.

use crate::{
    backend::PICTURE,
    form::png,
    secured::{Secured, output},
};
use std::fs;

/// The optional fields of the documented examples.
const FIELDS: [(&str, &str); 8] = [
    ("format", "webp"),
    ("w", "800"),
    ("h", "600"),
    ("exact_resize", "false"),
    ("mask", "false"),
    ("bg_color", "#ffffffff"),
    ("angle", "0"),
    ("expand", "true"),
];

fn all_fields_arrived(gateway: &Secured) {
    let seen = gateway.world.backend.seen().pop().expect("the backend was asked").text();
    for (name, value) in FIELDS {
        assert!(seen.contains(&format!("name=\"{name}\"\r\n\r\n{value}\r\n")), "{name}: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_over_both_versions_of_http() {
    let gateway = Secured::start().await;
    let key = gateway.key("ann", 10).await;
    let mut picture = png(4, 3);
    // More than 1 MiB makes curl wait for `100 Continue`.
    picture.resize(2 << 20, 0);
    let path = gateway.file("image.jpg", &picture);
    for version in ["--http1.1", "--http2"] {
        let saved = gateway.folder.path().join("output.webp");
        let mut curl = gateway.command("curl");
        curl.args(["-sS", version, "-o"]).arg(&saved).args(["-w", "%{http_code} %{content_type}"]);
        curl.args(["--connect-to", &format!("api.rembg.com:443:127.0.0.1:{}", gateway.port())]);
        curl.args(["-X", "POST", "https://api.rembg.com/rmbg", "-H", &format!("x-api-key: {key}")]);
        curl.args(["-F", &format!("image=@{}", path.display())]);
        for (name, value) in FIELDS {
            curl.args(["-F", &format!("{name}={value}")]);
        }
        assert_eq!(output(&mut curl, ""), "200 image/webp");
        assert_eq!(fs::read(&saved).unwrap(), PICTURE);
        all_fields_arrived(&gateway);
    }
    let mut curl = gateway.command("curl");
    curl.args(["-sS", "--connect-to", &format!("www.rembg.com:443:127.0.0.1:{}", gateway.port())]);
    curl.args(["--location", "https://www.rembg.com/api/membership-usage?year=2026&month=3"]);
    curl.args(["--header", &format!("x-api-key: {key}")]);
    let usage: serde_json::Value = serde_json::from_str(&output(&mut curl, "")).unwrap();
    assert_eq!(usage["api_usage"], 2, "{usage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn python_requests() {
    let gateway = Secured::start().await;
    let key = gateway.key("ann", 10).await;
    let path = gateway.file("image.jpg", &png(4, 3));
    let saved = gateway.folder.path().join("output.webp");
    let mut python = gateway.python("documented.py");
    python.args([gateway.url("/rmbg"), key]).arg(&path).arg(&saved).env("PYTHONIOENCODING", "utf-8");
    assert_eq!(output(&mut python, ""), "Background removed successfully → saved as output.webp\n");
    assert_eq!(fs::read(&saved).unwrap(), PICTURE);
    all_fields_arrived(&gateway);
    let mut python = gateway.python("documented.py");
    python.args([gateway.url("/rmbg"), "nobody's".into()]).arg(&path).arg(&saved);
    let said = output(&mut python, "");
    assert!(said.starts_with("Error: 401 {\"error\":\"invalid api key\",\"status\":401"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_unknown_length_in_pieces_of_one_byte() {
    let gateway = Secured::start().await;
    let key = gateway.key("ann", 10).await;
    let picture = png(40, 30);
    let path = gateway.file("image.jpg", &picture);
    let mut python = gateway.python("one_byte_chunks.py");
    python.args([gateway.url("/rmbg"), key]).arg(&path);
    assert_eq!(output(&mut python, ""), "200 image/webp\n");
    let seen = &gateway.world.backend.seen()[0].body;
    assert!(seen.windows(picture.len()).any(|window| window == picture), "the image arrived whole");
}
