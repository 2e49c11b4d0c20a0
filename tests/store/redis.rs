//! Further promises of the Redis engine: documented names, other software's numbers, several gateways.

use crate::{
    races::spend_fifty_credits_in_two_hundred_requests,
    world::{GRACE, LEASE, MARCH, NOON, World, key, until_month_ends},
};
use rembg_gateway::{
    domain::{
        account::Uid,
        credit::{Admission, Settlement},
        period::{BillingPeriod, Counters},
        time::UnixSeconds,
    },
    store::{AccountChange, Difference, Fault, Store, Usage},
};
use std::{sync::Arc, time::Duration};

fn by_hand(world: &World, words: &str) -> Option<String> {
    let words: Vec<_> = words.split(' ').collect();
    world.server.as_ref().unwrap().by_hand(&words)
}

async fn second(world: &World) -> Arc<dyn Store> {
    world.server.as_ref().unwrap().open(world.clock()).await
}

async fn sync(world: &World, uid: &Uid, start: UnixSeconds, end: UnixSeconds) {
    by_hand(world, &format!("HSET user:{uid} billing_period_start {} billing_period_end {}", start.0, end.0));
    assert_eq!(world.store.account(uid).await.unwrap().unwrap().billing_period, Some(BillingPeriod::new(start, end)));
}

#[tokio::test]
async fn counters_are_plain_integers_under_their_documented_names() {
    let world = World::redis().await;
    let uid = world.account("42", 2, 1).await;
    world.served(&world.request(&uid)).await;
    for _ in 0..2 {
        world.served(&world.key_request(&uid, "k1")).await;
    }
    world.served(&world.client_request("2001:db8::/64", 1)).await;
    for (name, value) in [
        ("user:42:app_usage:2026:3", "1"),
        ("user:42:api_usage:2026:3", "1"),
        ("user:42:prepaid_usage:2026:3", "1"),
        ("user:42:key_usage:k1:2026:3", "2"),
        ("client:2001%3Adb8%3A%3A/64:usage:2026:3:9", "1"),
    ] {
        assert_eq!(by_hand(&world, &format!("GET {name}")).as_deref(), Some(value), "{name}");
    }
    assert_eq!(by_hand(&world, "HGET user:42 prepaid_credits").as_deref(), Some("0"));
}

#[tokio::test]
async fn a_synced_account_spends_by_its_billing_cycle_and_counts_the_month_too() {
    let world = World::redis().await;
    let uid = world.account("42", 2, 0).await;
    world.served(&world.request(&uid)).await;
    let (start, end) = (UnixSeconds(NOON.0 - 3600), UnixSeconds(NOON.0 + 3600));
    sync(&world, &uid, start, end).await;

    world.served(&world.request(&uid)).await;
    let open = world.held(&world.key_request(&uid, "k1")).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, LEASE);
    world.kept(&open).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, Duration::from_hours(1), "the cycle's end");
    let cycles = world.store.cycles(&uid).await.unwrap();
    assert_eq!(cycles, [(start, Usage { app: 1, api: 1 })]);
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 2, api: 1 });

    world.turn_to(end.micros());
    world.served(&world.request(&uid)).await;
    assert_eq!(by_hand(&world, &format!("GET user:42:app_usage:cycle:{}", end.0)).as_deref(), Some("1"));
    world.turn_to(end.micros().plus(GRACE));
    assert_eq!(world.exhausted(&world.request(&uid)).await, until_month_ends(world.now()));
    assert_eq!(world.audited(&uid).await, 4);
}

#[tokio::test]
async fn a_period_that_other_software_writes_counts_from_the_next_request_on() {
    let world = World::redis().await;
    let uid = world.account("42", 1, 0).await;
    world.served(&world.request(&uid)).await;
    world.exhausted(&world.request(&uid)).await;
    // The gateway does not know yet: it still believes in the calendar month.
    by_hand(&world, &format!("HSET user:42 billing_period_start {} billing_period_end {}", NOON.0, NOON.0 + 3600));
    let spanning = world.held(&world.request(&uid)).await;
    by_hand(&world, &format!("HSET user:42 billing_period_start {} billing_period_end {}", NOON.0 + 9, NOON.0 + 3600));
    world.kept(&spanning).await;
    let counted = |start: i64| by_hand(&world, &format!("GET user:42:app_usage:cycle:{start}"));
    assert_eq!((counted(NOON.0).as_deref(), counted(NOON.0 + 9)), (Some("1"), None), "fixed at the hold");
    world.audited(&uid).await;
}

#[tokio::test]
async fn what_other_software_had_counted_is_honoured_and_adopted() {
    let world = World::redis().await;
    by_hand(&world, "HSET user:7 membership Premium-20000 credits 10 prepaid_credits 3 email_verified true");
    by_hand(&world, "SET user:7:app_usage:2026:3 4");
    by_hand(&world, "SET user:7:api_usage:2026:3 5");
    let uid = Uid::new("7").unwrap();
    let account = world.store.account(&uid).await.unwrap().unwrap();
    assert_eq!((account.membership.as_str(), account.credits, account.prepaid), ("Premium-20000", 10, 3));
    assert!(account.email_verified);
    for expected in [3, 2] {
        let admission = world.ask(&world.key_request(&uid, "k1")).await;
        let Admission::Held(hold, left) = admission else { panic!("expected a hold, got {admission:?}") };
        assert_eq!(left.credits, Some(expected));
        world.kept(&hold).await;
    }
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 4, api: 6 });
    assert_eq!(world.prepaid(&uid).await, 2);
    assert_eq!(world.audited(&uid).await, 2, "openings are no operations");
    by_hand(&world, "INCR user:7:api_usage:2026:3");
    let differences = world.store.audit(&uid).await.unwrap().differences;
    assert_eq!(differences, [Difference { counter: "user:7:api_usage:2026:3".into(), stored: 7, ledger: 6 }]);
}

#[tokio::test]
async fn cycles_that_other_software_had_counted_are_listed() {
    let world = World::redis().await;
    let uid = world.account("42", 1, 0).await;
    by_hand(&world, "DEL gateway:cycles_indexed");
    by_hand(&world, "SET user:42:app_usage:cycle:1700000000 5");
    by_hand(&world, "SET user:42:api_usage:cycle:1600000000 6");
    let next = second(&world).await;
    let listed = [
        (UnixSeconds(1_600_000_000), Usage { app: 0, api: 6 }),
        (UnixSeconds(1_700_000_000), Usage { app: 5, api: 0 }),
    ];
    while next.cycles(&uid).await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(next.cycles(&uid).await.unwrap(), listed);
}

#[tokio::test]
async fn the_scripts_are_given_again_to_a_server_that_has_lost_them() {
    let world = World::redis().await;
    let uid = world.account("42", 3, 0).await;
    let hold = world.held(&world.request(&uid)).await;
    by_hand(&world, "SCRIPT FLUSH");
    assert_eq!(world.kept(&hold).await.settlement, Settlement::Kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_server_overshoot_nothing_and_lose_nothing() {
    let world = World::redis().await;
    let second = second(&world).await;
    spend_fifty_credits_in_two_hundred_requests(&world, &second).await;
}

/// Waits, for less than a second, until it is so.
async fn within_a_second(mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), wait).await.unwrap();
}

#[tokio::test]
async fn what_one_gateway_changes_the_others_know_within_a_second() {
    let world = World::redis().await;
    let other = second(&world).await;
    let uid = world.account("42", 1, 0).await;
    let (hash, stored) = key("k1", &uid);
    world.store.put_key(&hash, &stored).await.unwrap();
    let seen = async || other.caller_of_key(&hash).await.unwrap().unwrap();
    assert_eq!(seen().await.0.revoked, None);

    let moved = AccountChange { plan: Some(("Gold".into(), 7)), ..AccountChange::of(uid.clone()) };
    world.store.put_account(&moved).await.unwrap();
    within_a_second(async || seen().await.1.membership == "Gold").await;
    world.store.revoke_key(&stored.id).await.unwrap();
    within_a_second(async || seen().await.0.revoked.is_some()).await;
}

#[tokio::test]
async fn a_remembered_caller_costs_no_look_up() {
    let world = World::redis().await;
    let uid = world.account("42", 1, 0).await;
    let (hash, stored) = key("k1", &uid);
    world.store.put_key(&hash, &stored).await.unwrap();
    // Once the gateway hears what changes, nothing is forgotten without a cause.
    let heard = || world.server.as_ref().unwrap().by_hand::<(String, u64)>(&["PUBSUB", "NUMSUB", "gateway:changes"]).1;
    within_a_second(async || heard() == 1).await;
    within_a_second(async || {
        world.store.caller_of_key(&hash).await.unwrap();
        let commands = || world.server.as_ref().unwrap().by_hand::<String>(&["INFO", "commandstats"]);
        let looked_up = |stats: &str| stats.lines().find(|line| line.starts_with("cmdstat_hgetall")).map(str::to_owned);
        let before = looked_up(&commands());
        world.store.caller_of_key(&hash).await.unwrap();
        before.is_some() && before == looked_up(&commands())
    })
    .await;
}

#[tokio::test]
async fn numbers_that_other_software_has_spoilt_stop_their_account_before_anything_is_written_and_nobody_else() {
    let world = World::redis().await;
    let (uid, other) = (world.account("42", 5, 5).await, world.account("43", 5, 0).await);
    let open = world.held(&world.request(&uid)).await;
    let not_integers = |asked: Result<(), Fault>| match asked {
        Err(Fault::Unexpected(words)) => assert!(words.contains("no whole number"), "{words}"),
        other => panic!("{other:?}"),
    };
    for (spoil, mend) in [
        ("SET user:42:app_usage:2026:3 3.5", "DEL user:42:app_usage:2026:3"),
        ("HSET user:42 prepaid_credits 10.50", "HSET user:42 prepaid_credits 5"),
    ] {
        by_hand(&world, spoil);
        not_integers(world.store.hold(&world.request(&uid)).await.map(drop));
        by_hand(&world, mend);
    }
    by_hand(&world, "SET user:42:app_usage:2026:3 3.5");
    not_integers(world.store.keep(&open).await.map(drop));
    assert!(matches!(world.store.usage(&uid, Counters::Month(MARCH)).await, Err(Fault::Unexpected(_))));
    by_hand(&world, "DEL user:42:app_usage:2026:3");
    assert_eq!(by_hand(&world, "EXISTS user:42:ledger:2026:3").as_deref(), Some("1"), "the grant");
    assert_eq!(world.kept(&open).await.settlement, Settlement::Kept);
    assert_eq!((world.usage(&uid, MARCH).await.app, world.audited(&uid).await), (1, 2));

    let latin: &[&[u8]] = &[b"HSET", b"user:42", b"name", b"J\xfcrgen"];
    world.server.as_ref().unwrap().by_hand_in_bytes(latin);
    assert_eq!(world.store.account(&uid).await.unwrap().unwrap().prepaid, 5);
    world.account("42", 6, 0).await;
    world.served(&world.request(&other)).await;
    assert_eq!(world.store.gauges().outages, 0, "the connection is not to blame");
}

#[tokio::test]
async fn a_keep_is_remembered_for_a_week_after_its_day_and_a_release_for_two_days() {
    const A_DAY: i64 = 86_400;
    let world = World::redis().await;
    let uid = world.account("42", 99, 0).await;
    let (kept, released) = (world.served(&world.request(&uid)).await, world.held(&world.request(&uid)).await);
    world.released(&released).await;
    // Whatever else ends on that day changes nothing of when it is forgotten, nor does what ends later.
    let (late, lost) = (world.held(&world.request(&uid)).await, world.request(&uid));
    world.turn(LEASE);
    world.served(&world.request(&uid)).await;
    world.kept(&late).await;
    world.store.release(&lost.id, &late.charge.payer()).await.unwrap();
    let day = kept.id.stamp().unwrap().0 / 86_400_000_000;
    for (ended, days, ids) in [("kept", 9, 3 + 1), ("released", 3, 2)] {
        let name = format!("user:42:{ended}:{day}");
        let left: i64 = world.server.as_ref().unwrap().by_hand(&["TTL", &name]);
        assert!((days * A_DAY - 60..=days * A_DAY).contains(&left), "{ended}: {left} s");
        let found: i64 = world.server.as_ref().unwrap().by_hand(&["HLEN", &name]);
        assert_eq!(found, ids, "{ended}; what is kept has a place that is made with the first hold");
    }
    // Forgotten by the server, an id is a new one.
    for ended in ["kept", "released"] {
        let _: i64 = world.server.as_ref().unwrap().by_hand(&["DEL", &format!("user:42:{ended}:{day}")]);
    }
    assert_eq!(world.released(&kept).await, Settlement::Released);
    assert_eq!(world.usage(&uid, MARCH).await.app, 3);
    world.audited(&uid).await;
}
