//! No caller spends more credits than there are, and exactly what was served is counted.

use crate::{
    backend::Manner,
    form::Form,
    people::Reply,
    world::{NOON, World},
};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

const MONTHLY_LIMIT: &str = "You've reached your monthly limit. Consider purchasing more credits.";

fn by_status(replies: &[Reply]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for reply in replies {
        *counts.entry(reply.status).or_insert(0) += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_credit_is_spent_once_however_many_race_for_it() {
    let world = World::start().await;
    let ann = world.customer("ann", 1).await;
    world.backend.will(Manner::Wait);
    let mut racing = JoinSet::new();
    for _ in 0..32 {
        let ann = ann.clone();
        racing.spawn(async move { ann.cut(&Form::with_picture()).await });
    }
    let mut replies = Vec::new();
    while replies.len() < 31 {
        replies.push(racing.join_next().await.unwrap().unwrap());
    }
    assert_eq!(by_status(&replies), BTreeMap::from([(429, 31)]), "refused while the winner is still being served");
    assert_eq!(replies[0].error(), MONTHLY_LIMIT);
    assert!(replies[0].header("retry-after").is_some());
    world.backend.let_one_go();
    assert_eq!(racing.join_next().await.unwrap().unwrap().status, 200);
    assert_eq!((world.backend.seen().len(), ann.used().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_1000_at_once_against_100_credits_exactly_100_are_served_and_counted() {
    let world = World::start().await;
    let ann = world.customer("ann", 60).await;
    world.prepaid("ann", 40).await;
    let mut all = JoinSet::new();
    for _ in 0..1_000 {
        let ann = ann.clone();
        all.spawn(async move { ann.cut(&Form::with_picture()).await });
    }
    let replies = all.join_all().await;
    // No request released its hold, so each one that was refused lost to credits that were really spent.
    assert_eq!(by_status(&replies), BTreeMap::from([(200, 100), (429, 900)]));
    assert_eq!(world.backend.seen().len(), 100);
    assert_eq!(ann.used().await, 60, "the counters hold included usage only");
    let report = ann.get("/api/membership-usage").await.json();
    assert_eq!(report["prepaidCredits"], 0);
    world.nothing_held().await;
    world.audited("ann").await;
}

#[tokio::test]
async fn an_account_without_credits_is_told_before_it_uploads() {
    let world = World::start().await;
    let ann = world.customer("ann", 0).await;
    let mut raw = crate::rawsocket::Raw::connect(world.app.public).await;
    raw.send(&format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: {}\r\ncontent-length: 40000000\r\n\r\n",
        ann.headers[0].1,
        Form::content_type()
    ))
    .await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 429"), "not one byte of the body was sent, and yet: {head}");
}

#[tokio::test]
async fn included_credits_go_first_and_prepaid_ones_stay_for_later() {
    let world = World::start().await;
    let ann = world.customer("ann", 1).await;
    world.prepaid("ann", 2).await;
    for (prepaid, used) in [(2, 1), (1, 1), (0, 1)] {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
        let report = ann.get("/api/membership-usage").await.json();
        assert_eq!((report["prepaidCredits"].as_u64(), report["api_usage"].as_u64()), (Some(prepaid), Some(used)));
        assert_eq!(report["credits"], 1, "the allowance is not lowered by use");
    }
    assert_eq!(ann.cut(&Form::with_picture()).await.error(), MONTHLY_LIMIT);
    world.audited("ann").await;
}

#[tokio::test]
async fn a_new_month_brings_new_credits_and_a_request_over_midnight_stays_in_the_old_one() {
    let world = World::start().await;
    let ann = world.customer("ann", 1).await;
    let month_end = NOON + 16 * 86_400 + 12 * 3_600;
    world.turn_clock_to(month_end - 1);
    world.backend.will(Manner::Wait);
    let slow = tokio::spawn({
        let ann = ann.clone();
        async move { ann.cut(&Form::with_picture()).await }
    });
    world.backend.has_seen(1).await;
    world.turn_clock_to(month_end + 1);
    world.backend.let_one_go();
    assert_eq!(slow.await.unwrap().status, 200);
    let march = ann.get("/api/membership-usage?year=2026&month=3").await.json();
    assert_eq!(march["api_usage"], 1);
    assert_eq!(ann.used().await, 0, "April is untouched");
    world.backend.let_one_go();
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    world.audited("ann").await;
}
