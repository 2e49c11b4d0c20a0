//! `@remove-background-ai/rembg.js` 1.3.1, unmodified.

use crate::{
    backend::{Manner, PICTURE},
    form::{png, png_header},
    secured::{Secured, output},
};
use rembg_gateway::{
    domain::{
        account::{Overrides, Uid},
        plan::Plan,
        rate_limit::Burst,
    },
    store::AccountChange,
};
use serde_json::{Value, json};

/// Standard base64, as the SDK takes and gives it.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = |three: &[u8]| {
        let word = three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let letter = move |at: usize| char::from(LETTERS[(word >> (18 - 6 * at)) as usize & 63]);
        let length = three.len() + 1;
        (0..4).map(move |at| if at < length { letter(at) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

fn calls(gateway: &Secured, calls: &[Value]) -> Vec<Value> {
    let said = output(&mut gateway.node("sdk.cjs"), &json!(calls).to_string());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The error that the SDK threw, which reads `❌ STATUS BODY`.
fn thrown(result: &Value) -> (u16, Value) {
    let error = result["error"].as_str().unwrap_or_else(|| panic!("nothing was thrown: {result}"));
    let (status, body) = error.strip_prefix("❌ ").and_then(|rest| rest.split_once(' ')).expect(error);
    let status = status.parse().unwrap_or_else(|_| panic!("{error}"));
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{error}"));
    assert_eq!(body["status"], status);
    (status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_input_and_option_arrives_and_the_picture_comes_back() {
    let gateway = Secured::start().await;
    let key = gateway.key("ann", 100).await;
    let picture = png(4, 3);
    let path = gateway.file("cat.png", &picture);
    let buffer = json!({"apiKey": key, "buffer": base64(&picture)});
    let with = |options: Value| {
        let mut call = buffer.clone();
        call["options"] = options;
        call
    };
    let asked = [
        (json!({"apiKey": key, "path": path}), vec!["filename=\"cat.png\""]),
        (buffer.clone(), vec!["filename=\"image.png\"", "name=\"w\"\r\n\r\n0\r\n", "name=\"expand\"\r\n\r\ntrue"]),
        (json!({"apiKey": key, "base64": base64(&picture)}), vec!["filename=\"image.png\""]),
        (json!({"apiKey": key, "base64": format!("data:image/png;base64,{}", base64(&picture))}), vec![]),
        (
            with(json!({"w": 800, "h": 600, "exact_resize": true})),
            vec!["name=\"h\"\r\n\r\n600", "name=\"exact_resize\"\r\n\r\ntrue"],
        ),
        (with(json!({"returnMask": true})), vec!["name=\"mask\"\r\n\r\ntrue"]),
        (
            with(json!({"angle": -90.5, "expand": false})),
            vec!["name=\"angle\"\r\n\r\n-90.5", "name=\"expand\"\r\n\r\nfalse"],
        ),
        (with(json!({"bg_color": "#FFFFFFFF"})), vec!["name=\"bg_color\"\r\n\r\n#FFFFFFFF"]),
        (with(json!({"bg_color": "Red"})), vec!["name=\"bg_color\"\r\n\r\nRed"]),
        (with(json!({"format": "PNG"})), vec!["name=\"format\"\r\n\r\nPNG"]),
        (with(json!({"format": "webp"})), vec!["name=\"format\"\r\n\r\nwebp"]),
        (with(json!({"returnBase64": true})), vec!["name=\"return_base64\"\r\n\r\ntrue"]),
    ];
    let results = calls(&gateway, &asked.each_ref().map(|(call, _)| call.clone()));
    for ((call, expected), (result, seen)) in asked.iter().zip(results.iter().zip(gateway.world.backend.seen())) {
        let back = result["saved"].as_str().map(str::to_owned);
        let back =
            back.or_else(|| Some(result["base64Image"].as_str()?.strip_prefix("data:image/png;base64,")?.to_owned()));
        assert_eq!(back, Some(base64(PICTURE)), "{call} came to {result}");
        for field in expected {
            assert!(seen.text().contains(field), "{call}: {}", seen.text());
        }
        assert!(seen.body.windows(picture.len()).any(|window| window == picture), "{call}: the image");
    }
    assert_eq!(gateway.world.backend.seen().len(), asked.len(), "each was sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_seen_in_both_directions_with_totals() {
    let gateway = Secured::start().await;
    let key = gateway.key("ann", 10).await;
    let answer = vec![9; 3 << 20];
    gateway.world.backend.will(Manner::Answer { status: 200, content_type: "image/webp", body: answer.clone() });
    let mut picture = png(4, 3);
    picture.resize(3 << 20, 0);
    let path = gateway.file("big.png", &picture);
    let result = &calls(&gateway, &[json!({"apiKey": key, "path": path})])[0];
    for upload in [true, false] {
        let events: Vec<_> =
            result["events"].as_array().unwrap().iter().filter(|one| one["upload"] == upload).collect();
        assert!(events.len() > 1, "upload {upload}: {events:?}");
        let last = events.last().unwrap();
        assert!(last["total"].is_u64() && last["loaded"] == last["total"], "upload {upload}: {last}");
    }
    assert_eq!(result["saved"], base64(&answer));
}

/// A plan that allows one request a minute.
async fn with_a_slow_plan() -> Secured {
    Secured::with(|config| {
        let burst = Burst { per_minute: 1, size: 1 };
        config.plans.insert("Slow".into(), Plan { credits: 100, burst, priority: 0, max_pixels: None });
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_error_is_seen_as_documented() {
    let gateway = with_a_slow_plan().await;
    let key = gateway.key("ann", 100).await;
    let bad = |options: Value| json!({"apiKey": key, "buffer": base64(&png(4, 3)), "options": options});
    let image = |bytes: &[u8]| json!({"apiKey": key, "buffer": base64(bytes)});
    let exe = gateway.file("a.exe", &png(1, 1));
    let unverified = gateway.key("eve", 5).await;
    gateway.world.store.put_account(&change("eve", None, Some(false))).await.unwrap();
    let slow = gateway.key("sam", 5).await;
    gateway.world.store.put_account(&change("sam", Some("Slow"), None)).await.unwrap();
    let with_key = |key: &str| json!({"apiKey": key, "buffer": base64(&png(4, 3))});
    assert!(calls(&gateway, &[with_key(&slow)])[0]["saved"].is_string(), "the one that is allowed");
    let table = [
        (bad(json!({"w": "abc"})), 400, "'w' must be an integer, got: 'abc'"),
        (bad(json!({"h": -5})), 400, "'h' must be at least 1, got: -5"),
        (bad(json!({"w": 15000})), 400, "'w' must be at most 10000, got: 15000"),
        (bad(json!({"angle": "ninety"})), 400, "'angle' must be a number, got: 'ninety'"),
        (bad(json!({"angle": 500})), 400, "'angle' must be between -360 and 360 degrees, got: 500.0"),
        (
            bad(json!({"bg_color": "#12345"})),
            400,
            "Invalid color format '#12345'. Use hex format: #RGB, #RGBA, #RRGGBB, or #RRGGBBAA",
        ),
        (
            bad(json!({"returnMask": true, "bg_color": "red"})),
            400,
            "Cannot use 'mask=true' together with 'bg_color'. Choose one or the other.",
        ),
        (bad(json!({"w": "abc", "angle": 500})), 400, "Multiple validation errors"),
        (image(b"no picture"), 400, "File does not appear to be a valid image (invalid file signature)"),
        (image(b""), 400, "Uploaded file is empty (0 bytes)."),
        (image(&png_header(12_000, 10)), 400, "Image width (12000px) exceeds the maximum allowed width of 10000px."),
        (
            json!({"apiKey": key, "path": exe}),
            400,
            "File type '.exe' is not supported. Allowed formats: webp, bmp, png, jpg, jpeg",
        ),
        (with_key("nobody's"), 401, "invalid api key"),
        (with_key(&unverified), 403, "Email address not verified – please check your inbox"),
        (with_key(&slow), 429, "You're making requests too quickly, Please Upgrade or slow down."),
        (
            with_key(&gateway.key("broke", 0).await),
            429,
            "You've reached your monthly limit. Consider purchasing more credits.",
        ),
    ];
    for ((call, status, error), result) in
        table.iter().zip(calls(&gateway, &table.each_ref().map(|(call, ..)| call.clone())))
    {
        let (seen, body) = thrown(&result);
        assert_eq!((seen, body["error"].as_str()), (*status, Some(*error)), "{call}");
        if *error == "Multiple validation errors" {
            assert_eq!(body["details"][1]["field"], "angle");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_backend_is_seen_as_documented() {
    let gateway = Secured::start().await;
    let key = gateway.key("ann", 10).await;
    gateway.world.backend.will(Manner::Close);
    let (status, body) = thrown(&calls(&gateway, &[json!({"apiKey": key, "buffer": base64(&png(4, 3))})])[0]);
    assert_eq!(
        (status, &body["error"]),
        (502, &json!("The background-removal service failed. You have not been charged."))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn early_refusals_are_seen_while_it_is_still_uploading() {
    let gateway = Secured::start().await;
    let broke = gateway.key("broke", 0).await;
    let mut picture = png(4, 3);
    picture.resize(12 << 20, 0);
    let path = gateway.file("big.png", &picture);
    let one = |key: &str| json!({"apiKey": key, "path": path});
    let asked: Vec<_> = (0..5).flat_map(|_| [one(&broke), one("nobody's")]).collect();
    for (at, result) in calls(&gateway, &asked).iter().enumerate() {
        assert_eq!(thrown(result).0, if at % 2 == 0 { 429 } else { 401 });
    }
}

fn change(uid: &str, plan: Option<&str>, email_verified: Option<bool>) -> AccountChange {
    let plan = plan.map(|plan| (plan.to_owned(), 100));
    AccountChange {
        uid: Uid::new(uid).unwrap(),
        plan,
        credits: None,
        email_verified,
        overrides: Overrides::default(),
        only_new: false,
    }
}
