//! API keys with conditions: networks, caps, peppers, and the time of their last use.

use crate::{
    form::Form,
    people::Person,
    world::{NOON, World},
};
use rembg_gateway::domain::account::Uid;

const MONTH_END: i64 = NOON + 16 * 86_400 + 12 * 3_600;

fn ann() -> Uid {
    Uid::new("ann").unwrap()
}

#[tokio::test]
async fn a_typo_is_told_without_asking_the_store() {
    let world = World::start().await;
    world.customer("ann", 9).await;
    let key = world.key_for(&ann()).await;
    let (start, last) = key.split_at(key.len() - 1);
    let typo = format!("{start}{}", if last == "x" { "y" } else { "x" });
    world.engine.goes_away();
    let status = async |key: &str| Person::with_key(world.app.public, key).cut(&Form::with_picture()).await.status;
    assert_eq!(status(&key).await, 503, "this one is looked for, and the store is away");
    for mistyped in [&typo, "rgw_live_short", "too short"] {
        assert_eq!(status(mistyped).await, 401, "{mistyped}");
    }
}

#[tokio::test]
async fn a_key_with_networks_opens_its_account_from_there_alone() {
    let world = World::with(|config| config.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    world.customer("ann", 9).await;
    let networks = ["203.0.113.0/24", "2001:db8::/32"].map(|network| network.parse().unwrap());
    let key = world.key_but(&ann(), |key| key.networks = networks.into()).await;
    let person = Person::with_key(world.app.public, &key);
    for (address, status) in
        [("203.0.113.9", 200), ("::ffff:203.0.113.9", 200), ("2001:db8:9::1", 200), ("203.0.114.9", 401), ("::1", 401)]
    {
        let there = person.clone().calling_from(address);
        assert_eq!(there.cut(&Form::with_picture()).await.status, status, "pictures from {address}");
        assert_eq!(there.get("/api/membership-usage").await.status, status, "usage from {address}");
    }
    let elsewhere = person.cut(&Form::with_picture()).await;
    assert_eq!((elsewhere.status, elsewhere.error().as_str()), (401, "invalid api key"));
}

#[tokio::test]
async fn whoever_connects_directly_cannot_say_that_they_call_from_elsewhere() {
    let world = World::start().await;
    world.customer("ann", 9).await;
    let key = world.key_but(&ann(), |key| key.networks = vec!["203.0.113.0/24".parse().unwrap()]).await;
    let liar = Person::with_key(world.app.public, &key).calling_from("203.0.113.9");
    assert_eq!(liar.cut(&Form::with_picture()).await.status, 401);
}

#[tokio::test]
async fn a_key_with_a_cap_spends_so_much_a_month_while_the_account_goes_on() {
    let world = World::start().await;
    let without_cap = world.customer("ann", 1).await;
    world.prepaid("ann", 9).await;
    let key = world.key_but(&ann(), |key| key.monthly_cap = Some(2)).await;
    let capped = Person::with_key(world.app.public, &key);
    for _ in 0..2 {
        assert_eq!(capped.cut(&Form::with_picture()).await.status, 200);
    }
    let reply = capped.cut(&Form::with_picture()).await;
    assert_eq!(reply.status, 429);
    assert_eq!(reply.error(), "You've reached your monthly limit. Consider purchasing more credits.");
    let until_month_ends = (MONTH_END - NOON).to_string();
    assert_eq!(reply.header("retry-after"), Some(until_month_ends.as_str()));
    assert_eq!(without_cap.cut(&Form::with_picture()).await.status, 200);
    world.turn_clock_to(MONTH_END);
    assert_eq!(capped.cut(&Form::with_picture()).await.status, 200, "a new month");
    world.audited("ann").await;
}

#[tokio::test]
async fn a_pepper_is_rotated_without_a_new_key_for_anybody() {
    let old = "an old pepper of the tests";
    let world = World::with(|config| config.auth.api_key.pepper = vec![old.into()]).await;
    world.customer("ann", 9).await;
    let made_before = world.key_for(&ann()).await;
    let mut rotated = world.config.clone();
    rotated.auth.api_key.pepper = vec!["a new pepper of the tests".into(), old.into()];
    let world = world.restarted(rotated).await;
    let made_after = world.key_for(&ann()).await;
    for key in [&made_before, &made_after] {
        assert_eq!(Person::with_key(world.app.public, key).cut(&Form::with_picture()).await.status, 200);
    }
    let mut only_new = world.config.clone();
    only_new.auth.api_key.pepper.truncate(1);
    let world = world.restarted(only_new).await;
    for (key, status) in [(&made_before, 401), (&made_after, 200)] {
        assert_eq!(Person::with_key(world.app.public, key).cut(&Form::with_picture()).await.status, status);
    }
}

#[tokio::test]
async fn when_a_key_was_last_used_is_written_down_off_the_requests_way() {
    let world = World::start().await;
    let person = world.customer("ann", 9).await;
    world.key_for(&ann()).await;
    person.cut(&Form::with_picture()).await;
    world.turn_clock_by(90);
    person.get("/api/membership-usage").await;
    let last_used = async |world: &World| {
        let keys = world.store.keys(&ann()).await.unwrap();
        keys.into_iter().map(|key| key.last_used.map(|at| at.0)).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(last_used(&world).await, [None].into(), "nothing is written while requests wait");
    let config = world.config.clone();
    let world = world.restarted(config).await;
    assert_eq!(last_used(&world).await, [None, Some(NOON + 90)].into(), "the other key was never used");
}
