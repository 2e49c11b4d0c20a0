//! JSON and urlencoded bodies, base64 in both directions.

use super::{decoded, form, metered, picture, remove, world};
use hyper::Method;
use rembg_gateway::domain::base64::{Decoder, Encoder};
use serde_json::json;

fn base64(bytes: &[u8]) -> String {
    let mut encoder = Encoder::default();
    String::from_utf8([encoder.push(bytes), encoder.finish()].concat()).unwrap()
}

fn from_base64(text: &str) -> Vec<u8> {
    let (mut decoder, mut bytes) = (Decoder::new(), Vec::new());
    decoder.push(text.as_bytes(), &mut bytes).unwrap();
    decoder.finish(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_picture_in_json_or_in_an_urlencoded_form_is_the_same_picture() {
    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    let expected = remove(&ann, &form(&picture(), &[("format", "png"), ("crop", "true")])).await;
    let text = base64(&picture());
    let address = format!("data:image/png;base64,{text}");
    let encoded = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("image_file_b64", text.as_str()), ("format", "png"), ("crop", "true")])
        .finish();
    for (content_type, body) in [
        ("application/json", json!({"image_file_b64": text, "format": "png", "crop": true}).to_string()),
        (
            "application/json",
            json!({"image_file_b64": address, "format": "png", "crop": "true", "roi": null}).to_string(),
        ),
        ("application/x-www-form-urlencoded", encoded),
        ("application/x-www-form-urlencoded", format!("image_file_b64={text}&format=png&crop=1")),
    ] {
        let reply = ann.post("/v1.0/removebg", content_type, body.into_bytes()).await;
        assert_eq!((reply.status, &reply.body), (200, &expected.body), "{content_type}: {reply:?}");
    }
    assert_eq!(ann.used().await, 5);
    for seen in world.backend.seen() {
        assert!(seen.body.windows(picture().len()).any(|window| window == picture()), "the file is what was encoded");
    }
}

#[tokio::test]
async fn who_asks_for_json_gets_the_picture_as_a_text_of_a_known_length() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    for format in ["png", "zip"] {
        let form = form(&picture(), &[("format", format)]);
        let plain = remove(&ann, &form).await;
        let headers = [("accept", "application/json"), ("content-type", &*crate::form::Form::content_type())];
        let reply = ann.ask(Method::POST, "/v1.0/removebg", &headers, form.body()).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
        assert_eq!((reply.header("x-credits-charged"), reply.header("x-width")), (Some("1"), Some("40")));
        let data = &reply.json()["data"];
        assert_eq!(from_base64(data["result_b64"].as_str().unwrap()), plain.body, "{format}");
        let area = ["foreground_top", "foreground_left", "foreground_width", "foreground_height"]
            .map(|name| data[name].as_u64());
        assert_eq!(area, [Some(5), Some(10), Some(20), Some(10)]);
    }
    let refused = ann.ask(Method::POST, "/v1.0/removebg", &[("accept", "application/json")], Vec::new()).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (400, &json!("missing_source")));
}

#[tokio::test]
async fn a_long_picture_comes_and_goes_through_the_spool() {
    // Noise hardly shrinks, so that the result is longer than what one body may have in memory.
    let noise = image::RgbaImage::from_fn(900, 900, |x, y| {
        let hash = (x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35).to_le_bytes();
        image::Rgba([hash[0], hash[1], hash[2], if x < 450 { 255 } else { 0 }])
    });
    let file = super::file_of(noise);
    assert!(file.len() > 1 << 20);
    let world = metered().await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(crate::backend::Manner::Answer { status: 200, content_type: "image/png", body: file.clone() });
    let body = json!({"image_file_b64": base64(&file), "size": "full"}).to_string().into_bytes();
    let headers = [("accept", "application/json"), ("content-type", "application/json")];
    let reply = ann.ask(Method::POST, "/v1.0/removebg", &headers, body).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body[..200.min(reply.body.len())]));
    assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
    let (_, made) = decoded(&from_base64(reply.json()["data"]["result_b64"].as_str().unwrap()));
    assert_eq!(made.dimensions(), (900, 900));
    assert!(world.backend.seen()[0].body.windows(file.len()).any(|window| window == file));
    drop(reply);
    for kind in ["memory", "disk", "pixels"] {
        world.metric_falls_to(&format!("rgw_body_budget_used_bytes{{kind=\"{kind}\"}}"), 0.0).await;
    }
}
