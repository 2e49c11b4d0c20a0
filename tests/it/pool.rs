//! Several services behind one gateway: which one is asked, which one is asked next, and which one is left alone.

use crate::{
    backend::{Manner, PICTURE, StubBackend},
    form::{Form, png},
    world::World,
};
use rembg_gateway::config::Config;
use std::{collections::HashSet, io::Write as _, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, rustls};

const FAILED: &str = "The background-removal service failed. You have not been charged.";
const BUSY: &str = "The service is busy. Please retry shortly.";

/// Nothing listens at this address.
const NOBODY: &str = "http://127.0.0.1:9/rmbg";

/// A gateway with a second service after the first. Only one health check is made: on a busy machine, the service may
/// miss an impatient one for no fault of its own.
async fn two(change: impl FnOnce(&mut Config)) -> (World, StubBackend) {
    let second = StubBackend::start().await;
    let world = World::with(|config| {
        config.backend.urls.push(second.url());
        config.backend.check_interval_s = 600;
        change(config);
    })
    .await;
    (world, second)
}

/// With these settings, a service that hangs is found within six seconds.
fn impatient(config: &mut Config) {
    config.backend.check_interval_s = 1;
    config.backend.connect_timeout_s = 2;
}

fn metered(config: &mut Config) {
    config.backend.api_key = Some("our-key".to_owned().into());
}

/// Waits until the service at this address is given pictures, or is not.
async fn until_up(world: &World, url: &str, up: bool) {
    let line = format!("rgw_backend_up{{backend=\"{url}\"}}");
    for _ in 0..1_000 {
        if (world.metric(&line).await > 0.5) == up {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{url} never became {}", if up { "up" } else { "out" });
}

#[tokio::test]
async fn pictures_are_shared_out_between_the_services() {
    let (world, second) = two(|_| {}).await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Wait);
    second.will(Manner::Wait);
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let ann = ann.clone();
        asking.spawn(async move { ann.cut(&Form::with_picture()).await.status });
    }
    world.backend.has_seen(4).await;
    second.has_seen(4).await;
    for _ in 0..4 {
        world.backend.let_one_go();
        second.let_one_go();
    }
    assert_eq!(asking.join_all().await, [200; 8]);
    assert_eq!((world.backend.seen().len(), second.seen().len(), ann.used().await), (4, 4, 8));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_passed_over_and_no_caller_notices() {
    for metered_or_not in [|_: &mut Config| {}, metered] {
        let (world, second) = two(|config| {
            config.backend.urls[0] = NOBODY.into();
            metered_or_not(config);
        })
        .await;
        let ann = world.customer("ann", 100).await;
        for _ in 0..10 {
            assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
        }
        assert_eq!((second.seen().len(), ann.used().await), (10, 10));
        assert_eq!(world.operator().get("/readyz").await.status, 200, "one is enough");
        world.nothing_held().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_closes_its_connections_is_never_asked_on_a_closed_one() {
    let world = World::start().await;
    let ann = world.customer("ann", 1_000).await;
    world.backend.will(Manner::AnswerAndClose);
    for turn in 0..300 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "{turn}");
        // A busy machine may let it answer, and close much later.
        world.backend.has_closed_all().await;
    }
    assert_eq!(ann.used().await, 300);
}

/// Closes its connections when it likes.
fn fickle() -> Manner {
    let after = |micros| Manner::AnswerAndCloseAfter(Duration::from_micros(micros));
    Manner::AnyOf(vec![
        Manner::picture(),
        Manner::AnswerAndClose,
        after(50),
        Manner::CloseEarly,
        Manner::picture(),
        after(300),
        Manner::Close,
        after(1_000),
        Manner::HalfAnAnswer,
        Manner::picture(),
        after(3_000),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_a_service_closes_its_connections_only_pictures_are_charged_and_a_metered_one_is_asked_once() {
    for is_metered in [true, false] {
        let (world, second) = two(|config| {
            if is_metered {
                metered(config);
            }
        })
        .await;
        let ann = world.customer("ann", 10_000).await;
        world.backend.will(fickle());
        second.will(fickle());
        let mut asking = JoinSet::new();
        for caller in 0..8 {
            let ann = ann.clone();
            asking.spawn(async move {
                let mut pictures = 0;
                for turn in 0..100 {
                    let ann = ann.clone().with("x-request-id", &format!("{caller}-{turn}-"));
                    let status = ann.cut(&Form::with_picture()).await.status;
                    assert!([200, 502].contains(&status), "{status}");
                    pictures += u64::from(status == 200);
                }
                pictures
            });
        }
        let pictures: u64 = asking.join_all().await.into_iter().sum();
        assert!((200..800).contains(&pictures), "{pictures} of 800");
        assert_eq!(ann.used().await, pictures);
        world.nothing_held().await;
        let asked = |service: &StubBackend| -> Vec<String> {
            let id =
                |head: String| head.lines().find_map(|line| line.strip_prefix("x-request-id: ").map(str::to_owned));
            service.seen().into_iter().filter_map(|seen| id(seen.head)).collect()
        };
        let (first, second) = (asked(&world.backend), asked(&second));
        let all = if is_metered { vec![[first, second].concat()] } else { vec![first, second] };
        for asked in all {
            let different: HashSet<&String> = asked.iter().collect();
            assert_eq!(different.len(), asked.len(), "no request was seen whole twice (metered: {is_metered})");
        }
    }
}

#[tokio::test]
async fn another_service_is_asked_while_nobody_has_begun_to_answer_and_none_twice() {
    let (world, second) = two(|_| {}).await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Close);
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    assert_eq!((world.backend.seen().len(), second.seen().len()), (1, 1));
    second.will(Manner::Close);
    assert_eq!(ann.cut(&Form::with_picture()).await.error(), FAILED);
    assert_eq!((world.backend.seen().len(), second.seen().len()), (2, 2), "each was asked once");
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn what_a_metered_service_has_been_sent_whole_is_not_sent_to_another() {
    let (world, second) = two(metered).await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Close);
    assert_eq!(ann.cut(&Form::with_picture()).await.error(), FAILED);
    assert_eq!((world.backend.seen().len(), second.seen().len()), (1, 0), "it may have been charged for already");
}

#[tokio::test]
async fn what_a_metered_service_has_not_been_sent_whole_goes_to_another() {
    let (world, second) = two(metered).await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::CloseEarly);
    let mut file = png(4, 4);
    file.resize(16 << 20, 0);
    assert_eq!(ann.cut(&Form::empty().image("a.png", &file)).await.status, 200);
    assert_eq!((world.backend.seen().len(), second.seen().len(), ann.used().await), (0, 1, 1));
}

#[tokio::test]
async fn once_an_answer_has_begun_nobody_else_is_asked() {
    for manner in [Manner::HalfAnAnswer, Manner::Garbage, answers(500), answers(503)] {
        let (world, second) = two(|_| {}).await;
        let ann = world.customer("ann", 100).await;
        world.backend.will(manner.clone());
        assert_eq!(ann.cut(&Form::with_picture()).await.error(), FAILED, "{manner:?}");
        assert_eq!(second.seen().len(), 0, "{manner:?}");
        world.nothing_held().await;
    }
}

fn answers(status: u16) -> Manner {
    Manner::Answer { status, content_type: "text/plain", body: b"oops".to_vec() }
}

#[tokio::test]
async fn a_service_that_hangs_is_found_by_its_health_check_and_comes_back_when_it_answers() {
    let (world, second) = two(impatient).await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Hang);
    until_up(&world, &world.backend.url(), false).await;
    for _ in 0..6 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    }
    assert_eq!((world.backend.seen().len(), second.seen().len()), (0, 6), "no caller waited for it");
    world.backend.will(Manner::picture());
    until_up(&world, &world.backend.url(), true).await;
    for _ in 0..6 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    }
    assert!(world.backend.seen().len() >= 2, "it is given pictures again");
}

#[tokio::test]
async fn a_health_check_shows_no_key_and_asks_for_no_picture() {
    let world = World::with(|config| {
        metered(config);
        config.backend.health_path = "/healthz?deep=1".into();
    })
    .await;
    assert_eq!(world.operator().get("/readyz").await.status, 200);
    let checks = world.backend.checks();
    assert!(checks[0].starts_with("GET /healthz?deep=1 HTTP/1.1\r\n"), "{checks:?}");
    assert!(!checks[0].contains("our-key"), "{checks:?}");
    assert!(world.backend.seen().is_empty());
}

#[tokio::test]
async fn a_slow_answer_is_as_good_as_a_fast_one() {
    let world = World::start().await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Trickle);
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, &reply.body[..]), (200, PICTURE));
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn a_service_that_fails_pictures_is_put_out_although_it_answers_checks() {
    let page = Manner::Answer { status: 200, content_type: "text/html", body: b"<p>Back soon".to_vec() };
    for manner in [Manner::HalfAnAnswer, page] {
        let (world, second) = two(|_| {}).await;
        let ann = world.customer("ann", 100).await;
        world.backend.will(manner);
        for _ in 0..10 {
            ann.cut(&Form::with_picture()).await;
        }
        assert_eq!(world.backend.seen().len(), 5, "five strikes");
        assert_eq!(second.seen().len(), 5);
        assert_eq!(ann.used().await, 5);
        world.nothing_held().await;
    }
}

#[tokio::test]
async fn the_only_service_is_put_out_by_its_health_check_and_callers_are_told_at_once_when_to_come_back() {
    let world = World::with(impatient).await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::HalfAnAnswer);
    for _ in 0..7 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 502, "better a doubtful service than none");
    }
    world.backend.will(Manner::Hang);
    until_up(&world, &world.backend.url(), false).await;
    let refused = ann.cut(&Form::with_picture()).await;
    assert_eq!((refused.status, refused.error().as_str()), (503, BUSY));
    assert_eq!(refused.json()["code"], "backend_unavailable");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(world.operator().get("/readyz").await.status, 503);
    world.backend.will(Manner::picture());
    until_up(&world, &world.backend.url(), true).await;
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    assert_eq!(ann.used().await, 1);
    world.nothing_held().await;
}

#[tokio::test]
async fn a_service_with_a_certificate_of_a_private_authority_is_trusted_only_if_we_are_told_to() {
    let (tls, certificate) = private_authority();
    let service = StubBackend::with_tls(tls).await;
    let url = format!("https://localhost:{}/rmbg", service.address.port());
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(certificate.as_bytes()).unwrap();
    for (ca_file, status) in [(Some(file.path().to_owned()), 200), (None, 502)] {
        let world = World::with(|config| {
            config.backend.urls = vec![url.clone()];
            config.backend.ca_file = ca_file;
        })
        .await;
        let ann = world.customer("ann", 100).await;
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!(reply.status, status);
        assert!(status != 200 || reply.body == PICTURE);
    }
    assert_eq!(service.seen().len(), 1);
}

/// A certificate for `localhost`, signed by itself, and what trusts it.
fn private_authority() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

#[tokio::test]
async fn what_is_left_on_our_account_at_the_service_and_what_it_counts_beyond_us_is_shown() {
    let usage = |used: u64, left: u64| {
        let report = serde_json::json!({
            "membership": "Premium-20000", "credits": 18_500, "prepaidCredits": 7, "app_usage": 0, "api_usage": used,
            "billingCycle": {"remainingIncludedCredits": left, "more": "than we need"},
        });
        Manner::Answer { status: 200, content_type: "application/json", body: report.to_string().into_bytes() }
    };
    let service = StubBackend::start().await;
    service.will_tell(usage(100, 400));
    let world = World::with(|config| {
        metered(config);
        config.backend.reconcile.url = Some(format!("http://{}/api/membership-usage?x=1", service.address));
        config.backend.reconcile.interval_s = 1;
    })
    .await;
    until_metric(&world, "rgw_backend_account_remaining_credits ", 407.0).await;
    let asked = &service.checks()[0];
    assert!(asked.starts_with("GET /api/membership-usage?x=1&expand=billing_cycle HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("x-api-key: our-key\r\n"), "{asked}");
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Answer { status: 200, content_type: "text/html", body: b"<p>Back soon".to_vec() });
    for _ in 0..3 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 502, "neither they nor we count this");
    }
    world.backend.will(Manner::picture());
    for _ in 0..3 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    }
    service.will_tell(usage(105, 395));
    until_metric(&world, "rgw_backend_account_drift_credits ", 2.0).await;
    until_metric(&world, "rgw_backend_account_remaining_credits ", 402.0).await;
}

async fn until_metric(world: &World, line: &str, value: f64) {
    for _ in 0..500 {
        let text = world.operator().get("/metrics").await;
        let text = String::from_utf8(text.body.to_vec()).unwrap();
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse::<f64>().ok());
        if found.is_some_and(|found| (found - value).abs() < 0.5) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{line} never became {value}");
}
