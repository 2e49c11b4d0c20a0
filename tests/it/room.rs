//! Room for bodies: some requests hold it, others wait for it, and the rest are served meanwhile.

use crate::{
    backend::Manner,
    form::{Form, png},
    people::{Person, Reply},
    rawsocket::Raw,
    world::World,
};
use futures_util::future::{join_all, select_all};
use rembg_gateway::config::{Bytes, Config};
use std::{num::NonZeroU32, time::Duration};
use tokio::task::JoinHandle;

const MIB: u64 = 1 << 20;

/// More than the kernel takes off our hands for a client that does not read.
const LONG: usize = 16 << 20;

/// Room for some long answers: two of them for one client, four for one account.
fn room_for_some(config: &mut Config) {
    config.limits.spool_budget = Bytes(128 * MIB);
    config.limits.max_answer = Bytes(20 * MIB);
    config.limits.held_per_client = Some(Bytes(24 * MIB));
    config.limits.held_per_account = Some(Bytes(52 * MIB));
    config.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
}

fn long_answers(world: &World) {
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: vec![7; LONG] });
}

/// Asks for a picture from this address and reads only the answer's head.
async fn slow_reader(world: &World, person: &Person, address: &str) -> Raw {
    let mut raw = Raw::connect(world.app.public).await;
    let (body, key, kind) = (Form::with_picture().body(), &person.headers[0].1, Form::content_type());
    raw.send(&format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {address}\r\nx-api-key: {key}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    ))
    .await;
    raw.send_bytes(&body).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    raw
}

fn ask(person: &Person, address: &str) -> JoinHandle<Reply> {
    let person = person.clone().calling_from(address);
    tokio::spawn(async move { person.cut(&Form::with_picture()).await })
}

async fn waiting(world: &World, requests: f64) {
    for _ in 0..1_000 {
        if (world.metric("rgw_queue_length ").await - requests).abs() < 0.5 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{requests} never waited");
}

#[tokio::test]
async fn who_reads_slowly_waits_for_room_and_others_are_served() {
    let world = World::with(room_for_some).await;
    let (ann, bob) = (world.customer("ann", 10).await, world.customer("bob", 10).await);
    long_answers(&world);
    let mut slow = vec![slow_reader(&world, &ann, "192.0.2.1").await, slow_reader(&world, &ann, "192.0.2.1").await];
    let of_client = ask(&bob, "192.0.2.1");
    waiting(&world, 1.0).await;
    assert_eq!(world.backend.seen().len(), 2, "nothing of the third is sent to the backend");
    for _ in 0..2 {
        slow.push(slow_reader(&world, &ann, "192.0.2.2").await);
    }
    let of_account = ask(&ann, "192.0.2.3");
    waiting(&world, 2.0).await;
    let reply = bob.clone().calling_from("192.0.2.4").cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.body.len()), (200, LONG), "somebody else is served");
    assert_eq!(world.backend.seen().len(), 5);
    drop(slow);
    assert_eq!((of_client.await.unwrap().status, of_account.await.unwrap().status), (200, 200));
    assert_eq!((ann.used().await, bob.used().await), (5, 2));
    world.nothing_held().await;
}

#[tokio::test]
async fn who_finds_no_room_until_the_deadline_is_told_so_and_costs_nothing() {
    let world = World::with(|config| {
        room_for_some(config);
        config.backend.timeout_s = 1;
    })
    .await;
    let ann = world.customer("ann", 10).await;
    long_answers(&world);
    let _slow = [slow_reader(&world, &ann, "192.0.2.1").await, slow_reader(&world, &ann, "192.0.2.1").await];
    let refused = ask(&ann, "192.0.2.1").await.unwrap();
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("no_room")));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(world.backend.seen().len(), 2, "the backend was never asked");
    assert_eq!(ann.used().await, 2);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_answer_is_sent() {
    let world = World::with(|config| {
        room_for_some(config);
        config.limits.in_flight_per_client = const { NonZeroU32::new(1).unwrap() };
    })
    .await;
    let ann = world.customer("ann", 10).await;
    long_answers(&world);
    let slow = slow_reader(&world, &ann, "192.0.2.1").await;
    assert_eq!(ask(&ann, "192.0.2.1").await.unwrap().status, 429);
    assert_eq!(ask(&ann, "192.0.2.2").await.unwrap().status, 200);
    assert!((world.metric("rgw_requests_in_flight ").await - 1.0).abs() < 0.5);
    drop(slow);
    while ask(&ann, "192.0.2.1").await.unwrap().status != 200 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1_000 {
        if world.metric("rgw_requests_in_flight ").await < 0.5 {
            return;
        }
    }
    panic!("a request is over and counted still");
}

#[tokio::test]
async fn a_full_spool_has_no_patience_with_the_client_that_holds_the_most() {
    let world = World::with(|config| {
        room_for_some(config);
        config.limits.held_per_client = Some(Bytes(64 * MIB));
        config.limits.held_per_account = Some(Bytes(128 * MIB));
        config.limits.transfer_grace_s = 1;
        config.limits.transfer_min_rate = Bytes(256 << 10);
    })
    .await;
    let ann = world.customer("ann", 10).await;
    long_answers(&world);
    let (mut most, mut less) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        most.push(slow_reader(&world, &ann, "192.0.2.1").await);
    }
    for _ in 0..2 {
        less.push(slow_reader(&world, &ann, "192.0.2.2").await);
    }
    world.metric_falls_to(r#"rgw_body_budget_used_bytes{kind="disk"}"#, 64.0 * 1024.0 * 1024.0).await;
    for mut raw in less {
        assert_eq!(raw.rest_of(LONG).await, LONG, "who holds less can read on");
    }
    let read = join_all(most.iter_mut().map(|raw| raw.rest_of(LONG))).await;
    assert!(read.iter().any(|read| *read < LONG), "{read:?}");
}

#[tokio::test]
async fn as_many_pictures_are_at_work_as_the_backend_takes() {
    let world = World::with(|config| config.backend.concurrency = 200).await;
    let ann = world.customer("ann", 1_000).await;
    world.backend.will(Manner::Wait);
    let asking: Vec<_> = (0..200).map(|_| ask(&ann, "192.0.2.1")).collect();
    world.backend.has_seen(200).await;
    for _ in 0..200 {
        world.backend.let_one_go();
    }
    for one in asking {
        assert_eq!(one.await.unwrap().status, 200);
    }
    assert_eq!(ann.used().await, 200);
}

#[tokio::test]
async fn answers_that_are_all_longer_than_was_likely_wait_on_the_wire_and_none_is_lost() {
    let world = World::with(|config| {
        room_for_some(config);
        config.limits.spool_budget = Bytes(64 * MIB);
        config.limits.held_per_client = Some(Bytes(64 * MIB));
        config.limits.held_per_account = Some(Bytes(64 * MIB));
    })
    .await;
    let ann = world.customer("ann", 100).await;
    long_answers(&world);
    let asking: Vec<_> = (0..24).map(|_| ask(&ann, "192.0.2.1")).collect();
    for one in asking {
        let reply = one.await.unwrap();
        assert_eq!((reply.status, reply.body.len()), (200, LONG));
    }
    assert_eq!((world.backend.seen().len(), ann.used().await), (24, 24), "each was paid for once");
    world.metric_falls_to(r#"rgw_body_budget_used_bytes{kind="disk"}"#, 0.0).await;
}

#[tokio::test]
async fn four_times_the_spool_in_uploads_at_once_is_served_or_refused_and_nobody_waits_in_vain() {
    let world = World::with(|config| {
        config.limits.spool_budget = Bytes(16 * MIB);
        config.limits.max_answer = Bytes(2 * MIB);
        config.limits.held_per_client = Some(Bytes(16 * MIB));
        config.limits.held_per_account = Some(Bytes(16 * MIB));
        config.limits.memory_budget = Bytes(2 * MIB);
        config.backend.concurrency = 2;
    })
    .await;
    let ann = world.customer("ann", 100).await;
    let mut file = png(4, 4);
    file.resize(2 << 20, 0);
    let form = std::sync::Arc::new(Form::empty().image("a.png", &file));
    let asking = (0..32).map(|_| {
        let (ann, form) = (ann.clone(), std::sync::Arc::clone(&form));
        tokio::spawn(async move { ann.cut(&form).await })
    });
    let mut served = 0;
    for one in asking.collect::<Vec<_>>() {
        let reply = one.await.unwrap();
        if reply.status == 200 {
            served += 1;
            continue;
        }
        let code = reply.json()["code"].as_str().unwrap().to_owned();
        assert!(reply.status == 503 && ["no_room", "queue_full"].contains(&code.as_str()), "{reply:?}");
        assert!(reply.header("retry-after").is_some());
    }
    assert!(served >= 4, "{served}: what there was room for is served");
    assert_eq!((world.backend.seen().len() as u64, ann.used().await), (served, served));
    world.nothing_held().await;
    world.metric_falls_to(r#"rgw_body_budget_used_bytes{kind="disk"}"#, 0.0).await;
    assert_eq!(ann.cut(&form).await.status, 200, "and all is as before");
}

#[tokio::test]
async fn slow_uploads_of_one_client_leave_room_for_the_uploads_of_others() {
    let world = World::with(|config| {
        config.limits.spool_budget = Bytes(16 * MIB);
        config.limits.max_answer = Bytes(2 * MIB);
        config.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let (ann, bob) = (world.customer("ann", 10).await, world.customer("bob", 10).await);
    let mut file = png(4, 4);
    file.resize(8 << 20, 0);
    let form = Form::empty().image("a.png", &file);
    let body = form.body();
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&format!(
            "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.1\r\nx-api-key: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            ann.headers[0].1,
            Form::content_type(),
            body.len()
        ))
        .await;
        raw.try_send(&body[..3 << 20]).await;
        slow.push(raw);
    }
    // One of them is beyond the client's share.
    let (refused, ..) = select_all(slow.iter_mut().map(|raw| Box::pin(raw.head()))).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert_eq!(bob.calling_from("192.0.2.2").cut(&form).await.status, 200);
}
