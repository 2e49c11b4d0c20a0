//! Answers say in their headers what is left of limits and credits.

use crate::{
    backend::Manner,
    billed::{Shape, UPDATED, billed_world, event, subscription},
    form::Form,
    people::Reply,
    world::{NOON, World},
};
use rembg_gateway::domain::{account::Uid, rate_limit::Burst};

const MONTH_END: i64 = NOON + 16 * 86_400 + 12 * 3_600;

async fn world() -> World {
    World::with(|config| {
        let burst = Burst { per_minute: 6, size: 3 };
        config.plans.entry("Test".into()).and_modify(|plan| plan.burst = burst);
        config.anonymous.per_day = 2;
        config.anonymous.burst = burst;
    })
    .await
}

fn told(reply: &Reply) -> [Option<&str>; 4] {
    ["ratelimit-policy", "ratelimit", "x-credits-charged", "x-credits-remaining"].map(|name| reply.header(name))
}

#[tokio::test]
async fn a_picture_says_what_it_cost_and_what_is_left() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    world.prepaid("ann", 5).await;
    let month = MONTH_END - NOON;
    let policy = Some(r#""burst";q=3;w=30, "month";q=15"#);
    let first = ann.cut(&Form::with_picture()).await;
    let left = format!(r#""burst";r=2;t=10, "month";r=14;t={month}"#);
    assert_eq!(told(&first), [policy, Some(left.as_str()), Some("1"), Some("14")]);
    world.turn_clock_by(5);
    let second = ann.cut(&Form::with_picture()).await;
    let left = format!(r#""burst";r=1;t=15, "month";r=13;t={}"#, month - 5);
    assert_eq!(told(&second), [policy, Some(left.as_str()), Some("1"), Some("13")]);
}

#[tokio::test]
async fn what_costs_nothing_says_so() {
    let world = world().await;
    let ann = world.customer("ann", 10).await;
    world.backend.will(Manner::refuses(400, "The backend knows better", ""));
    let refused = ann.cut(&Form::with_picture()).await;
    assert_eq!(told(&refused)[2..], [Some("0"), None]);
    let malformed = ann.cut(&Form::empty()).await;
    assert!(malformed.header("ratelimit").unwrap().starts_with(r#""burst";r=1;"#), "it took from the burst");
    assert_eq!(told(&malformed)[2..], [None, None]);
}

#[tokio::test]
async fn a_429_says_which_limit_has_nothing_left_and_for_how_long() {
    let world = world().await;
    let ann = world.customer("ann", 1).await;
    ann.cut(&Form::with_picture()).await;
    let exhausted = ann.cut(&Form::with_picture()).await;
    let month = (MONTH_END - NOON).to_string();
    let policy = Some(r#""burst";q=3;w=30, "month";q=1"#);
    let left = format!(r#""burst";r=1;t=20, "month";r=0;t={month}"#);
    assert_eq!(told(&exhausted), [policy, Some(left.as_str()), None, None]);
    assert_eq!(exhausted.header("retry-after"), Some(month.as_str()));
    ann.cut(&Form::with_picture()).await;
    // From here on the store is not asked, and the answer is the same.
    for _ in 0..2 {
        let too_fast = ann.cut(&Form::with_picture()).await;
        assert_eq!(told(&too_fast), [policy, Some(r#""burst";r=0;t=10"#), None, None]);
        assert_eq!(too_fast.header("retry-after"), Some("10"));
    }
}

#[tokio::test]
async fn a_stranger_is_told_of_the_day() {
    let world = world().await;
    let stranger = world.stranger();
    let served = stranger.cut(&Form::with_picture()).await;
    let policy = Some(r#""burst";q=3;w=30, "day";q=2;w=86400"#);
    assert_eq!(told(&served), [policy, Some(r#""burst";r=2;t=10, "day";r=1;t=43200"#), Some("0"), None]);
    stranger.cut(&Form::with_picture()).await;
    let refused = stranger.cut(&Form::with_picture()).await;
    assert_eq!(told(&refused), [policy, Some(r#""burst";r=0;t=30, "day";r=0;t=43200"#), None, None]);
}

#[tokio::test]
async fn a_capped_key_is_told_of_its_cap() {
    let world = world().await;
    world.customer("ann", 10).await;
    let key = world.key_but(&Uid::new("ann").unwrap(), |key| key.monthly_cap = Some(2)).await;
    let reply = crate::people::Person::with_key(world.app.public, &key).cut(&Form::with_picture()).await;
    assert!(reply.header("ratelimit-policy").unwrap().ends_with(r#""month";q=2"#));
    assert!(reply.header("ratelimit").unwrap().contains(r#""month";r=1;"#));
    assert_eq!(reply.header("x-credits-remaining"), Some("9"), "the account's own");
}

#[tokio::test]
async fn in_a_billing_cycle_the_month_is_the_cycle() {
    let world = billed_world().await;
    let ann = world.customer("ann", 3).await;
    let cycle = (NOON - 9, NOON + 12_345);
    world.delivered(&event("evt_1", NOON, UPDATED, &subscription(Shape::Basil, "ann", cycle))).await;
    for left in (0..10).rev() {
        let reply = ann.cut(&Form::with_picture()).await;
        assert!(reply.header("ratelimit").unwrap().ends_with(&format!(r#""month";r={left};t=12345"#)), "{reply:?}");
    }
    world.turn_clock_by(45);
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("12300")));
}

#[tokio::test]
async fn a_limit_beyond_fifteen_digits_is_told_as_the_largest_that_a_header_can_hold() {
    let world = world().await;
    let ann = world.customer("ann", u64::from(u32::MAX) << 21).await;
    let reply = ann.cut(&Form::with_picture()).await;
    assert!(reply.header("ratelimit-policy").unwrap().ends_with(r#""month";q=999999999999999"#));
    assert!(reply.header("ratelimit").unwrap().contains(r#""month";r=999999999999999;t="#));
}

#[tokio::test]
async fn who_is_not_known_is_told_of_no_limit() {
    let world = World::start().await;
    let reply = world.stranger().cut(&Form::with_picture()).await;
    assert_eq!((reply.status, told(&reply)), (401, [None; 4]));
    assert!(reply.header("x-request-id").is_some());
}
