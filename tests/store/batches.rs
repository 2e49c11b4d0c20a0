//! Many operations in one call of the Redis: each is made or not, whatever becomes of its neighbours.

use crate::world::{LEASE, MARCH, World};
use futures_util::future::join_all;
use rembg_gateway::{
    domain::{
        account::Uid,
        credit::{Admission, Denial, Hold, HoldRequest, Settlement},
        rate_limit::Burst,
    },
    store::{Fault, Usage},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

mod alike;

const AT_ONCE: usize = 16;

fn by_hand(world: &World, words: &str) -> Option<String> {
    let words: Vec<_> = words.split(' ').collect();
    world.server.as_ref().unwrap().by_hand(&words)
}

fn count(world: &World, words: &str) -> i64 {
    let words: Vec<_> = words.split(' ').collect();
    world.server.as_ref().unwrap().by_hand(&words)
}

/// Commands that were called since the last time.
fn called(world: &World) -> BTreeMap<String, u64> {
    let stats = by_hand(world, "INFO commandstats").unwrap();
    by_hand(world, "CONFIG RESETSTAT");
    let of_line = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split_once(',')?.0.parse().ok()?))
    };
    stats.lines().filter_map(of_line).collect()
}

/// Calls inside scripts.
fn inside(called: &BTreeMap<String, u64>) -> u64 {
    let outside = ["eval", "script", "info", "config", "ping", "hello", "client", "command", "select", "role"];
    called.iter().filter(|(name, _)| !outside.iter().any(|other| name.starts_with(other))).map(|(_, calls)| calls).sum()
}

/// On the test's one thread, all of them wait before the first call is made.
async fn hold_all(world: &World, requests: &[HoldRequest]) -> Vec<Result<Admission, Fault>> {
    join_all(requests.iter().map(|request| world.store.hold(request))).await
}

async fn keep_all(world: &World, holds: &[Hold]) -> Vec<Result<Settlement, Fault>> {
    join_all(holds.iter().map(async |hold| world.store.keep(hold).await.map(|kept| kept.settlement))).await
}

fn held(answers: Vec<Result<Admission, Fault>>) -> Vec<Hold> {
    let hold = |answer| match answer {
        Ok(Admission::Held(hold, _)) => hold,
        other => panic!("{other:?}"),
    };
    answers.into_iter().map(hold).collect()
}

#[tokio::test]
async fn sixteen_pictures_of_one_account_take_two_calls_and_at_most_three_commands_each() {
    let world = World::redis().await;
    let uid = world.account("42", 1_000, 0).await;
    let burst = Some(Burst { per_minute: 60_000, size: 1_000 });
    let request = || HoldRequest { burst, ..world.key_request(&uid, "k1") };
    world.served(&request()).await;
    called(&world);
    let requests: Vec<_> = (0..AT_ONCE).map(|_| request()).collect();
    let holds = held(hold_all(&world, &requests).await);
    for kept in keep_all(&world, &holds).await {
        assert_eq!(kept.unwrap(), Settlement::Kept);
    }
    let called = called(&world);
    assert_eq!(called["evalsha"], 2, "{called:?}");
    assert!(inside(&called) <= 3 * AT_ONCE as u64, "{called:?}");
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 0, api: 17 });
    assert_eq!(world.audited(&uid).await, 17);
}

/// What stands under an account's names.
fn everything_of(world: &World, uid: &Uid) -> BTreeMap<String, Vec<u8>> {
    let server = world.server.as_ref().unwrap();
    let names: Vec<String> = server.by_hand(&["KEYS", &format!("user:{uid}*")]);
    let of = |name: String| {
        let is_stream = server.by_hand::<String>(&["TYPE", &name]) == "stream";
        // An entry that was made and taken back leaves its number.
        let stands = if is_stream {
            server.by_hand::<i64>(&["XLEN", &name]).to_string().into_bytes()
        } else {
            server.by_hand::<Vec<u8>>(&["DUMP", &name])
        };
        (name, stands)
    };
    names
        .into_iter()
        .filter(|name| name == &format!("user:{uid}") || name.starts_with(&format!("user:{uid}:")))
        .map(of)
        .collect()
}

/// A key of an account's, and what other software puts there.
const SPOILT: [(&str, &[&str]); 12] = [
    ("holds", &["SET", "abc"]),
    ("kept", &["SET", "abc"]),
    ("kept", &["RPUSH", "abc"]),
    ("released", &["SET", "abc"]),
    ("api_usage:2026:3", &["SET", "abc"]),
    ("api_usage:2026:3", &["SET", "9007199254740992"]),
    ("api_usage:2026:3", &["RPUSH", "abc"]),
    ("key_usage:k1:2026:3", &["SADD", "abc"]),
    ("key_usage:k1:2026:3", &["SET", "12.5"]),
    ("prepaid_usage:2026:3", &["SET", ""]),
    ("ledger:2026:3", &["SET", "abc"]),
    ("ledger:2026:3", &["RPUSH", "abc"]),
];

/// Every second account has nothing but prepaid credits.
async fn accounts(world: &World) -> Vec<Uid> {
    let mut uids = Vec::new();
    for number in 0..AT_ONCE {
        let (included, prepaid) = if number % 2 == 0 { (10_000, 0) } else { (0, 10_000) };
        uids.push(world.account(&format!("a{number}"), included, prepaid).await);
    }
    uids
}

#[tokio::test]
async fn of_sixteen_accounts_in_one_call_the_one_that_is_broken_is_answered_alone_and_nothing_of_its_is_written() {
    let world = World::redis().await;
    let uids = accounts(&world).await;
    let request = |uid: &Uid| world.key_request(uid, "k1");
    let mut served = 0_u64;
    for (round, uid) in uids.iter().enumerate() {
        for (name, stands) in SPOILT {
            let holds = held(hold_all(&world, &uids.iter().map(request).collect::<Vec<_>>()).await);
            let day = holds[0].id.stamp().unwrap().0 / 86_400_000_000;
            let name = match name {
                "kept" | "released" => format!("user:{uid}:{name}:{day}"),
                name => format!("user:{uid}:{name}"),
            };
            let aside = format!("aside:{name}");
            let was_there = count(&world, &format!("EXISTS {name}")) == 1;
            if was_there {
                by_hand(&world, &format!("RENAME {name} {aside}"));
            }
            drop(
                world
                    .server
                    .as_ref()
                    .unwrap()
                    .by_hand::<redis::Value>(&[&[stands[0], name.as_str()], &stands[1..]].concat()),
            );
            let before = everything_of(&world, uid);
            called(&world);
            let kept = keep_all(&world, &holds).await;
            let calls = called(&world)["evalsha"];
            assert_eq!(calls, 1, "{name}: all of them in one call");
            for (number, kept) in kept.into_iter().enumerate() {
                match kept {
                    Ok(Settlement::Kept) if number != round => {}
                    // A keep of included credits has nothing to do with these.
                    Ok(Settlement::Kept) if name.contains(":released:") || !is_needed(&name, number) => {}
                    Err(Fault::Unexpected(says)) if number == round => {
                        assert!(says.contains(&name), "{name} {stands:?}: {says}");
                        assert_eq!(everything_of(&world, uid), before, "{name} {stands:?}");
                    }
                    other => panic!("{name} {stands:?}, account {number}: {other:?}"),
                }
            }
            holds_fail_alone(&world, (&uids, round), &name).await;
            by_hand(&world, &format!("DEL {name}"));
            if was_there {
                by_hand(&world, &format!("RENAME {aside} {name}"));
            }
            for kept in keep_all(&world, &holds).await {
                assert_eq!(kept.unwrap(), Settlement::Kept, "{name}");
            }
            served += 1;
        }
    }
    for (number, uid) in uids.iter().enumerate() {
        let usage = world.usage(uid, MARCH).await;
        let (included, prepaid) = if number % 2 == 0 { (served, 10_000) } else { (0, 10_000 - served.cast_signed()) };
        let prepaid = if number % 2 == 0 { prepaid - 10_000 } else { prepaid };
        assert_eq!((usage.app, usage.api, world.prepaid(uid).await), (0, included, prepaid), "{uid}");
        assert_eq!(world.audited(uid).await, served + u64::from(number % 2 == 1), "{uid}");
    }
}

/// Of holds of every account in one call, only that of the broken one may fail.
async fn holds_fail_alone(world: &World, (uids, broken): (&[Uid], usize), name: &str) {
    called(world);
    let requests: Vec<_> = uids.iter().map(|uid| world.key_request(uid, "k1")).collect();
    let answers = hold_all(world, &requests).await;
    assert_eq!(called(world)["evalsha"], 1, "{name}: all of them in one call");
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(Admission::Held(hold, _)) => world.released_or_spoilt(&hold).await,
            Err(Fault::Unexpected(_)) if number == broken => {}
            other => panic!("{name}, account {number}: {other:?}"),
        }
    }
}

/// Whether a keep of this account's counts under that name.
fn is_needed(name: &str, number: usize) -> bool {
    let is_prepaid = number % 2 == 1;
    !(name.contains(":api_usage:") && is_prepaid || name.contains(":prepaid_usage:") && !is_prepaid)
}

impl World {
    /// Gives a hold back, where that is possible.
    async fn released_or_spoilt(&self, hold: &Hold) {
        match self.store.release(&hold.id, &hold.charge.payer()).await {
            Ok(Settlement::Released) | Err(Fault::Unexpected(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn operations_of_one_account_that_need_a_broken_key_fail_alone() {
    let world = World::redis().await;
    let uid = world.account("42", 100, 0).await;
    let requests: Vec<_> = ["k1", "k2", "k1", "k2"].map(|key| world.key_request(&uid, key)).into();
    let holds = held(hold_all(&world, &requests).await);
    let _: i64 = world.server.as_ref().unwrap().by_hand(&["RPUSH", "user:42:key_usage:k1:2026:3", "abc"]);
    let kept = keep_all(&world, &holds).await;
    for (number, kept) in kept.iter().enumerate() {
        match kept {
            Err(Fault::Unexpected(says)) if number % 2 == 0 => assert!(says.contains("k1"), "{says}"),
            Ok(Settlement::Kept) if number % 2 == 1 => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(world.usage(&uid, MARCH).await.api, 2);
    by_hand(&world, "DEL user:42:key_usage:k1:2026:3");
    for kept in keep_all(&world, &holds).await {
        assert_eq!(kept.unwrap(), Settlement::Kept);
    }
    assert_eq!(world.usage(&uid, MARCH).await.api, 4);
    assert_eq!(world.audited(&uid).await, 4);
}

#[tokio::test]
async fn after_a_fault_of_the_servers_each_operation_is_made_alone() {
    let world = World::redis().await;
    let (uid, other) = (world.account("42", 100, 0).await, world.account("43", 100, 0).await);
    world.served(&world.request(&other)).await;
    let hold = world.held(&world.request(&uid)).await;
    let before = everything_of(&world, &uid);
    by_hand(&world, "ACL SETUSER default -xadd");
    let request = world.request(&other);
    let (kept, admission) = tokio::join!(world.store.keep(&hold), world.store.hold(&request));
    assert!(matches!(kept, Err(Fault::Unexpected(_))), "{kept:?}");
    assert!(matches!(admission, Ok(Admission::Held(..))), "{admission:?}");
    assert_eq!(everything_of(&world, &uid), before);
    by_hand(&world, "ACL SETUSER default +xadd");
    world.kept(&hold).await;
    assert_eq!((world.usage(&uid, MARCH).await.app, world.audited(&uid).await), (1, 1));
}

#[tokio::test]
async fn a_repeated_hold_is_found_before_it_is_refused() {
    let world = World::redis().await;
    let uid = world.account("42", 1, 0).await;
    let burst = Some(Burst { per_minute: 1, size: 1 });
    let first = HoldRequest { burst, ..world.request(&uid) };
    let hold = world.held(&first).await;
    let other = HoldRequest { burst, ..world.request(&uid) };
    let answers = hold_all(&world, &[other, first.clone(), world.request(&uid), first]).await;
    assert!(matches!(answers[0], Ok(Admission::Denied(Denial::TooFast { .. }))), "{answers:?}");
    assert!(matches!(answers[2], Ok(Admission::Denied(Denial::Exhausted { retry_after, .. })) if retry_after == LEASE));
    for answer in [&answers[1], &answers[3]] {
        assert!(matches!(answer, Ok(Admission::Held(again, _)) if *again == hold), "{answers:?}");
    }
}

#[tokio::test]
async fn an_account_with_thousands_of_open_holds_near_its_limit_lets_others_go_in_between() {
    const OPEN: usize = 3_000;
    let world = World::redis().await;
    let (slow, other) = (world.account("42", OPEN as u64, 0).await, world.account("43", 9, 0).await);
    world.served(&world.request(&other)).await;
    held(hold_all(&world, &(0..OPEN).map(|_| world.request(&slow)).collect::<Vec<_>>()).await);
    world.exhausted(&world.request(&slow)).await;
    let order = RefCell::new(Vec::new());
    let requests: Vec<_> = (0..300).map(|_| world.request(&slow)).chain([world.request(&other)]).collect();
    called(&world);
    join_all(requests.iter().enumerate().map(async |(number, request)| {
        let admission = world.store.hold(request).await.unwrap();
        assert_eq!(matches!(admission, Admission::Held(..)), number == 300, "{admission:?}");
        order.borrow_mut().push(number);
    }))
    .await;
    let calls = called(&world);
    assert_eq!(calls["hgetall"], 5, "its holds were looked at once a call: {calls:?}");
    let place = order.borrow().iter().position(|number| *number == 300).unwrap();
    assert!((60..70).contains(&place), "after one call of the slow one's: {place}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_at_two_gateways_share_exactly_a_hundred_credits() {
    let world = World::redis().await;
    let (uid, other) = (world.account("42", 60, 40).await, world.server.as_ref().unwrap().open(world.clock()).await);
    let served = Arc::new(AtomicU64::new(0));
    let callers = (0..1_000).map(|number| {
        let store = if number % 2 == 0 { Arc::clone(&world.store) } else { Arc::clone(&other) };
        let (request, served) = (world.key_request(&uid, "k1"), Arc::clone(&served));
        tokio::spawn(async move {
            if let Admission::Held(hold, _) = store.hold(&request).await.unwrap()
                && store.keep(&hold).await.unwrap().settlement == Settlement::Kept
            {
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    assert_eq!(served.load(Ordering::Relaxed), 100);
    assert_eq!((world.usage(&uid, MARCH).await.api, world.prepaid(&uid).await), (60, 0));
    assert_eq!((world.audited(&uid).await, count(&world, "HLEN user:42:holds")), (101, 0));
}
