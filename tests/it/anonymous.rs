//! Callers with neither key nor token.

use crate::{
    backend::Manner,
    form::Form,
    people::Person,
    world::{NOON, World},
};
use rembg_gateway::domain::{client_address::ForwardingHeader, rate_limit::Burst};

const MIDNIGHT: i64 = NOON + 12 * 3_600;

const DAILY_LIMIT: &str = "You've reached your daily limit. Please sign up for more access.";

/// A gateway behind a proxy that serves each anonymous client so many pictures a day.
async fn open_world(per_day: u64) -> World {
    World::with(|config| {
        config.anonymous.per_day = per_day;
        config.anonymous.burst = Burst { per_minute: 600, size: 100 };
        config.limits.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await
}

async fn status(person: &Person) -> u16 {
    person.cut(&Form::with_picture()).await.status
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_unless_the_operator_says_so() {
    let world = World::start().await;
    let reply = world.stranger().cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "invalid api key"));
    assert!(world.backend.seen().is_empty());
}

#[tokio::test]
async fn a_client_has_so_many_pictures_a_day_and_is_told_when_the_next_begins() {
    let world = open_world(2).await;
    let stranger = world.stranger().calling_from("203.0.113.7");
    world.turn_clock_to(MIDNIGHT - 30);
    assert_eq!((status(&stranger).await, status(&stranger).await), (200, 200));
    let reply = stranger.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.error().as_str()), (429, DAILY_LIMIT));
    assert_eq!(reply.header("retry-after"), Some("30"));
    assert_eq!(status(&world.stranger().calling_from("203.0.113.8")).await, 200, "somebody else");
    world.turn_clock_to(MIDNIGHT);
    assert_eq!(status(&stranger).await, 200, "the next day");
}

#[tokio::test]
async fn what_was_not_served_takes_nothing_from_the_day() {
    let world = open_world(1).await;
    let stranger = world.stranger().calling_from("203.0.113.7");
    world.backend.will(Manner::Close);
    assert_eq!(status(&stranger).await, 502);
    assert_eq!(stranger.cut(&Form::empty()).await.status, 400);
    world.backend.will(Manner::picture());
    assert_eq!((status(&stranger).await, status(&stranger).await), (200, 429));
}

#[tokio::test]
async fn an_ipv6_customer_is_one_client_and_mapped_ipv4_is_itself() {
    let world = open_world(1).await;
    for (first, second, other) in
        [("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"), ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.8")]
    {
        assert_eq!(status(&world.stranger().calling_from(first)).await, 200, "{first}");
        assert_eq!(status(&world.stranger().calling_from(second)).await, 429, "{second} is {first}");
        assert_eq!(status(&world.stranger().calling_from(other)).await, 200, "{other} is somebody else");
    }
}

#[tokio::test]
async fn nobody_gets_another_day_by_inventing_addresses() {
    let world = World::with(|config| config.anonymous.per_day = 1).await;
    assert_eq!(status(&world.stranger()).await, 200);
    for invented in ["203.0.113.1", "203.0.113.2"] {
        assert_eq!(status(&world.stranger().calling_from(invented)).await, 429, "no proxy is trusted");
    }
    let world = open_world(1).await;
    assert_eq!(status(&world.stranger().calling_from("203.0.113.7")).await, 200);
    for chain in ["203.0.113.1, 203.0.113.7", "nonsense, 203.0.113.7"] {
        assert_eq!(status(&world.stranger().calling_from(chain)).await, 429, "what stands left is the client's word");
    }
}

#[tokio::test]
async fn proxies_may_write_forwarded_instead_and_then_the_other_header_is_the_clients_word() {
    let world = World::with(|config| {
        config.anonymous.per_day = 1;
        config.limits.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        config.limits.client_ip_header = ForwardingHeader::Forwarded;
    })
    .await;
    let seen_by_proxy = |node: &str| world.stranger().with("forwarded", &format!("for={node};proto=https"));
    for (node, expected, why) in [
        ("198.51.100.1, for=203.0.113.7", 200, "the first call"),
        ("\"203.0.113.7:4711\"", 429, "the same client"),
        ("\"[2001:db8::1]:80\"", 200, "somebody else"),
        ("_hidden", 200, "nobody knows who, so it is the proxy"),
        ("unknown", 429, "the proxy again"),
    ] {
        assert_eq!(status(&seen_by_proxy(node).calling_from("203.0.113.99")).await, expected, "{why}");
    }
}

#[tokio::test]
async fn strangers_have_a_short_term_limit_of_their_own() {
    let world = World::with(|config| {
        config.anonymous.per_day = 100;
        config.anonymous.burst = Burst { per_minute: 6, size: 2 };
    })
    .await;
    let stranger = world.stranger();
    assert_eq!((status(&stranger).await, status(&stranger).await), (200, 200));
    let reply = stranger.cut(&Form::with_picture()).await;
    assert_eq!(reply.error(), "You're making requests too quickly, Please Upgrade or slow down.");
    assert_eq!(reply.header("retry-after"), Some("10"));
    world.turn_clock_by(10);
    assert_eq!(status(&stranger).await, 200);
}

#[tokio::test]
async fn usage_is_not_for_strangers() {
    let world = open_world(1).await;
    assert_eq!(world.stranger().get("/api/membership-usage").await.status, 401);
}
