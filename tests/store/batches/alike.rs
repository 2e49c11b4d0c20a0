//! Operations that are alike, as nearly all are: the script makes them by the fast path, and what is near a limit or broken by
//! the other.

use super::{AT_ONCE, SPOILT, by_hand, called, count, everything_of, held, hold_all, inside, keep_all};
use crate::world::{MARCH, World};
use rembg_gateway::{
    domain::{
        account::Uid,
        credit::{Admission, Denial, HoldRequest, Settlement},
        rate_limit::Burst,
        time::UnixMicros,
    },
    store::Fault,
};
use std::time::Duration;

#[tokio::test]
async fn a_picture_of_each_of_sixteen_accounts_takes_two_calls_and_at_most_ten_commands_each() {
    let world = World::redis().await;
    let mut uids = Vec::new();
    for number in 0..AT_ONCE {
        uids.push(world.account(&format!("a{number}"), 1_000, 0).await);
    }
    let burst = Some(Burst { per_minute: 60_000, size: 1_000 });
    let requests = || uids.iter().map(|uid| HoldRequest { burst, ..world.key_request(uid, "k1") }).collect::<Vec<_>>();
    // What is prepared once a month and a day.
    drop(keep_all(&world, &held(hold_all(&world, &requests()).await)).await);
    called(&world);
    let holds = held(hold_all(&world, &requests()).await);
    for kept in keep_all(&world, &holds).await {
        assert_eq!(kept.unwrap(), Settlement::Kept);
    }
    let called = called(&world);
    assert_eq!((called["evalsha"], called["mget"]), (2, 1), "counters are read at once: {called:?}");
    assert!(inside(&called) <= 10 * AT_ONCE as u64, "{called:?}");
    for uid in &uids {
        assert_eq!((world.usage(uid, MARCH).await.api, world.audited(uid).await), (2, 2));
    }
}

#[tokio::test]
async fn where_a_key_is_broken_several_operations_of_one_account_leave_nothing_and_are_made_once_it_is_mended() {
    let world = World::redis().await;
    let uid = world.account("42", 1_000, 0).await;
    let requests = || (0..4).map(|_| world.key_request(&uid, "k1")).collect::<Vec<_>>();
    let mut served = 0;
    for (name, stands) in SPOILT.into_iter().filter(|(name, _)| !["released", "prepaid_usage:2026:3"].contains(name)) {
        let holds = held(hold_all(&world, &requests()).await);
        let day = holds[0].id.stamp().unwrap().0 / 86_400_000_000;
        let name = if name == "kept" { format!("user:42:kept:{day}") } else { format!("user:42:{name}") };
        let was_there = count(&world, &format!("EXISTS {name}")) == 1;
        if was_there {
            by_hand(&world, &format!("RENAME {name} aside"));
        }
        let words = [&[stands[0], name.as_str()], &stands[1..]].concat();
        drop(world.server.as_ref().unwrap().by_hand::<redis::Value>(&words));
        let before = everything_of(&world, &uid);
        for kept in keep_all(&world, &holds).await {
            assert!(
                matches!(&kept, Err(Fault::Unexpected(says)) if says.contains(&name)),
                "{name} {stands:?}: {kept:?}"
            );
        }
        assert_eq!(everything_of(&world, &uid), before, "{name} {stands:?}");
        by_hand(&world, &format!("DEL {name}"));
        if was_there {
            by_hand(&world, &format!("RENAME aside {name}"));
        }
        for kept in keep_all(&world, &holds).await {
            assert_eq!(kept.unwrap(), Settlement::Kept, "{name}");
        }
        served += 4;
        assert_eq!((world.usage(&uid, MARCH).await.api, world.audited(&uid).await), (served, served), "{name}");
    }
}

/// An account whose next operations nothing stands in the way of.
async fn prepared(world: &World, credits: u64) -> Uid {
    let uid = world.account("42", credits, 0).await;
    world.served(&world.request(&uid)).await;
    uid
}

#[tokio::test]
async fn a_hold_that_is_asked_for_twice_in_one_call_is_one() {
    let world = World::redis().await;
    let uid = prepared(&world, 1_000).await;
    let burst = Some(Burst { per_minute: 1, size: 2 });
    let request = || HoldRequest { burst, ..world.request(&uid) };
    let twice = request();
    let mut holds = held(hold_all(&world, &[twice.clone(), twice.clone()]).await);
    // The limit has room for a second one, and the first is there still.
    holds.extend(held(hold_all(&world, &[request(), twice]).await));
    assert_eq!((&holds[0], &holds[0]), (&holds[1], &holds[3]));
    assert_eq!(count(&world, "HLEN user:42:holds"), 2);
    let kept = keep_all(&world, &holds).await;
    assert!(kept.iter().all(|kept| matches!(kept, Ok(Settlement::Kept))), "{kept:?}");
    assert_eq!((world.usage(&uid, MARCH).await.app, world.audited(&uid).await), (3, 3));
}

#[tokio::test]
async fn of_several_holds_in_one_call_only_so_many_are_given_as_the_short_term_limit_allows() {
    let world = World::redis().await;
    let uid = prepared(&world, 1_000).await;
    let burst = Some(Burst { per_minute: 1, size: 2 });
    let requests: Vec<_> = (0..3).map(|_| HoldRequest { burst, ..world.request(&uid) }).collect();
    let answers = hold_all(&world, &requests).await;
    assert!(
        matches!(
            &answers[..],
            [Ok(Admission::Held(..)), Ok(Admission::Held(..)), Ok(Admission::Denied(Denial::TooFast { .. }))]
        ),
        "{answers:?}"
    );
    world.turn(Duration::from_mins(1));
    let again = hold_all(&world, &[HoldRequest { burst, ..world.request(&uid) }]).await;
    assert!(matches!(again[0], Ok(Admission::Held(..))), "{again:?}");
}

#[tokio::test]
async fn what_is_left_is_told_exactly_while_a_hold_of_last_month_is_open() {
    let world = World::redis().await;
    let uid = prepared(&world, 1_000).await;
    world.turn_to(UnixMicros(MARCH.end().micros().0 - 1_000_000));
    world.held(&world.request(&uid)).await;
    world.turn_to(UnixMicros(MARCH.end().micros().0 + 1_000_000));
    for left in [999, 998, 997] {
        let admission = world.store.hold(&world.request(&uid)).await.unwrap();
        let Admission::Held(_, remaining) = admission else { panic!("{admission:?}") };
        assert_eq!(remaining.credits, Some(left));
    }
}
