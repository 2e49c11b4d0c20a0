//! Clients of remove.bg and of `rembg s`, unmodified: what they call is led to the gateway, and nothing else is changed.

use crate::{
    backend::Manner,
    secured::{Secured, output},
    support::programs::{in_repository, installed},
};
use image::{ImageFormat, ImageReader, Rgba, RgbaImage};
use rembg_gateway::domain::base64::{Decoder, Encoder};
use serde_json::{Value, json};
use std::{fs, io::Cursor};

const RED: [u8; 4] = [200, 30, 30, 255];

fn file_of(picture: &RgbaImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A gateway whose backend leaves the left half of a picture of 40 × 30.
async fn gateway() -> Secured {
    let gateway = Secured::start().await;
    let cut = RgbaImage::from_fn(40, 30, |x, _| Rgba(if x < 20 { RED } else { [0; 4] }));
    gateway.world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: file_of(&cut) });
    gateway
}

fn picture() -> Vec<u8> {
    file_of(&RgbaImage::from_pixel(40, 30, Rgba(RED)))
}

fn base64(bytes: &[u8]) -> String {
    let mut encoder = Encoder::default();
    String::from_utf8([encoder.push(bytes), encoder.finish()].concat()).unwrap()
}

fn from_base64(text: &Value) -> Vec<u8> {
    let (mut decoder, mut bytes) = (Decoder::new(), Vec::new());
    decoder.push(text.as_str().unwrap_or_else(|| panic!("no text: {text}")).as_bytes(), &mut bytes).unwrap();
    decoder.finish(&mut bytes).unwrap();
    bytes
}

/// Format, size, and what is left of the right half.
fn seen(file: &[u8]) -> (ImageFormat, (u32, u32), [u8; 4]) {
    let reader = ImageReader::new(Cursor::new(file)).with_guessed_format().unwrap();
    let format = reader.format().unwrap();
    let made = reader.decode().unwrap().into_rgba8();
    (format, made.dimensions(), made.get_pixel(made.width() - 1, 0).0)
}

const CUT: (ImageFormat, (u32, u32), [u8; 4]) = (ImageFormat::Png, (40, 30), [0; 4]);

#[tokio::test(flavor = "multi_thread")]
async fn node() {
    let gateway = gateway().await;
    let key = gateway.key("ann", 10).await;
    let path = gateway.file("cat.png", &picture());
    let calls = json!([
        {"call": "base64", "apiKey": key, "base64img": base64(&picture())},
        {"call": "base64", "apiKey": key, "base64img": base64(&picture()), "options": {"size": "auto", "crop": true, "bg_color": "00ff00"}},
        {"call": "sample", "apiKey": key, "path": path},
        {"call": "base64", "apiKey": "7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de", "base64img": base64(&picture())},
        {"call": "base64", "apiKey": key, "base64img": base64(&picture()), "options": {"size": "huge", "scale": "1%"}},
        {"call": "file", "apiKey": key, "path": path},
    ]);
    let mut node = gateway.node("removebg.cjs");
    node.env("NODE_PATH", installed(".cache/removebg/node_modules"));
    let results: Vec<Value> = serde_json::from_str(&output(&mut node, &calls.to_string())).unwrap();
    let result = |at: usize| &results[at]["result"];
    assert_eq!(seen(&from_base64(&result(0)["base64img"])), CUT, "{}", results[0]);
    let told = ["creditsCharged", "detectedType", "resultWidth", "resultHeight", "rateLimit", "rateLimitRemaining"];
    let told = told.map(|name| result(0)[name].as_str().unwrap_or_default().to_owned());
    assert_eq!(told, ["1", "other", "40", "30", "10000", "9999"]);
    let (format, size, _) = seen(&from_base64(&result(1)["base64img"]));
    assert_eq!((format, size), (ImageFormat::Jpeg, (20, 30)), "cropped, and nothing is transparent");
    assert_eq!(seen(&from_base64(&result(2)["picture"])), CUT, "{}", results[2]);
    assert_eq!(results[3]["error"], json!([{"title": "API Key invalid", "code": "auth_failed"}]));
    let codes = results[4]["error"].as_array().unwrap().iter().map(|error| error["code"].clone()).collect::<Vec<_>>();
    assert_eq!(codes, [json!("invalid_size"), json!("invalid_scale")]);
    assert_eq!(seen(&from_base64(&result(5)["base64img"])), CUT, "{}", results[5]);
    assert_eq!(gateway.world.backend.seen().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn python() {
    let gateway = gateway().await;
    let key = gateway.key("ann", 10).await;
    let path = gateway.file("cat.png", &picture());
    let told = json!({
        "port": gateway.port(), "key": key, "path": path, "folder": gateway.folder.path(), "rembg": gateway.url("/api/remove"),
        "removebg": gateway.url("/v1.0/removebg"),
    });
    let mut python = gateway.command(installed(".cache/removebg-venv/bin/python3"));
    python.arg(in_repository("tests/clients/removebg_clients.py"));
    let said: Value = serde_json::from_str(&output(&mut python, &told.to_string())).unwrap();
    let made: Vec<_> = said["made"].as_array().unwrap().iter().map(|file| seen(&from_base64(file))).collect();
    let (format, size, behind) = made[0];
    assert_eq!((format, size, behind[0] > 250), (ImageFormat::Jpeg, (40, 30), true), "on red");
    assert_eq!(made[1..], [CUT, CUT, CUT, CUT, CUT]);
    assert_eq!(said["refused"], 403);
    assert_eq!(gateway.world.backend.seen().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn ruby() {
    let gateway = gateway().await;
    let key = gateway.key("ann", 10).await;
    let broke = gateway.key("broke", 0).await;
    let path = gateway.file("cat.png", &picture());
    // The library has no way to lead a name elsewhere; Ruby's own resolver has.
    let script = "require 'socket'\nclass << Addrinfo\n  alias_method :plain, :getaddrinfo\n  def getaddrinfo(host, *rest, **named)\n    plain(host == 'api.remove.bg' ? '127.0.0.1' : host, *rest, **named)\n  end\nend\n";
    let resolver = gateway.file("resolver.rb", script.as_bytes());
    let calls = json!([
        [key, {}],
        [key, {"format": "zip", "crop": true}],
        [key, {"size": "huge"}],
        [broke, {}],
        ["7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de", {}],
    ]);
    let ca_file = gateway.folder.path().join("cert.pem");
    let told = json!({"port": gateway.port(), "key": key, "path": path, "ca_file": ca_file, "calls": calls});
    let mut ruby = gateway.command("ruby");
    ruby.arg("-r").arg(resolver).arg(in_repository("tests/clients/removebg_gem.rb"));
    let said: Value = serde_json::from_str(&output(&mut ruby, &told.to_string())).unwrap();
    let results = said["results"].as_array().unwrap();
    assert_eq!(seen(&from_base64(&results[0]["data"])), CUT, "{}", results[0]);
    let told = ["type", "width", "height", "credits_charged"].map(|name| results[0][name].clone());
    assert_eq!(told, [json!("other"), json!(40), json!(30), json!(1.0)]);
    assert_eq!(
        results[0]["limit"],
        json!({"total": 10_000, "remaining": 9_999, "reset_at": 2026, "retry_after": null})
    );
    let zip = from_base64(&results[1]["data"]);
    for name in ["color.jpg", "alpha.png"] {
        assert!(zip.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
    }
    let refused: Vec<_> =
        results[2..].iter().map(|one| (one["status"].as_u64().unwrap(), one["title"].as_str().unwrap())).collect();
    assert_eq!(
        refused,
        [(400, "Invalid value for parameter 'size'"), (402, "Insufficient credits"), (403, "API Key invalid")]
    );
    assert_eq!(said["account"], 20, "total, and its only part");
    assert_eq!(gateway.world.backend.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl() {
    let gateway = gateway().await;
    let key = gateway.key("ann", 10).await;
    let path = gateway.file("cat.png", &picture());
    let saved = gateway.folder.path().join("no-bg.png");
    let to_the_gateway = format!("api.remove.bg:443:127.0.0.1:{}", gateway.port());
    for version in ["--http1.1", "--http2"] {
        // The published sample.
        let mut curl = gateway.command("curl");
        curl.args(["-sS", version, "--connect-to", &to_the_gateway, "-H", &format!("X-Api-Key: {key}")]);
        curl.args(["-F", &format!("image_file=@{}", path.display()), "-F", "size=auto", "-f"]);
        curl.arg("https://api.remove.bg/v1.0/removebg").arg("-o").arg(&saved);
        output(&mut curl, "");
        assert_eq!(seen(&fs::read(&saved).unwrap()), CUT);
    }
    let mut curl = gateway.command("curl");
    curl.args(["-sS", "--connect-to", &to_the_gateway, "-H", &format!("X-Api-Key: {key}")]);
    curl.arg("https://api.remove.bg/v1.0/account");
    let account: Value = serde_json::from_str(&output(&mut curl, "")).unwrap();
    assert_eq!(account["data"]["attributes"]["credits"]["total"], 8);
    // The line in the documentation of rembg's server, with a key.
    let mut curl = gateway.command("curl");
    curl.args(["-sS", "-f", "-F", &format!("file=@{}", path.display())]);
    curl.args(["-H", &format!("Authorization: Bearer {key}")]).arg(gateway.url("/api/remove")).arg("-o").arg(&saved);
    output(&mut curl, "");
    assert_eq!(seen(&fs::read(&saved).unwrap()), CUT);
}
