//! What a picture costs the Redis: commands that its scripts call, which is what it spends its time on.

use crate::world::{LEASE, NOON, World, terms};
use rembg_gateway::{
    clock::Clock,
    domain::{
        account::Uid,
        api_key::KeyId,
        credit::{Admission, Channel, Draw, HoldRequest, KeyDraw, OperationId, Settlement},
        rate_limit::Burst,
        time::UnixMicros,
    },
    store::{
        Accounts as _, Cursor, EntryKind, LedgerEntry, List, Metering as _, Records, Transfer,
        redis::{RedisStore, Role},
    },
};
use std::{collections::BTreeMap, time::Duration};

const BURST: Burst = Burst { per_minute: 60_000, size: 1_000 };

/// What is no command of a script's: the calls themselves, and what is asked by the way.
const NOT_COUNTED: [&str; 12] =
    ["eval", "evalsha", "script", "info", "config", "ping", "hello", "client", "command", "select", "role", "publish"];

/// Commands that scripts have called since the last time.
fn called(world: &World) -> BTreeMap<String, u64> {
    let server = world.server.as_ref().unwrap();
    let stats: String = server.by_hand(&["INFO", "commandstats"]);
    let _: String = server.by_hand(&["CONFIG", "RESETSTAT"]);
    let of_line = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split_once(',')?.0.parse().ok()?;
        let name = name.split('|').next()?;
        (!NOT_COUNTED.contains(&name)).then(|| (name.to_owned(), calls))
    };
    stats.lines().filter_map(of_line).collect()
}

fn hurried(request: HoldRequest) -> HoldRequest {
    HoldRequest { burst: Some(BURST), ..request }
}

fn with_cap(world: &World, uid: &Uid, cap: u64) -> HoldRequest {
    let key = Some(KeyDraw { id: KeyId("k2".into()), monthly_cap: Some(cap) });
    HoldRequest { draw: Draw::Account { uid: uid.clone(), channel: Channel::Api, key }, ..world.request(uid) }
}

#[tokio::test]
async fn a_picture_costs_at_most_so_many_calls_whoever_pays() {
    let world = World::redis().await;
    let (uid, bought) = (world.account("42", 100, 50).await, world.account("43", 0, 50).await);
    let synced = world.account("44", 100, 0).await;
    let period = [("billing_period_start", NOON.0 - 9), ("billing_period_end", NOON.0 + 86_400)];
    for (field, at) in period {
        let _: i64 = world.server.as_ref().unwrap().by_hand(&["HSET", "user:44", field, &at.to_string()]);
    }
    let kinds: [(&str, u64, &dyn Fn() -> HoldRequest); 8] = [
        ("a signed-in user", 12, &|| world.request(&uid)),
        ("a key", 12, &|| world.key_request(&uid, "k1")),
        ("a key with a cap that matters", 15, &|| with_cap(&world, &uid, 20)),
        ("a key with a cap that does not", 15, &|| with_cap(&world, &uid, 2_000)),
        ("a billing cycle", 15, &|| world.request(&synced)),
        ("a key in a billing cycle", 15, &|| world.key_request(&synced, "k1")),
        ("prepaid credits", 13, &|| world.request(&bought)),
        ("an anonymous client", 12, &|| world.client_request("203.0.113.7", 50)),
    ];
    for (kind, most, request) in kinds {
        // The test's clock saves them asking for the time.
        let most = most - 1;
        let server = world.server.as_ref().unwrap();
        // What is prepared once a month and a day, and a release by the way.
        world.served(&hurried(request())).await;
        let given_back = world.held(&hurried(request())).await;
        world.released(&given_back).await;
        for open in [0, 1] {
            for _ in 0..open {
                world.held(&hurried(request())).await;
            }
            called(&world);
            let hold = world.held(&hurried(request())).await;
            world.kept(&hold).await;
            let calls = called(&world);
            assert!(calls.values().sum::<u64>() <= most, "{kind}: {calls:?}");
        }
        let dbsize: i64 = server.by_hand(&["DBSIZE"]);
        world.served(&hurried(request())).await;
        assert_eq!(server.by_hand::<i64>(&["DBSIZE"]), dbsize, "{kind}: a picture makes no key");
        let all: Vec<String> = server.by_hand(&["KEYS", "*"]);
        assert!(all.iter().all(|name| !name.starts_with("gateway:holds")), "{all:?}");
    }
    for uid in [&uid, &bought, &synced] {
        world.audited(uid).await;
    }
}

/// Everything of one long list.
async fn all(store: &dyn Transfer, uid: &Uid, list: List) -> Vec<Records> {
    let (mut pages, mut after) = (Vec::new(), Some(Cursor::default()));
    while let Some(cursor) = after {
        let page = store.export_part(uid, list, &cursor).await.unwrap();
        pages.push(page.records);
        after = page.next;
    }
    pages
}

/// With the server's own clock: the entry's own time is that of the picture, and tells whether it came after its lease.
#[tokio::test]
async fn an_entry_tells_by_its_own_time_when_it_was_counted_and_whether_that_was_late() {
    let world = World::redis().await;
    let url = world.server.as_ref().unwrap().config().store.redis_url().unwrap().unwrap();

    let store = RedisStore::open(&url, Clock::Own, terms(), Role::Command(None)).await.unwrap();

    let uid = world.account("42", 9, 0).await;
    let begun = Clock::Own.now();
    let mut ids = Vec::new();
    for (number, lease) in [(1, LEASE), (2, Duration::from_micros(1))] {
        let id = OperationId::stamped(Clock::Own.now(), &format!("own clock {number}"));
        let admission = store.hold(&HoldRequest { id, lease, ..world.request(&uid) }).await.unwrap();
        let Admission::Held(hold, _) = admission else { panic!("{admission:?}") };
        // Entries tell milliseconds.
        while lease < LEASE && Clock::Own.now().0 < hold.expires.0 + 2_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.keep(&hold).await.unwrap().settlement, Settlement::Kept);
        assert_eq!(store.keep(&hold).await.unwrap().settlement, Settlement::Kept);
        ids.push(hold.id);
    }
    let Some(Records::Ledger(entries)) = all(&store, &uid, List::Ledger).await.into_iter().next() else { panic!() };
    let late = |entry: &LedgerEntry| {
        let EntryKind::Served { late, .. } = entry.kind else { panic!("{entry:?}") };
        (entry.operation.clone(), late)
    };
    let told: Vec<_> = entries.iter().map(late).collect();
    assert_eq!(told, [(ids[0].clone(), false), (ids[1].clone(), true)]);
    let now = Clock::Own.now();
    assert!(entries.iter().all(|entry| entry.at.0 > begun.0 - 1_000_000 && entry.at <= UnixMicros(now.0 + 1_000_000)));
    assert_eq!(store.audit(&uid).await.unwrap().differences, []);
}

/// What a scrape of the metrics asks for walks over no keys.
#[tokio::test]
async fn a_gateway_knows_its_own_open_holds_without_looking_for_them() {
    let world = World::redis().await;
    let other = world.server.as_ref().unwrap().open(world.clock()).await;
    let uid = world.account("42", 9, 0).await;
    let (kept, released) = (world.held(&world.request(&uid)).await, world.held(&world.request(&uid)).await);
    world.held(&world.client_request("203.0.113.7", 5)).await;
    called(&world);
    assert_eq!(world.store.holds_in_flight().await.unwrap(), 3);
    assert_eq!(other.holds_in_flight().await.unwrap(), 0);
    assert!(!called(&world).contains_key("scan"));
    assert_eq!(other.holds_open().await.unwrap(), 3, "whose ever they are");
    world.kept(&kept).await;
    world.released(&released).await;
    assert_eq!(world.store.holds_in_flight().await.unwrap(), 1);
    world.turn(LEASE);
    assert_eq!(world.store.holds_in_flight().await.unwrap(), 0);
}
