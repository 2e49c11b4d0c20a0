//! Memory for the work on pictures: it is reserved before anything is sent, and who lacks it waits like any other.

use super::{cut, form, picture, remove, world_with};
use crate::{
    backend::Manner,
    form::Form,
    people::{Person, Reply},
};
use rembg_gateway::config::{Bytes, Config};
use tokio::task::JoinHandle;

/// Memory for one picture at a time, as a picture of any size needs 16 MiB beside its pixels.
fn for_one(config: &mut Config) {
    config.limits.pixel_memory = Bytes(20 << 20);
    config.backend.max_pixels = Some(1_300);
}

fn ask(person: &Person) -> JoinHandle<Reply> {
    let person = person.clone();
    tokio::spawn(async move { remove(&person, &form(&picture(), &[])).await })
}

#[tokio::test]
async fn a_picture_waits_for_memory_and_one_that_needs_none_does_not() {
    let world = world_with(for_one).await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(Manner::Wait);
    let first = ask(&ann);
    world.backend.has_seen(1).await;
    let second = ask(&ann);
    world.metric_reaches("rgw_queue_length ", 1.0).await;
    assert!(world.metric(r#"rgw_body_budget_used_bytes{kind="pixels"}"#).await > f64::from(16 << 20));
    assert_eq!(world.backend.seen().len(), 1, "nothing of the second is sent");
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: cut() });
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "no memory is needed for this one");
    world.backend.let_one_go();
    // What it was sent is no picture that could be finished: its memory is free all the same.
    assert_eq!(first.await.unwrap().status, 502);
    assert_eq!(second.await.unwrap().status, 200);
    world.metric_falls_to(r#"rgw_body_budget_used_bytes{kind="pixels"}"#, 0.0).await;
    assert_eq!(ann.used().await, 2);
    world.nothing_held().await;
}

#[tokio::test]
async fn who_finds_no_memory_until_the_deadline_is_told_so_and_costs_nothing() {
    let world = world_with(|config| {
        config.limits.pixel_memory = Bytes(1 << 20);
        config.backend.timeout_s = 1;
    })
    .await;
    let ann = world.customer("ann", 10).await;
    let reply = remove(&ann, &form(&picture(), &[])).await;
    assert_eq!((reply.status, &reply.json()["errors"][0]["code"]), (503, &serde_json::json!("no_room")));
    assert!(reply.header("retry-after").is_some());
    assert!(world.backend.seen().is_empty());
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}
