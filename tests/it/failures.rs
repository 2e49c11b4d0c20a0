//! Whatever goes wrong, nothing is charged and nothing is left behind.

use crate::{
    backend::{Manner, PICTURE},
    form::{Form, png},
    rawsocket::Raw,
    world::World,
};
use rembg_gateway::{
    config::Bytes,
    domain::{account::Uid, credit::OperationId},
};
use std::time::Duration;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

const FAILED: &str = "The background-removal service failed. You have not been charged.";

#[tokio::test]
async fn a_backend_that_fails_costs_nothing() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    for manner in [
        Manner::Answer { status: 500, content_type: "text/plain", body: b"Internal Server Error".to_vec() },
        Manner::Answer { status: 401, content_type: "application/json", body: b"{}".to_vec() },
        Manner::Answer { status: 429, content_type: "application/json", body: b"{}".to_vec() },
        Manner::Answer { status: 302, content_type: "text/html", body: Vec::new() },
        Manner::Answer { status: 200, content_type: "image/webp", body: Vec::new() },
        Manner::Answer { status: 206, content_type: "image/webp", body: PICTURE.to_vec() },
        Manner::Close,
        Manner::HalfAnAnswer,
        Manner::Unframed,
        Manner::Garbage,
    ] {
        world.backend.will(manner.clone());
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.error().as_str()), (502, FAILED), "{manner:?}");
    }
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
    world.backend.will(Manner::picture());
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "and it goes on afterwards");
}

#[tokio::test]
async fn a_backend_that_is_not_there_costs_nothing_and_is_not_ready() {
    let world = World::with(|config| config.backend.urls = vec!["http://127.0.0.1:9/rmbg".into()]).await;
    let ann = world.customer("ann", 10).await;
    assert_eq!(ann.cut(&Form::with_picture()).await.error(), FAILED);
    assert_eq!(ann.used().await, 0);
    let ready = world.operator().get("/readyz").await;
    assert_eq!((ready.status, ready.json()["backend"].as_bool()), (503, Some(false)));
    assert_eq!(ready.header("retry-after"), Some("1"));
}

/// A client that connects hears nothing: the queue of new connections is full, and the test accepts none.
#[tokio::test]
async fn a_backend_to_which_no_connection_comes_to_stand_is_given_up_and_costs_nothing() {
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let deaf = deaf.listen(1).unwrap();
    let address = deaf.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
    }
    let world = World::with(|config| {
        config.backend.urls = vec![format!("http://{address}/rmbg")];
        config.backend.connect_timeout_s = 1;
        config.backend.timeout_s = 600;
    })
    .await;
    let ann = world.customer("ann", 10).await;
    let reply = timeout(Duration::from_mins(1), ann.cut(&Form::with_picture())).await;
    let reply = reply.expect("the deadline for connecting is far shorter than the one for answering");
    assert!(matches!(reply.status, 502 | 504), "{}", reply.status);
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_backend_that_hangs_is_timed_out_and_costs_nothing() {
    let world = World::with(|config| config.backend.timeout_s = 1).await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(Manner::Hang);
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!(reply.status, 504);
    assert_eq!(reply.error(), "The background-removal service timed out. You have not been charged.");
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_client_that_leaves_during_the_upload_leaves_no_hold_behind() {
    let world = World::start().await;
    let ann = world.customer("ann", 1).await;
    let mut raw = Raw::connect(world.app.public).await;
    raw.send(&head(&ann.headers[0].1, 10_000)).await;
    raw.send("------a-boundary").await;
    held(&world, 1).await;
    drop(raw);
    world.nothing_held().await;
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "the only credit is free again");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_backend_answers_is_not_charged() {
    let world = World::start().await;
    let ann = world.customer("ann", 1).await;
    world.backend.will(Manner::Wait);
    let body = Form::with_picture().body();
    let mut raw = Raw::connect(world.app.public).await;
    raw.send(&head(&ann.headers[0].1, body.len())).await;
    raw.send_bytes(&body).await;
    world.backend.has_seen(1).await;
    drop(raw);
    world.nothing_held().await;
    assert_eq!(ann.used().await, 0);
    assert!(
        (world.metric(r#"rgw_requests_total{caller="api",route="rmbg",status_class="abandoned"}"#).await - 1.0).abs()
            < 0.1
    );
}

#[tokio::test]
async fn early_refusals_reach_a_client_that_is_still_uploading() {
    let world = World::start().await;
    let broke = world.customer("broke", 0).await;
    let mut file = png(4, 4);
    file.resize(8 << 20, 0);
    let form = Form::empty().image("a.png", &file);
    for _ in 0..10 {
        let reply = broke.cut(&form).await;
        assert_eq!(reply.status, 429, "the answer, not a reset connection");
    }
    assert_eq!(world.stranger().with("x-api-key", "nobody's key").cut(&form).await.status, 401);
}

#[tokio::test]
async fn a_hopeless_content_length_is_413_at_once() {
    let world = World::start().await;
    let ann = world.customer("ann", 1).await;
    let mut raw = Raw::connect(world.app.public).await;
    raw.send(&head(&ann.headers[0].1, 200 << 20)).await;
    let answer = raw.head().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    world.nothing_held().await;
}

#[tokio::test]
async fn an_exhausted_budget_is_503_and_not_growth() {
    let world = World::with(|config| {
        config.limits.memory_budget = Bytes(512 << 10);
        config.limits.spool_budget = Bytes(2 << 20);
        config.limits.max_answer = Bytes(1 << 20);
    })
    .await;
    let ann = world.customer("ann", 10).await;
    let mut file = png(4, 4);
    file.resize(4 << 20, 0);
    let reply = ann.cut(&Form::empty().image("a.png", &file)).await;
    assert_eq!((reply.status, reply.error().as_str()), (503, "The service is busy. Please retry shortly."));
    assert!(reply.header("retry-after").is_some());
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "a small one still fits");
}

#[tokio::test]
async fn a_counter_that_cannot_be_counted_stops_its_own_account_until_an_operator_sets_it() {
    let world = World::start().await;
    let (ann, bob) = (world.customer("ann", 10).await, world.customer("bob", 10).await);
    let spoilt = "user:ann:api_usage:2026:3";
    world.counted([(spoilt.to_owned(), i64::MAX.unsigned_abs())]).await;
    for reply in [ann.cut(&Form::with_picture()).await, ann.get("/api/membership-usage").await] {
        assert_eq!((reply.status, reply.json()["code"].as_str()), (503, Some("store_unavailable")), "{reply:?}");
    }
    assert!(world.backend.seen().is_empty(), "nothing is sent that cannot be counted");
    assert_eq!(bob.cut(&Form::with_picture()).await.status, 200);
    let uid = Uid::new("ann").unwrap();
    let audit = world.store.audit(&uid).await.unwrap();
    assert_eq!(audit.not_integers.iter().map(|not_integers| not_integers.key.as_str()).collect::<Vec<_>>(), [spoilt]);
    world.store.mend(&uid, spoilt, 3, &OperationId("mend".into())).await.unwrap();
    assert_eq!((ann.cut(&Form::with_picture()).await.status, ann.used().await), (200, 4));
    world.audited("ann").await;
    world.nothing_held().await;
}

#[tokio::test]
async fn a_large_picture_goes_through_files_both_ways_and_arrives_whole() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let mut file = png(4, 4);
    file.extend((0..9_000_000_u32).map(|at| (at % 251).to_le_bytes()[0]));
    let answer: Vec<u8> = file.iter().rev().copied().collect();
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: answer.clone() });
    let reply = ann.cut(&Form::empty().image("a.png", &file)).await;
    assert!(reply.status == 200 && reply.body == answer, "the answer came back changed");
    let seen = &world.backend.seen()[0].body;
    assert!(seen.windows(file.len()).any(|window| window == file), "the upload arrived changed");
    for kind in ["memory", "disk"] {
        let used = world.metric(&format!(r#"rgw_body_budget_used_bytes{{kind="{kind}"}}"#)).await;
        assert!(used < 1.0, "{used} bytes of {kind} are still taken");
    }
}

#[tokio::test]
async fn requests_under_way_end_well_when_the_gateway_stops() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(Manner::Wait);
    let asking = tokio::spawn(async move { ann.cut(&Form::with_picture()).await });
    world.backend.has_seen(1).await;
    let public = world.app.public;
    let stopping = tokio::spawn(world.app.stop());
    while TcpStream::connect(public).await.is_ok() {
        // Longer than the queue must be empty for, or these connections would keep it open.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.backend.let_one_go();
    let reply = asking.await.unwrap();
    assert_eq!((reply.status, &reply.body[..]), (200, PICTURE));
    stopping.await.unwrap();
    assert_eq!(world.store.holds_open().await.unwrap(), 0);
}

fn head(key: &str, length: usize) -> String {
    format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\r\n",
        Form::content_type()
    )
}

async fn held(world: &World, holds: u64) {
    for _ in 0..1_000 {
        if world.store.holds_open().await.unwrap() == holds {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there never were {holds} holds");
}
