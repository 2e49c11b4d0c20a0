//! Pictures that a request names by their URL.

use super::{cut, decoded, file_of, form, picture, remove, world_with};
use crate::{
    backend::{Manner, StubBackend},
    people::{Person, Reply},
    world::World,
};
use image::{Rgba, RgbaImage};

/// A gateway that fetches from this machine, and a store of pictures on it.
async fn fetching() -> (World, StubBackend, Person) {
    let store = StubBackend::start().await;
    store.will_tell(Manner::Answer { status: 200, content_type: "image/png", body: picture() });
    let world = world_with(|config| {
        config.dialects.url.enabled = true;
        config.dialects.url.allow_networks = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let ann = world.customer("ann", 20).await;
    (world, store, ann)
}

fn address(store: &StubBackend) -> String {
    format!("http://{}/cat.png?token=hush", store.address)
}

async fn ask(person: &Person, pairs: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    person.post("/v1.0/removebg", "application/x-www-form-urlencoded", body.into_bytes()).await
}

#[tokio::test]
async fn a_picture_and_a_background_are_fetched_and_cost_one_credit() {
    let (world, store, ann) = fetching().await;
    let reply = ask(&ann, &[("image_url", &address(&store)), ("format", "png")]).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(decoded(&reply.body).1.get_pixel(2, 2).0, [0; 4]);
    let sent = &world.backend.seen()[0].body;
    assert!(sent.windows(picture().len()).any(|window| window == picture()), "the backend has got the file");
    let blue = file_of(RgbaImage::from_pixel(40, 30, Rgba([0, 0, 255, 255])));
    store.will_tell(Manner::Answer { status: 200, content_type: "image/png", body: blue });
    let reply = remove(&ann, &form(&picture(), &[("bg_image_url", &address(&store)), ("format", "png")])).await;
    assert_eq!((reply.status, decoded(&reply.body).1.get_pixel(2, 2).0), (200, [0, 0, 255, 255]));
    assert_eq!(ann.used().await, 2);
    let asked = store.checks();
    assert!(asked.iter().all(|head| !head.contains(&ann.headers[0].1)), "nothing of the caller's is sent: {asked:?}");
    world.nothing_held().await;
}

#[tokio::test]
async fn rembgs_get_fetches_too() {
    let (world, store, ann) = fetching().await;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("url", &address(&store)).finish();
    let reply = ann.get(&format!("/api/remove?{query}&a=true")).await;
    assert_eq!((reply.status, &reply.body[..]), (200, &cut()[..]), "{reply:?}");
    assert_eq!(reply.header("x-ignored-parameters"), Some("a"));
    let reply = ann.get("/api/remove?url=ftp%3A%2F%2Fexample.com").await;
    let expected = "'url' must be an http or https address of a picture.";
    assert_eq!((reply.status, reply.json()["detail"].as_str()), (400, Some(expected)));
    let reply = ann.get(&format!("/api/remove?url=http://{}/", world.app.admin)).await;
    let expected = "The picture could not be fetched from 'url'.";
    assert_eq!((reply.status, reply.json()["detail"].as_str()), (400, Some(expected)));
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told_in_one_way_and_costs_nothing() {
    let (world, store, ann) = fetching().await;
    store.will_tell(Manner::Answer { status: 404, content_type: "text/plain", body: b"hush".to_vec() });
    let ours = format!("http://{}/healthz", world.app.public);
    let missing =
        r#"{"errors":[{"title":"Failed to download image from given image_url","code":"failed_image_download"}]}"#;
    for url in [address(&store).as_str(), ours.as_str(), "http://127.0.0.1:1/", "http://[::1]/", "http://10.0.0.1/"] {
        let reply = ask(&ann, &[("image_url", url)]).await;
        assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (400, missing), "{url}");
    }
    let reply = remove(&ann, &form(&picture(), &[("bg_image_url", &ours)])).await;
    let missing =
        r#"{"errors":[{"title":"Failed to download image from given bg_image_url","code":"failed_bg_download"}]}"#;
    assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (400, missing));
    store.will_tell(Manner::Answer { status: 200, content_type: "image/png", body: b"no picture".to_vec() });
    let reply = ask(&ann, &[("image_url", &address(&store))]).await;
    assert_eq!((reply.status, &reply.json()["errors"][0]["code"]), (400, &serde_json::json!("invalid_file_type")));
    let reply = ask(&ann, &[("image_url", "javascript:alert(1)")]).await;
    let invalid =
        r#"{"errors":[{"title":"Invalid image_url: Please provide a valid URL.","code":"invalid_image_url"}]}"#;
    assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (400, invalid));
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}
