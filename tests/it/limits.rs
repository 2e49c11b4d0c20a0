//! Short-term limits, and what keeps floods away from the store.

use crate::{
    backend::Manner,
    form::Form,
    people::Person,
    rawsocket::Raw,
    world::{NOON, World},
};
use rembg_gateway::{
    config::Config,
    domain::{
        account::{Overrides, Uid},
        plan::Plan,
        rate_limit::Burst,
    },
    store::AccountChange,
};
use std::{num::NonZeroU32, time::Duration};

const TOO_FAST: &str = "You're making requests too quickly, Please Upgrade or slow down.";
const BURST: Burst = Burst { per_minute: 6, size: 2 };
const MONTH_END: i64 = NOON + 16 * 86_400 + 12 * 3_600;

fn slow(config: &mut Config) {
    let plan = |burst| Plan { credits: 100, burst, priority: 0, max_pixels: None };
    config.plans.insert("Test".into(), plan(BURST));
    config.plans.insert("Faster".into(), plan(Burst { per_minute: 60, size: 5 }));
}

fn change(uid: &str) -> AccountChange {
    AccountChange::of(Uid::new(uid).unwrap())
}

/// An operator's change that the gateway has noticed, as it does with each of its own writes. A readiness check is one.
async fn operator_changes(world: &World, change: AccountChange) {
    world.store.put_account(&change).await.unwrap();
    world.ready().await;
}

async fn status(person: &Person) -> u16 {
    person.cut(&Form::with_picture()).await.status
}

/// Makes so many calls in a row, and counts those that are not refused as too fast.
async fn let_through(person: &Person, calls: usize) -> usize {
    let mut through = 0;
    for _ in 0..calls {
        through += usize::from(status(person).await == 200);
    }
    through
}

async fn rejected_by(world: &World, by: &str) -> f64 {
    world.metric(&format!("rgw_rejections_total{{by=\"{by}\"}}")).await
}

#[tokio::test]
async fn a_plan_lets_so_many_through_at_once_and_then_one_after_the_told_time() {
    let world = World::with(slow).await;
    let ann = world.customer("ann", 100).await;
    assert_eq!(let_through(&ann, 2).await, 2);
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.error().as_str(), reply.header("retry-after")), (429, TOO_FAST, Some("10")));
    world.turn_clock_by(9);
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")), "one second too early");
    world.turn_clock_by(1);
    assert_eq!(let_through(&ann, 2).await, 1);
    assert_eq!(ann.used().await, 3, "what was refused is not counted");
    world.nothing_held().await;
}

#[tokio::test]
async fn who_has_called_as_fast_as_allowed_for_long_is_told_the_right_time() {
    let world = World::with(slow).await;
    let ann = world.customer("ann", 100).await;
    assert_eq!(let_through(&ann, 2).await, 2);
    for _ in 0..30 {
        world.turn_clock_by(10);
        assert_eq!(status(&ann).await, 200);
    }
    for _ in 0..2 {
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("10")));
    }
    assert!((rejected_by(&world, "rate_limit").await - 1.0).abs() < 0.5, "told here, as the store has told");
}

#[tokio::test]
async fn who_has_no_credits_is_told_the_right_time_too() {
    let world = World::with(slow).await;
    let poor = world.customer("poor", 0).await;
    let exhausted = async || {
        let reply = poor.cut(&Form::with_picture()).await;
        assert_eq!(reply.status, 429);
        assert_ne!(reply.error(), TOO_FAST);
    };
    exhausted().await;
    for _ in 0..30 {
        exhausted().await;
        world.turn_clock_by(10);
    }
    exhausted().await;
    for _ in 0..2 {
        let reply = poor.cut(&Form::with_picture()).await;
        assert_eq!((reply.error().as_str(), reply.header("retry-after")), (TOO_FAST, Some("10")));
    }
    assert!((rejected_by(&world, "rate_limit").await - 1.0).abs() < 0.5, "told here, as the store has told");
}

#[tokio::test]
async fn gateways_on_one_store_share_every_limit() {
    let world = World::with(slow).await;
    let beside = world.gateway_beside().await;
    let ann = world.customer("ann", 100).await;
    let there = |person: &Person| Person::with_key(beside.public, &person.headers[0].1);
    assert_eq!(let_through(&there(&ann), 3).await, 2);
    for _ in 0..3 {
        let reply = ann.cut(&Form::with_picture()).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("10")));
    }
    let here = rejected_by(&world, "rate_limit").await;
    assert!((here - 2.0).abs() < 0.5, "only the store knew, and has said so once: {here}");
    let bob = world.customer("bob", 1).await;
    assert_eq!(status(&there(&bob)).await, 200);
    let reply = bob.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.header("x-credits-charged")), (429, None), "the credit is spent, there as here");
    beside.stop().await;
}

#[tokio::test]
async fn all_keys_of_an_account_share_its_limit_and_other_accounts_do_not() {
    let world = World::with(slow).await;
    let ann = world.customer("ann", 100).await;
    let second = Person::with_key(world.app.public, &world.key_for(&Uid::new("ann").unwrap()).await);
    assert_eq!((status(&ann).await, status(&second).await, status(&ann).await), (200, 200, 429));
    assert_eq!(status(&world.customer("bob", 100).await).await, 200);
}

#[tokio::test]
async fn a_raised_plan_unblocks_at_once() {
    let world = World::with(slow).await;
    let ann = world.customer("ann", 100).await;
    assert_eq!(let_through(&ann, 3).await, 2);
    operator_changes(&world, AccountChange { plan: Some(("Faster".into(), 100)), ..change("ann") }).await;
    assert_eq!(status(&ann).await, 200);
}

#[tokio::test]
async fn more_credits_unblock_at_once() {
    let world = World::start().await;
    let ann = world.customer("ann", 0).await;
    assert_eq!(status(&ann).await, 429);
    world.store.put_account(&AccountChange { credits: Some(1), ..change("ann") }).await.unwrap();
    assert_eq!((status(&ann).await, status(&ann).await), (200, 429));
    world.prepaid("ann", 1).await;
    assert_eq!(status(&ann).await, 200);
}

#[tokio::test]
async fn an_accounts_own_limit_goes_before_its_plans_until_the_next_plan() {
    let world = World::with(slow).await;
    let ann = world.customer("ann", 100).await;
    let own = Overrides { burst: Some(Burst { per_minute: 60, size: 4 }), ..Overrides::default() };
    operator_changes(&world, AccountChange { overrides: own, ..change("ann") }).await;
    assert_eq!(let_through(&ann, 9).await, 4);
    world.turn_clock_by(3_600);
    operator_changes(&world, AccountChange { plan: Some(("Test".into(), 100)), ..change("ann") }).await;
    assert_eq!(let_through(&ann, 9).await, 2);
}

#[tokio::test]
async fn an_account_on_a_plan_that_is_gone_has_the_default_plans_limit() {
    let world = World::with(|config| {
        slow(config);
        config.default_plan = "Test".into();
    })
    .await;
    let ann = world.customer("ann", 100).await;
    operator_changes(&world, AccountChange { plan: Some(("Gone".into(), 100)), ..change("ann") }).await;
    assert_eq!(let_through(&ann, 9).await, 2);
}

#[tokio::test]
async fn a_flood_of_one_account_is_rejected_before_the_store_has_to_decide() {
    let world = World::with(slow).await;
    let ann = world.customer("ann", 100).await;
    assert_eq!(let_through(&ann, 20).await, 2);
    assert!(
        (rejected_by(&world, "rate_limit").await - 17.0).abs() < 0.5,
        "the store has said no once, and would have said it to each of them"
    );
    let asked = world.metric(r#"rgw_step_duration_seconds_count{step="admit"}"#).await;
    assert!((asked - 3.0).abs() < 0.5, "{asked} times");
}

#[tokio::test]
async fn a_plan_may_refuse_pictures_that_the_backend_would_take() {
    let world = World::with(|config| {
        config.plans.entry("Test".into()).and_modify(|plan| plan.max_pixels = Some(12));
    })
    .await;
    let ann = world.customer("ann", 100).await;
    assert_eq!(status(&ann).await, 200, "4 by 3");
    let larger = ann.cut(&Form::empty().image("a.png", &crate::form::png(13, 1))).await;
    assert_eq!(larger.status, 413);
    assert_eq!(larger.error(), "Image has 13 pixels, which exceeds the maximum of 12 processed here.");
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn no_pixels_are_no_limit_wherever_they_stand() {
    let world = World::with(|config| {
        config.backend.max_pixels = Some(20);
        let test = Plan { max_pixels: Some(0), ..config.plans["Test"] };
        config.plans.insert("Test".into(), test);
        config.plans.insert("Small".into(), Plan { max_pixels: Some(6), ..test });
    })
    .await;
    let ann = world.customer("ann", 100).await;
    let takes = async |width| ann.cut(&Form::empty().image("a.png", &crate::form::png(width, 1))).await.status;
    assert_eq!((takes(20).await, takes(21).await), (200, 413), "the plan has none, the backend has one");
    operator_changes(&world, AccountChange { plan: Some(("Small".into(), 100)), ..change("ann") }).await;
    assert_eq!((takes(6).await, takes(7).await), (200, 413), "the plan's");
    let overrides = Overrides { max_pixels: Some(0), ..Overrides::default() };
    operator_changes(&world, AccountChange { overrides, ..change("ann") }).await;
    assert_eq!((takes(20).await, takes(21).await), (200, 413), "none of its own goes before the plan's");
}

#[tokio::test]
async fn an_accounts_own_pixels_go_before_its_plans_but_not_beyond_the_backends() {
    let world = World::with(|config| {
        config.backend.max_pixels = Some(20);
        config.plans.entry("Test".into()).and_modify(|plan| plan.max_pixels = Some(12));
    })
    .await;
    let ann = world.customer("ann", 100).await;
    let most = async |width| {
        let refused = ann.cut(&Form::empty().image("a.png", &crate::form::png(width, 1))).await;
        (refused.status == 413).then(|| refused.error())
    };
    let told =
        |width, most| Some(format!("Image has {width} pixels, which exceeds the maximum of {most} processed here."));
    for (own, fits, most_told) in [(6, 6, 6), (15, 15, 15), (25, 20, 20)] {
        let overrides = Overrides { max_pixels: Some(own), ..Overrides::default() };
        operator_changes(&world, AccountChange { overrides, ..change("ann") }).await;
        assert_eq!((most(fits).await, most(fits + 1).await), (None, told(fits + 1, most_told)), "{own}");
    }
    operator_changes(&world, AccountChange { plan: Some(("Test".into(), 100)), ..change("ann") }).await;
    assert_eq!(most(13).await, told(13, 12), "the plan's again");
    assert_eq!(ann.used().await, 3);
    world.nothing_held().await;
}

#[tokio::test]
async fn guessing_is_slowed_and_counted_and_hurts_nobody_else() {
    let world = World::with(|config| {
        config.limits.bad_credentials_per_minute = NonZeroU32::new(5).unwrap();
        config.limits.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let ann = world.customer("ann", 100).await;
    let guess = world.stranger().with("x-api-key", "7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de");
    let guesser = guess.clone().calling_from("203.0.113.7");
    for path in ["/rmbg", "/api/membership-usage", "/rmbg", "/api/membership-usage", "/rmbg"] {
        let reply = if path == "/rmbg" { guesser.cut(&Form::with_picture()).await } else { guesser.get(path).await };
        assert_eq!(reply.status, 401, "{path}");
    }
    let reply = guesser.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.error().as_str()), (429, TOO_FAST));
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");
    assert_eq!(guesser.get("/api/membership-usage").await.status, 429, "both endpoints are one door");
    let token = world.stranger().with("authorization", "Bearer a.b.c").calling_from("203.0.113.7");
    assert_eq!(status(&token).await, 429, "keys and tokens are counted together");
    assert_eq!(
        status(&ann.clone().calling_from("203.0.113.7")).await,
        429,
        "a right guess is not told from a wrong one"
    );
    assert_eq!(status(&ann.calling_from("203.0.113.8")).await, 200, "somebody else");
    assert_eq!(status(&guess.calling_from("203.0.113.9")).await, 401, "somebody else, too");
    assert!((rejected_by(&world, "bad_credentials").await - 4.0).abs() < 0.5);
    let both = world.stranger().with("x-api-key", "a").with("authorization", "Bearer b").calling_from("203.0.113.7");
    assert_eq!(status(&both).await, 400, "a mistake that needs no look-up");
}

#[tokio::test]
async fn good_calls_and_other_refusals_are_no_guesses() {
    let world = World::with(|config| config.limits.bad_credentials_per_minute = NonZeroU32::MIN).await;
    let (ann, poor) = (world.customer("ann", 100).await, world.customer("poor", 0).await);
    for _ in 0..3 {
        assert_eq!((status(&ann).await, status(&poor).await, status(&world.stranger()).await), (200, 429, 401));
    }
}

#[tokio::test]
async fn a_client_has_only_so_many_requests_at_once() {
    let world = World::with(|config| {
        config.limits.in_flight_per_client = NonZeroU32::new(2).unwrap();
        config.limits.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let ann = world.customer("ann", 100).await;
    let here = ann.clone().calling_from("203.0.113.7");
    world.backend.will(Manner::Wait);
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let here = here.clone();
            tokio::spawn(async move { status(&here).await })
        })
        .collect();
    world.backend.has_seen(2).await;
    let reply = here.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.error().as_str(), reply.header("retry-after")), (429, TOO_FAST, Some("1")));
    assert_eq!(here.get("/api/membership-usage").await.status, 429);
    assert_eq!(ann.calling_from("203.0.113.8").get("/api/membership-usage").await.status, 200, "somebody else");
    assert!((rejected_by(&world, "in_flight").await - 2.0).abs() < 0.5);
    world.backend.let_one_go();
    world.backend.let_one_go();
    for one in waiting {
        assert_eq!(one.await.unwrap(), 200);
    }
    world.backend.will(Manner::picture());
    assert_eq!(status(&here).await, 200, "there is room again");
}

#[tokio::test]
async fn whatever_is_asked_for_counts_as_in_flight_until_its_upload_has_run_out() {
    let world = World::with(|config| {
        config.limits.in_flight_per_client = NonZeroU32::MIN;
        config.stripe.webhook_secrets = vec!["whsec_of_the_tests".into()];
    })
    .await;
    let until = async |status: u16| {
        let seen = async { while world.stranger().get("/elsewhere").await.status != status {} };
        tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("never {status}"));
    };
    for start in [
        "POST /nowhere HTTP/1.1\r\n",
        "PUT /rmbg HTTP/1.1\r\n",
        "POST /rmbg HTTP/1.1\r\nx-api-key: a\r\nauthorization: Bearer b\r\n",
        "POST /rmbg HTTP/1.1\r\nx-api-key:\r\n",
        "GET /api/membership-usage HTTP/1.1\r\n",
        "POST /api/webhooks/stripe HTTP/1.1\r\n",
    ] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&format!("{start}host: x\r\ncontent-length: 9\r\n\r\n")).await;
        until(429).await;
        let reply = world.stranger().with("x-api-key", "a").get("/api/membership-usage").await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")), "while {start}");
        drop(raw);
        until(404).await;
    }
}

#[tokio::test]
async fn retry_after_is_the_end_of_the_window_or_of_the_lease_that_stands_in_the_way() {
    let world = World::start().await;
    let ann = world.customer("ann", 1).await;
    world.backend.will(Manner::Wait);
    let slow = tokio::spawn({
        let ann = ann.clone();
        async move { status(&ann).await }
    });
    world.backend.has_seen(1).await;
    let lease = world.config.limits.upload_timeout_s + world.config.backend.timeout_s + 30;
    let told = async || ann.cut(&Form::with_picture()).await.header("retry-after").unwrap().parse::<u64>().unwrap();
    assert_eq!(told().await, lease, "the hold may yet be given back");
    world.turn_clock_by(7);
    assert_eq!(told().await, lease - 7);
    world.backend.let_one_go();
    assert_eq!(slow.await.unwrap(), 200);
    assert_eq!(told().await, (MONTH_END - NOON - 7).unsigned_abs(), "now the credit is spent");
}
