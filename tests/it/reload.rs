//! A configuration that is taken up while the gateway serves.

use crate::{
    backend::{Manner, PICTURE},
    billed::{Shape, UPDATED, billed_world, event, subscription},
    form::{Form, png},
    people::Person,
    rawsocket::Raw,
    support::{certificate::certify, wait::until},
    tls::connect,
    world::{NOON, World},
};
use rembg_gateway::{
    app::ReloadError,
    config::{Bytes, Config},
    domain::{plan::Plan, rate_limit::Burst},
};
use rustls::version::TLS13;
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};

const DAY: i64 = 86_400;

/// Reloads the configuration of the start, after a change.
async fn reload(world: &World, change: impl FnOnce(&mut Config)) -> Result<(), ReloadError> {
    let mut config = world.config.clone();
    change(&mut config);
    world.app.reload(Ok(config)).await
}

fn only_small_pictures(config: &mut Config) {
    config.plans.get_mut("Test").unwrap().max_pixels = Some(1);
}

fn anybody(config: &mut Config) {
    config.anonymous.per_day = 1_000;
    config.anonymous.burst = Burst { per_minute: 60_000, size: 1_000 };
}

async fn status(person: &Person) -> u16 {
    person.cut(&Form::with_picture()).await.status
}

/// The key of ours that each request so far was sent with.
fn tried(world: &World) -> Vec<String> {
    let key = |head: &str| head.lines().find_map(|line| Some(line.strip_prefix("x-api-key: ")?.trim().to_owned()));
    world.backend.seen().iter().map(|seen| key(&seen.head).unwrap_or_default()).collect()
}

fn keys(names: &[&str]) -> impl Fn(&mut Config) {
    let keys: Vec<_> = names.iter().map(|name| (*name).into()).collect();
    move |config| config.backend.api_keys.clone_from(&keys)
}

#[tokio::test]
async fn a_changed_plan_counts_for_the_next_request_and_one_under_way_keeps_what_it_began_with() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let body = Form::with_picture().body();
    let (begin, rest) = body.split_at(body.len() / 2);
    let mut under_way = Raw::connect(world.app.public).await;
    let head = format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        ann.headers[0].1,
        Form::content_type(),
        body.len(),
    );
    under_way.send(&head).await;
    under_way.send_bytes(begin).await;
    until("it is under way", async || world.store.holds_open().await.unwrap() == 1).await;

    reload(&world, only_small_pictures).await.unwrap();
    let refused = ann.cut(&Form::with_picture()).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (413, Some("too_many_pixels")), "{refused:?}");
    under_way.send_bytes(rest).await;
    let head = under_way.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(ann.used().await, 1);

    reload(&world, |_| {}).await.unwrap();
    assert_eq!(status(&ann).await, 200, "the earlier configuration again");
    world.nothing_held().await;
}

#[tokio::test]
async fn an_account_whose_plan_is_gone_is_served_by_the_default_plan_as_at_a_start() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let gone = |config: &mut Config| {
        config.plans.remove("Test");
        config.plans.get_mut("Free").unwrap().max_pixels = Some(1);
    };
    reload(&world, gone).await.unwrap();
    assert_eq!(status(&ann).await, 413);
    reload(&world, |_| {}).await.unwrap();
    assert_eq!(status(&ann).await, 200);
    let mut config = world.config.clone();
    gone(&mut config);
    let world = world.restarted(config).await;
    let ann = Person::with_key(world.app.public, &ann.headers[0].1);
    assert_eq!(status(&ann).await, 413, "and this is the start");
    assert_eq!(ann.used().await, 1);
    assert_eq!(ann.get("/api/membership-usage").await.json()["membership"], "Test", "nothing is written for that");
}

#[tokio::test]
async fn a_subscription_that_lapses_after_a_reload_leaves_the_account_on_the_default_plan_of_then() {
    let world = billed_world().await;
    let ann = world.customer("ann", 1).await;
    let object = subscription(Shape::Basil, "ann", (NOON, NOON + 5 * DAY));
    world.delivered(&event("evt_1", NOON, UPDATED, &object)).await;
    assert_eq!(ann.get("/api/membership-usage").await.json()["credits"], 10);
    let burst = Burst { per_minute: 60_000, size: 10_000 };
    let basic = Plan { credits: 3, burst, priority: 0, max_pixels: None };
    reload(&world, |config| {
        config.plans.insert("Basic".into(), basic);
        config.plans.get_mut("Premium-20000").unwrap().credits = 20;
        config.default_plan = "Basic".into();
    })
    .await
    .unwrap();
    let object = subscription(Shape::Basil, "bob", (NOON, NOON + 5 * DAY));
    let bob = world.customer("bob", 1).await;
    world.delivered(&event("evt_2", NOON, UPDATED, &object)).await;
    let credits = async |person: &Person| person.get("/api/membership-usage").await.json()["credits"].as_u64();
    assert_eq!((credits(&ann).await, credits(&bob).await), (Some(10), Some(20)), "a number is written once");

    world.turn_clock_by(9 * DAY);
    let report = ann.get("/api/membership-usage").await.json();
    assert_eq!((report["membership"].as_str(), report["credits"].as_u64()), (Some("Basic"), Some(3)));
    let mut served = 0;
    while status(&ann).await == 200 {
        served += 1;
    }
    assert_eq!(served, 3);
    world.audited("ann").await;
}

#[tokio::test]
async fn the_limits_of_clients_and_web_pages_change_and_what_was_counted_still_counts() {
    let world = World::start().await;
    let stranger = world.stranger().with("origin", "https://app.example.com");
    let asked = stranger.cut(&Form::with_picture()).await;
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (401, None));
    let guess = Person::with_key(world.app.public, "wrong");
    for _ in 0..3 {
        assert_eq!(guess.get("/api/membership-usage").await.status, 401);
    }
    reload(&world, |config| {
        config.anonymous.per_day = 1;
        config.cors.origins = vec!["https://app.example.com".into()];
        config.limits.bad_credentials_per_minute = NonZeroU32::new(3).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(guess.get("/api/membership-usage").await.status, 429, "the three of before count");
    let asked = stranger.cut(&Form::with_picture()).await;
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!((asked.status, status(&stranger).await), (200, 429), "one a day");
    let proxied = |address: &str| world.stranger().calling_from(address);
    assert_eq!(status(&proxied("203.0.113.1")).await, 429, "nobody is trusted to name the client");
    reload(&world, |config| {
        config.anonymous.per_day = 1;
        config.limits.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await
    .unwrap();
    let both = [status(&proxied("203.0.113.1")).await, status(&proxied("203.0.113.2")).await];
    assert_eq!((both, status(&proxied("203.0.113.1")).await), ([200; 2], 429));
    let asked = stranger.cut(&Form::with_picture()).await;
    assert_eq!(asked.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn the_room_that_answers_may_take_changes() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let large = Manner::Answer { status: 200, content_type: "image/png", body: png(400, 400) };
    world.backend.will(large);
    reload(&world, |config| config.limits.max_answer = Bytes(64)).await.unwrap();
    assert_eq!(status(&ann).await, 502);
    reload(&world, |_| {}).await.unwrap();
    assert_eq!((status(&ann).await, ann.used().await), (200, 1));
}

#[tokio::test]
async fn what_needs_a_restart_refuses_the_whole_and_is_named() {
    let world = World::start().await;
    let ann = world.customer("ann", 9).await;
    let refused = reload(&world, |config| {
        only_small_pictures(config);
        config.listen.public.set_port(1);
        config.limits.memory_budget = Bytes(1 << 30);
        config.backend.concurrency = 3;
    });
    let words = refused.await.unwrap_err().to_string();
    assert_eq!(words, "backend.concurrency, limits.memory_budget, listen.public cannot be changed without a restart");
    assert_eq!((status(&ann).await, ann.used().await), (200, 1), "nothing of it counts");
    reload(&world, only_small_pictures).await.unwrap();
    assert_eq!(status(&ann).await, 413, "and the next reload is taken");
}

#[tokio::test]
async fn two_reloads_at_once_end_with_the_whole_of_one_of_them() {
    let world = World::start().await;
    let ann = world.customer("ann", 100).await;
    for _ in 0..10 {
        let strict = reload(&world, only_small_pictures);
        let open = reload(&world, anybody);
        let (strict, open) = tokio::join!(strict, open);
        assert!(strict.is_ok() && open.is_ok());
        let (customer, stranger) = (status(&ann).await, status(&world.stranger()).await);
        assert!([(413, 401), (200, 200)].contains(&(customer, stranger)), "{customer} {stranger}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_keys_change_under_load_and_no_picture_is_lost_or_sent_with_a_key_that_was_never_there() {
    const CALLERS: usize = 8;
    let world = World::with(keys(&["key-1"])).await;
    let enough = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for nth in 0..CALLERS {
        let (person, enough) = (world.customer(&format!("c{nth}"), 100_000).await, Arc::clone(&enough));
        callers.spawn(async move {
            let mut served = 0;
            while !enough.load(Ordering::Relaxed) {
                let reply = person.cut(&Form::with_picture()).await;
                assert_eq!((reply.status, &reply.body[..]), (200, PICTURE), "{reply:?}");
                served += 1;
            }
            assert_eq!(person.used().await, served);
            served
        });
    }
    for names in
        [&["key-1", "key-2"][..], &["key-2"], &["key-3", "key-2"], &[], &["key-1"]].into_iter().cycle().take(20)
    {
        let seen = world.backend.seen().len();
        world.backend.has_seen(seen + CALLERS).await;
        reload(&world, keys(names)).await.unwrap();
    }
    enough.store(true, Ordering::Relaxed);
    let mut served = 0;
    while let Some(one) = callers.join_next().await {
        served += one.unwrap();
    }
    let tried = tried(&world);
    assert_eq!(tried.len() as u64, served, "each was sent once");
    for name in ["key-1", "key-2", "key-3", ""] {
        assert!(tried.iter().any(|key| key == name), "{name} was used");
    }
    assert!(tried.iter().all(|key| ["key-1", "key-2", "key-3", ""].contains(&key.as_str())));
    world.nothing_held().await;
}

#[tokio::test]
async fn a_key_that_stays_rests_on_and_a_new_one_is_used_at_once() {
    let world = World::with(keys(&["key-1"])).await;
    let ann = world.customer("ann", 9).await;
    let spent = Manner::refuses(402, "Payment required", "retry-after: 600\r\n");
    world.backend.will(Manner::Where(vec![("key-1", spent)]));
    assert_eq!(status(&ann).await, 503);
    reload(&world, keys(&["key-1", "key-2"])).await.unwrap();
    assert_eq!(status(&ann).await, 200);
    assert_eq!(tried(&world), ["key-1", "key-2"], "the first one is left in peace");
    reload(&world, keys(&["key-1"])).await.unwrap();
    let refused = ann.cut(&Form::with_picture()).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("backend_account_exhausted")));
    assert_eq!((tried(&world).len(), ann.used().await), (2, 1));
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_one_that_does_not_fit_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, other] = ["old", "new", "other"].map(|name| certify(folder.path(), name, &["api.rembg.com"]));
    let world = World::with(|config| {
        config.listen.tls_cert = Some(old.file.clone());
        config.listen.tls_key = Some(old.key_file.clone());
    })
    .await;
    let at = world.app.public;
    let mut open = connect(at, &old.der, &TLS13, b"http/1.1").await.unwrap();
    let mut answers = async || {
        open.write_all(b"GET /healthz HTTP/1.1\r\nhost: api.rembg.com\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"ok\n") {
            assert!(open.read_buf(&mut said).await.unwrap() > 0, "{}", String::from_utf8_lossy(&said));
        }
    };
    answers().await;
    reload(&world, |config| {
        config.listen.tls_cert = Some(new.file.clone());
        config.listen.tls_key = Some(new.key_file.clone());
    })
    .await
    .unwrap();
    answers().await;
    assert!(connect(at, &new.der, &TLS13, b"http/1.1").await.is_ok());
    assert!(connect(at, &old.der, &TLS13, b"http/1.1").await.is_err());

    let refused = reload(&world, |config| {
        config.listen.tls_cert = Some(other.file.clone());
        config.anonymous.per_day = 9;
    });
    let words = refused.await.unwrap_err().to_string();
    assert!(words.starts_with("listen.tls_cert: "), "{words}");
    assert!(connect(at, &new.der, &TLS13, b"http/1.1").await.is_ok(), "the one in force stays");
    answers().await;
}
