//! The API of `rembg s`: `/api/remove`.

use crate::{
    backend::Manner,
    form::{Form, png},
    people::{Person, Reply},
    removebg::{decoded, file_of, picture, with_rembg, world, world_with},
    world::World,
};
use hyper::Method;
use image::{GrayImage, Luma};

fn form(texts: &[(&str, &str)]) -> Form {
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n\r\n";
    texts.iter().fold(Form::empty().part(head, &picture()), |form, (name, value)| form.text(name, value))
}

async fn remove(person: &Person, query: &str, form: &Form) -> Reply {
    person.post(&format!("/api/remove{query}"), &Form::content_type(), form.body()).await
}

fn detail(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["detail"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_cut_out_a_mask_and_a_colour_in_the_form_or_in_the_query() {
    let world = with_rembg().await;
    let ann = world.customer("ann", 20).await;
    for (query, texts, inside, outside) in [
        ("", &[][..], [200, 30, 30, 255], [0; 4]),
        ("", &[("model", "u2net"), ("om", "true")], [255; 4], [0, 0, 0, 255]),
        ("?om=true&model=u2netp", &[], [255; 4], [0, 0, 0, 255]),
        ("", &[("bgc", "0,255,0,255")], [200, 30, 30, 255], [0, 255, 0, 255]),
        ("?bgc=0,0,255,128", &[], [200, 30, 30, 255], [0, 0, 255, 128]),
    ] {
        let reply = remove(&ann, query, &form(texts)).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("image/png")), "{reply:?}");
        let made = decoded(&reply.body).1;
        assert_eq!((made.get_pixel(11, 6).0, made.get_pixel(2, 2).0), (inside, outside), "{query} {texts:?}");
        assert_eq!((reply.header("x-model"), reply.header("x-credits-charged")), (Some("u2netp"), Some("1")));
        assert_eq!(reply.header("x-ignored-parameters"), None);
    }
    assert_eq!(ann.used().await, 5);
    world.audited("ann").await;
}

#[tokio::test]
async fn a_backend_of_our_own_form_is_asked_for_the_same() {
    let world = world().await;
    let ann = world.customer("ann", 20).await;
    let texts =
        [("a", "true"), ("af", "240"), ("ab", "10"), ("ae", "10"), ("ppm", "true"), ("bgc", "1,2,3,4"), ("x", "y")];
    let reply = remove(&ann, "", &form(&texts)).await;
    assert_eq!((reply.status, reply.header("x-model")), (200, Some("rmbg")));
    assert_eq!(reply.header("x-ignored-parameters"), Some("a, af, ab, ae, ppm, x"));
    let body = world.backend.seen()[0].text();
    assert!(
        body.contains("name=\"format\"\r\n\r\npng\r\n") && body.contains("name=\"bg_color\"\r\n\r\n#01020304\r\n"),
        "{body}"
    );
    let reply = remove(&ann, "?om=1", &form(&[("bgc", "1,2,3,4")])).await;
    assert_eq!((reply.status, reply.header("x-ignored-parameters")), (200, Some("bgc")));
    let body = world.backend.seen()[1].text();
    assert!(body.contains("name=\"mask\"\r\n\r\ntrue\r\n") && !body.contains("bg_color"), "{body}");
}

#[tokio::test]
async fn what_is_wrong_is_told_in_a_sentence_and_costs_nothing() {
    let world = world().await;
    let ann = world.customer("ann", 20).await;
    let no_file = Form::empty().text("model", "u2net");
    let missing = "No file was sent. Please include a 'file' field in your form data.";
    assert_eq!(detail(&remove(&ann, "", &no_file).await), (422, missing.to_owned()));
    for (texts, expected) in [
        (("model", "sam"), "'model' must be one of the models that are accepted here."),
        (("extras", "{\"model_path\": \"/etc/passwd\"}"), "'extras' is not accepted here."),
        (("bgc", "red"), "'bgc' must be four numbers from 0 to 255, such as 255,255,255,255."),
    ] {
        assert_eq!(detail(&remove(&ann, "", &form(&[texts])).await), (400, expected.to_owned()));
        let query =
            format!("?{}", form_urlencoded::Serializer::new(String::new()).append_pair(texts.0, texts.1).finish());
        assert_eq!(detail(&remove(&ann, &query, &form(&[])).await), (400, expected.to_owned()), "in the query");
    }
    let both = remove(&ann, "?model=sam", &form(&[("extras", "x")])).await;
    assert_eq!(both.status, 400);
    let wrong = ann.ask(Method::PUT, "/api/remove", &[], Vec::new()).await;
    assert_eq!(detail(&wrong), (405, "method not allowed".to_owned()));
    let off = ann.get("/api/remove?url=http%3A%2F%2Fexample.com%2Fa.png").await;
    assert_eq!(detail(&off), (405, "method not allowed".to_owned()), "URLs are off");
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn keys_come_in_their_header_as_a_bearer_or_where_it_is_allowed_in_the_query() {
    async fn asked(world: &World, header: Option<(&str, &str)>, query: &str) -> u16 {
        let person = header.map_or_else(|| world.stranger(), |(name, value)| world.stranger().with(name, value));
        remove(&person, query, &form(&[])).await.status
    }
    for in_query in [false, true] {
        let world = world_with(|config| config.dialects.rembg.key_in_query = in_query).await;
        let key = world.customer("ann", 20).await.headers[0].1.clone();
        let (bearer, query) = (format!("Bearer {key}"), format!("?key={key}"));
        assert_eq!(asked(&world, Some(("x-api-key", &key)), "").await, 200);
        assert_eq!(asked(&world, Some(("authorization", &bearer)), "").await, 200);
        assert_eq!(asked(&world, Some(("authorization", "Bearer a.b.c")), "").await, 401, "a token of nobody");
        assert_eq!(asked(&world, Some(("authorization", "Bearer nonsense")), "").await, 401);
        assert_eq!(asked(&world, None, &query).await, if in_query { 200 } else { 401 });
        let with_both = asked(&world, Some(("x-api-key", &key)), &query).await;
        assert_eq!(with_both, if in_query { 401 } else { 200 }, "two keys are one too many");
        let elsewhere = world.stranger().with("authorization", &bearer).cut(&Form::with_picture()).await;
        assert_eq!(elsewhere.status, 401, "a Bearer is no key on other paths");
    }
}

#[tokio::test]
async fn strangers_are_served_as_elsewhere() {
    let world = world_with(|config| config.anonymous.per_day = 1).await;
    assert_eq!(remove(&world.stranger(), "", &form(&[])).await.status, 200);
    let refused = remove(&world.stranger(), "", &form(&[])).await;
    let expected = "You've reached your daily limit. Please sign up for more access.";
    assert_eq!(detail(&refused), (429, expected.to_owned()));
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn it_may_be_turned_off() {
    let world = world_with(|config| config.dialects.rembg.enabled = false).await;
    let ann = world.customer("ann", 20).await;
    assert_eq!(remove(&ann, "", &form(&[])).await.error(), "not found");
}

#[tokio::test]
async fn a_broken_picture_is_told_as_such() {
    let world = with_rembg().await;
    let ann = world.customer("ann", 20).await;
    world.backend.will(Manner::Answer {
        status: 200,
        content_type: "image/png",
        body: file_of(GrayImage::from_pixel(40, 30, Luma([9]))),
    });
    let whole = png(40, 30);
    let head = "Content-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n\r\n";
    let torn = remove(&ann, "", &Form::empty().part(head, &whole[..whole.len() - 20])).await;
    let expected = "File does not appear to be a valid image (invalid file signature)";
    assert_eq!(detail(&torn), (400, expected.to_owned()));
    assert_eq!(ann.used().await, 0);
}
