//! Our own keys at a metered service: some answers suspend a key, others do not, and callers hear the contract's words.

use crate::{
    backend::{Manner, PICTURE, StubBackend},
    form::Form,
    people::{Person, Reply},
    world::World,
};
use rembg_gateway::{config::Config, domain::rate_limit::Burst};
use std::time::Duration;

const FAILED: &str = "The background-removal service failed. You have not been charged.";
const BUSY: &str = "The service is busy. Please retry shortly.";
const UNVERIFIED: &str = "Email address not verified \u{2013} please check your inbox";
const TOO_FAST: &str = "You're making requests too quickly, Please Upgrade or slow down.";

/// This many keys: `key-1`, `key-2`, …
fn keys(config: &mut Config, count: usize) {
    config.backend.api_keys = (1..=count).map(|nth| format!("key-{nth}").into()).collect();
}

async fn world(count: usize) -> World {
    World::with(|config| {
        keys(config, count);
        config.anonymous.per_day = 100;
        config.anonymous.burst = Burst { per_minute: 60_000, size: 1_000 };
        config.limits.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await
}

/// A gateway that can ask about its accounts at the service; the second stub answers such questions.
async fn reconciled(count: usize, interval: u64) -> (World, StubBackend) {
    let reports = StubBackend::start().await;
    reports.will_tell(left(10));
    let world = World::with(|config| {
        keys(config, count);
        config.backend.reconcile.url = Some(format!("http://{}/api/membership-usage", reports.address));
        config.backend.reconcile.interval_s = interval;
    })
    .await;
    until(|| !reports.checks().is_empty()).await;
    (world, reports)
}

/// A report that says how many credits are left.
fn left(credits: u64) -> Manner {
    let report = serde_json::json!({
        "membership": "Premium", "credits": credits, "prepaidCredits": 0, "app_usage": 0, "api_usage": 0,
    });
    Manner::Answer { status: 200, content_type: "application/json", body: report.to_string().into_bytes() }
}

fn firewall(status: u16) -> Manner {
    Manner::says(status, "content-type: text/html\r\nretry-after: 3600\r\n", "<h1>You have been blocked</h1>")
}

/// A form that the service's firewall refuses.
fn disliked() -> Form {
    Form::empty().image("select-from-users.png", &crate::form::png(4, 3))
}

fn dislikes(manner: Manner) -> Manner {
    Manner::Where(vec![("select-from-users", manner)])
}

async fn status(person: &Person, form: &Form) -> u16 {
    person.cut(form).await.status
}

/// The key of ours that each request so far was sent with.
fn tried(backend: &StubBackend) -> Vec<String> {
    let key = |head: &str| head.lines().find_map(|line| Some(line.strip_prefix("x-api-key: ")?.trim().to_owned()));
    backend.seen().iter().filter_map(|seen| key(&seen.head)).collect()
}

async fn until(happened: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never happened");
}

/// Asks again and again until the answer has this status.
async fn until_told(person: &Person, status: u16) -> Reply {
    for _ in 0..1_000 {
        let reply = person.cut(&Form::with_picture()).await;
        if reply.status == status {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{status} was never answered");
}

#[tokio::test]
async fn one_caller_alone_rests_no_key_whatever_the_answers_that_it_provokes() {
    let world = world(2).await;
    let (ann, bob) = (world.customer("ann", 100).await, world.customer("bob", 100).await);
    let other_words = |status: u16| {
        [
            firewall(status),
            Manner::says(status, "", ""),
            Manner::says(status, "content-type: application/json\r\n", r#"{"message": "blocked"}"#),
            Manner::says(status, "content-type: application/json\r\n", r#"{"error": "blocked", "status": 200}"#),
        ]
    };
    let mut manners: Vec<_> = [401, 402, 403, 429].into_iter().flat_map(other_words).collect();
    manners.push(Manner::refuses(403, "Forbidden", ""));
    manners.push(Manner::refuses(403, "Email address not verified - please check your inbox", ""));
    let mut served = 0;
    for manner in manners {
        world.backend.will(dislikes(manner.clone()));
        for _ in 0..4 {
            let refused = ann.cut(&disliked()).await;
            assert_eq!((refused.status, refused.error().as_str()), (502, FAILED), "{manner:?}");
        }
        assert_eq!(status(&bob, &Form::with_picture()).await, 200, "others go on being served: {manner:?}");
        served += 1;
        assert_eq!((ann.used().await, bob.used().await), (0, served));
    }
    let tried = tried(&world.backend);
    assert_eq!(tried.len() as u64, 5 * served, "each picture was tried once");
    assert!(tried.iter().all(|key| key == "key-1"), "and no key rested: {tried:?}");
    world.nothing_held().await;
}

#[tokio::test]
async fn many_strangers_are_one_caller_and_a_403_is_never_believed() {
    let world = world(2).await;
    world.backend.will(dislikes(firewall(429)));
    let ann = world.customer("ann", 100).await;
    for nth in 1..9 {
        let stranger = world.stranger().calling_from(&format!("203.0.113.{nth}"));
        assert_eq!(status(&stranger, &disliked()).await, 502);
        assert_eq!(status(&ann, &disliked()).await, 502);
    }
    world.backend.will(dislikes(firewall(403)));
    for uid in ["bob", "cid", "dan", "eve"] {
        assert_eq!(status(&world.customer(uid, 100).await, &disliked()).await, 502);
    }
    assert!(tried(&world.backend).iter().all(|key| key == "key-1"));
    assert_eq!(ann.used().await, 0);
    world.nothing_held().await;
}

#[tokio::test]
async fn three_accounts_that_are_refused_with_nobody_served_in_between_are_believed() {
    for (about, code) in
        [(401, "backend_unavailable"), (402, "backend_account_exhausted"), (429, "backend_account_exhausted")]
    {
        let world = world(2).await;
        let [ann, bob, cid] =
            [world.customer("ann", 9).await, world.customer("bob", 9).await, world.customer("cid", 9).await];
        let dead = Manner::says(about, "retry-after: 50\r\n", "no");
        world.backend.will(Manner::Where(vec![("select-from-users", dead.clone()), ("key-2", dead.clone())]));
        assert_eq!([status(&ann, &disliked()).await, status(&bob, &disliked()).await], [502; 2]);
        assert_eq!(status(&cid, &Form::with_picture()).await, 200, "which shows that the key is good");
        for person in [&cid, &ann, &bob] {
            assert_eq!(status(person, &disliked()).await, 502, "{about}");
        }
        assert!(tried(&world.backend).iter().all(|key| key == "key-1"));
        for person in [&ann, &bob, &cid] {
            assert_eq!(status(person, &Form::with_picture()).await, 502, "{about}");
        }
        assert_eq!(tried(&world.backend)[6..], ["key-2"; 3], "the first one rests");
        let refused = ann.cut(&Form::with_picture()).await;
        assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some(code)), "and so does the second");
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=50).contains(&seconds), "{seconds}");
        assert_eq!([ann.used().await, bob.used().await, cid.used().await], [0, 0, 1]);
        world.nothing_held().await;
    }
}

#[tokio::test]
async fn a_key_that_is_refused_in_the_contracts_words_rests_and_the_next_one_is_used() {
    for (about, words, said, code, at_most) in [
        (401, "invalid api key", "", "backend_unavailable", 60),
        (402, "Payment required", "retry-after: 30\r\n", "backend_account_exhausted", 30),
        (403, UNVERIFIED, "", "backend_unavailable", 60),
        (429, TOO_FAST, "retry-after: 7\r\n", "backend_account_exhausted", 7),
        (429, "Nothing left", "retry-after: 99999\r\n", "backend_account_exhausted", 900),
    ] {
        let world = world(2).await;
        let ann = world.customer("ann", 100).await;
        world.backend.will(Manner::Where(vec![("key-1", Manner::refuses(about, words, said))]));
        for _ in 0..3 {
            let reply = ann.cut(&Form::with_picture()).await;
            assert_eq!((reply.status, &reply.body[..]), (200, PICTURE));
        }
        assert_eq!(tried(&world.backend), ["key-1", "key-2", "key-2", "key-2"], "{about}");
        world.backend.will(Manner::refuses(about, words, said));
        for turn in 0..2 {
            let refused = ann.cut(&Form::with_picture()).await;
            assert_eq!((refused.status, refused.error().as_str()), (503, BUSY));
            assert_eq!(refused.json()["code"], code, "{about}");
            let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=at_most).contains(&seconds), "{seconds}");
            assert!(turn == 0 || seconds > at_most / 2, "what the service says counts: {seconds}");
            assert_eq!(tried(&world.backend).len(), 5, "while all rest, the service is left in peace");
        }
        assert_eq!(ann.used().await, 3);
        world.nothing_held().await;
    }
}

#[tokio::test]
async fn a_picture_is_tried_with_at_most_one_other_key() {
    let world = world(4).await;
    let ann = world.customer("ann", 100).await;
    let spent = Manner::refuses(402, "Payment required", "");
    world.backend.will(Manner::Where(["key-1", "key-2", "key-3"].map(|key| (key, spent.clone())).to_vec()));
    let refused = ann.cut(&Form::with_picture()).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("backend_account_exhausted")));
    assert_eq!(refused.header("retry-after"), Some("1"), "there are more keys");
    assert_eq!(tried(&world.backend), ["key-1", "key-2"]);
    assert_eq!(ann.used().await, 0);
    assert_eq!(status(&ann, &Form::with_picture()).await, 200);
    assert_eq!(tried(&world.backend)[2..], ["key-3", "key-4"]);
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn where_the_account_can_be_asked_its_answer_decides_and_not_what_callers_provoke() {
    let (world, reports) = reconciled(2, 600).await;
    let callers = [world.customer("ann", 9).await, world.customer("bob", 9).await, world.customer("cid", 9).await];
    for about in [401, 402, 403, 429] {
        world.backend.will(dislikes(firewall(about)));
        for caller in &callers {
            assert_eq!(status(caller, &disliked()).await, 502, "{about}");
        }
    }
    until(|| reports.checks().len() == 2).await;
    assert!(reports.checks()[1].contains("x-api-key: key-1\r\n"), "{:?}", reports.checks());
    assert_eq!(status(&callers[0], &Form::with_picture()).await, 200);
    assert!(tried(&world.backend).iter().all(|key| key == "key-1"), "no key rests");
    assert_eq!(reports.checks().len(), 2, "asked once in ten seconds");
    world.nothing_held().await;
}

#[tokio::test]
async fn a_key_that_its_own_account_disowns_rests() {
    for (report, code) in [
        (left(0), "backend_account_exhausted"),
        (firewall(401), "backend_unavailable"),
        (firewall(403), "backend_unavailable"),
    ] {
        let (world, reports) = reconciled(2, 600).await;
        let ann = world.customer("ann", 9).await;
        reports.will_tell(report);
        for (key, asked) in [("key-1", 2), ("key-2", 3)] {
            world.backend.will(Manner::Where(vec![(key, firewall(403))]));
            assert_eq!(status(&ann, &Form::with_picture()).await, 502);
            until(|| reports.checks().len() == asked).await;
            assert!(reports.checks()[asked - 1].contains(&format!("x-api-key: {key}\r\n")));
            if key == "key-1" {
                // The answer is counted a moment after it was sent.
                until_told(&ann, 200).await;
            }
        }
        assert_eq!(until_told(&ann, 503).await.json()["code"], code);
        assert_eq!(ann.used().await, 1);
        world.nothing_held().await;
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_had_rests_nothing() {
    let (world, reports) = reconciled(1, 600).await;
    let ann = world.customer("ann", 9).await;
    reports.will_tell(firewall(500));
    world.backend.will(dislikes(firewall(402)));
    assert_eq!(status(&ann, &disliked()).await, 502);
    until(|| reports.checks().len() == 2).await;
    for _ in 0..5 {
        assert_eq!(status(&ann, &Form::with_picture()).await, 200);
    }
    assert_eq!(ann.used().await, 5);
}

#[tokio::test]
async fn the_first_good_report_after_a_refill_wakes_the_key_that_it_is_about_and_no_other() {
    for refilled in ["key-1", "key-2"] {
        let (world, reports) = reconciled(2, 1).await;
        let ann = world.customer("ann", 100).await;
        reports.will_tell(left(0));
        world.backend.will(Manner::refuses(402, "Payment required", "retry-after: 600\r\n"));
        assert_eq!(status(&ann, &Form::with_picture()).await, 503);
        let asked = reports.checks().len();
        until(|| reports.checks()[asked..].iter().any(|head| head.contains("x-api-key: key-2\r\n"))).await;
        assert_eq!(status(&ann, &Form::with_picture()).await, 503, "nothing is left yet");
        assert_eq!(tried(&world.backend), ["key-1", "key-2"]);
        reports.will_tell(Manner::Where(vec![(refilled, left(5)), ("key-", left(0))]));
        world.backend.will(Manner::picture());
        assert_eq!(until_told(&ann, 200).await.body, PICTURE);
        assert_eq!(tried(&world.backend)[2..], [refilled]);
        assert_eq!(ann.used().await, 1);
        world.audited("ann").await;
    }
}

#[tokio::test]
async fn a_key_that_was_used_too_fast_rests_as_long_as_the_service_says_whatever_is_left() {
    let (world, reports) = reconciled(1, 1).await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::refuses(429, TOO_FAST, "retry-after: 600\r\n"));
    assert_eq!(status(&ann, &Form::with_picture()).await, 503);
    let asked = reports.checks().len();
    until(|| reports.checks().len() >= asked + 3).await;
    world.backend.will(Manner::picture());
    assert_eq!(status(&ann, &Form::with_picture()).await, 503);
    assert_eq!((tried(&world.backend).len(), ann.used().await), (1, 0));
}

#[tokio::test]
async fn a_service_without_keys_that_refuses_us_is_not_the_callers_fault_either() {
    for (about, words, said, code, seconds) in [
        (401, "invalid api key", "", "backend_unavailable", "1"),
        (402, "Payment required", "retry-after: 30\r\n", "backend_account_exhausted", "30"),
        (403, UNVERIFIED, "", "backend_unavailable", "1"),
        (429, TOO_FAST, "retry-after: 7\r\n", "backend_account_exhausted", "7"),
        (429, "Nothing left", "retry-after: 99999\r\n", "backend_account_exhausted", "900"),
    ] {
        let world = world(0).await;
        let ann = world.customer("ann", 9).await;
        world.backend.will(Manner::refuses(about, words, said));
        let refused = ann.cut(&Form::with_picture()).await;
        assert_eq!((refused.status, refused.error().as_str()), (503, BUSY), "{about}");
        assert_eq!((refused.json()["code"].as_str(), refused.header("retry-after")), (Some(code), Some(seconds)));
        world.backend.will(firewall(about));
        assert_eq!(status(&ann, &Form::with_picture()).await, 502, "in another form it may be about the picture");
        world.backend.will(Manner::picture());
        assert_eq!((status(&ann, &Form::with_picture()).await, ann.used().await), (200, 1), "and nothing rests");
        world.nothing_held().await;
    }
}
