//! Accounts go from any store to any other, whole, once, and only where nothing else is.

use crate::{
    full_account::{Accounts, make_accounts},
    support::redis::cluster::Cluster,
    world::{MARCH, NOON, World, key, terms},
};
use rembg_gateway::{
    clock::Clock,
    config::StoreConfig,
    domain::{
        account::Uid,
        api_key::{KeyHash, KeyId},
        credit::{HoldRequest, OperationId, Settlement},
        time::{UnixMicros, UnixSeconds},
    },
    store::{
        AccountChange, AccountExport, Cursor, EntryKind, Fault, Granted, LedgerEntry, List, Migration, Problem,
        Records, StepOutcome, Transfer, Usage, migrate,
        redis::{RedisStore, Role},
        sqlite::SqliteStore,
    },
};
use std::sync::Arc;

/// Opens the same store a second time, as the command does beside the gateway.
pub(crate) async fn opened(world: &World) -> Arc<dyn Transfer> {
    match &world.server {
        Some(server) => at(&server.url(), world.clock()).await,
        None => Arc::new(SqliteStore::open(&world.file(), world.clock(), terms()).unwrap()),
    }
}

async fn at(url: &str, clock: Clock) -> Arc<dyn Transfer> {
    let url = StoreConfig { url: url.into(), ..StoreConfig::default() }.redis_url().unwrap().unwrap();
    Arc::new(RedisStore::open(&url, clock, terms(), Role::Command(None)).await.unwrap())
}

pub(crate) async fn moved(from: &Arc<dyn Transfer>, to: &Arc<dyn Transfer>) -> Migration {
    migrate(&**from, &**to, &|_, _| ()).await.unwrap()
}

/// Everything of every account, lists that have no order sorted.
pub(crate) async fn everything(store: &Arc<dyn Transfer>) -> Vec<(AccountExport, Vec<Records>)> {
    let mut all = Vec::new();
    for account in store.accounts().await.unwrap() {
        let mut lists = Vec::new();
        for list in List::ALL {
            lists.push(whole(store, &account.uid, list).await);
        }
        all.push((store.export(&account.uid).await.unwrap().unwrap(), lists));
    }
    all
}

async fn whole(store: &Arc<dyn Transfer>, uid: &Uid, list: List) -> Records {
    let part = store.export_part(uid, list, &Cursor::default()).await.unwrap();
    let (mut all, mut next) = (part.records, part.next);
    while let Some(cursor) = next {
        let part = store.export_part(uid, list, &cursor).await.unwrap();
        match (&mut all, part.records) {
            (Records::Ledger(all), Records::Ledger(more)) => all.extend(more),
            (Records::Grants(all), Records::Grants(more)) => all.extend(more),
            (Records::Settled(all), Records::Settled(more)) => all.extend(more),
            (Records::Events(all), Records::Events(more)) => all.extend(more),
            (all, more) => panic!("{all:?} goes on with {more:?}"),
        }
        next = part.next;
    }
    match &mut all {
        Records::Ledger(_) => {}
        Records::Grants(all) => all.sort(),
        Records::Settled(all) => all.sort_by(|one, other| one.0.cmp(&other.0)),
        Records::Events(all) => all.sort(),
    }
    all
}

/// The same request under an id that no other store has seen.
fn fresh(request: HoldRequest) -> HoldRequest {
    HoldRequest { id: OperationId("after the move".into()), ..request }
}

/// The target knows what was done at the source, and goes on from there.
async fn goes_on(target: &World, made: &Accounts) {
    let Accounts { uid, kept, released, step, parked } = made;
    let store = &target.store;
    let before = target.audited(uid).await;
    let repeat = store.grant(uid, 20, &OperationId("invoice 1".into())).await.unwrap();
    assert!(matches!(repeat, Granted { repeated: true, .. }), "{repeat:?}");
    assert_eq!(target.kept(kept).await.settlement, Settlement::Kept);
    assert_eq!(target.kept(released).await.settlement, Settlement::Released);
    assert_eq!(store.apply_stripe(step).await.unwrap(), StepOutcome::Duplicate);
    assert_eq!(target.audited(uid).await, before, "none of it counts again");

    let (hash, _) = key("k1", uid);
    let (k1, account) = store.caller_of_key(&hash).await.unwrap().unwrap();
    assert_eq!((k1.networks.len(), k1.monthly_cap, &account.uid), (2, Some(500), uid));
    assert!(store.caller_of_key(&key("k2", uid).0).await.unwrap().unwrap().0.revoked.is_some());
    assert!(store.revoke_key(&KeyId("k1".into())).await.unwrap(), "found by its public identifier");
    assert_eq!(store.stripe_object("cus_42").await.unwrap().text, "what is known of cus_42");
    assert_eq!(store.parked_under(&["pi_9".into()]).await.unwrap(), std::slice::from_ref(parked));

    target.served(&fresh(target.key_request(uid, "k1"))).await;
    store.grant(uid, 1, &OperationId("invoice 3".into())).await.unwrap();
    let next = rembg_gateway::store::StripeStep { event: "evt_2".into(), expected: 2, ..step.clone() };
    assert_eq!(store.apply_stripe(&next).await.unwrap(), StepOutcome::Applied);
    assert_eq!(target.audited(uid).await, before + 3, "picture, grant, period: the move finds nothing to move");
}

async fn there_and_back(first: World, second: World, third: World) {
    let made = make_accounts(&first).await;
    for world in [&second, &third] {
        world.turn_to(first.now());
    }
    let stores = [opened(&first).await, opened(&second).await, opened(&third).await];
    let original = everything(&stores[0]).await;
    assert_eq!(original.len(), 4);
    for way in stores.windows(2) {
        let [from, to] = way else { unreachable!() };
        let done = moved(from, to).await;
        assert_eq!(done.problems, []);
        assert_eq!((done.accounts, done.keys, done.parked_events), (4, 2, 1));
        assert_eq!(everything(to).await, original);
        assert_eq!(to.keys(&made.uid).await.unwrap(), stores[0].keys(&made.uid).await.unwrap());
        assert_eq!(to.cycles(&made.uid).await.unwrap(), stores[0].cycles(&made.uid).await.unwrap());
        assert_eq!(to.accounts().await.unwrap(), stores[0].accounts().await.unwrap());
        assert_eq!(moved(from, to).await, done, "again, nothing changes");
        assert_eq!(everything(to).await, original);
    }
    goes_on(&second, &made).await;
    goes_on(&third, &made).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_assigned_by_hand_does_not_stop_stripe_after_a_move() {
    let (first, second, third) = (World::sqlite(), World::redis().await, World::redis().await);
    let uid = Uid::new("42").unwrap();
    let change =
        AccountChange { plan: Some(("Gold".into(), 70)), email_verified: Some(true), ..AccountChange::of(uid.clone()) };
    first.store.put_account(&change).await.unwrap();
    let stores = [opened(&first).await, opened(&second).await, opened(&third).await];
    for way in stores.windows(2) {
        let [from, to] = way else { unreachable!() };
        assert_eq!(moved(from, to).await.problems, []);
        let state = to.stripe_state(&uid).await.unwrap();
        assert_eq!((state.remembered, state.version), (None, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_from_sqlite_to_redis_and_back() {
    there_and_back(World::sqlite(), World::redis().await, World::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_from_redis_to_sqlite_and_back() {
    there_and_back(World::redis().await, World::sqlite(), World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_from_sqlite_to_a_cluster_and_back() {
    let (world, cluster, last) = (World::sqlite(), Cluster::start(0).await, World::sqlite());
    let made = make_accounts(&world).await;
    last.turn_to(world.now());
    let stores = [opened(&world).await, at(&cluster.url(), world.clock()).await, opened(&last).await];
    let original = everything(&stores[0]).await;
    for way in stores.windows(2) {
        let [from, to] = way else { unreachable!() };
        assert_eq!(moved(from, to).await.problems, []);
        assert_eq!(everything(to).await, original);
    }
    goes_on(&last, &made).await;
}

fn other_software(world: &World, words: &str) {
    let words: Vec<_> = words.split(' ').collect();
    let _: Option<String> = world.server.as_ref().unwrap().by_hand(&words);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_software_had_counted_is_adopted_on_the_way() {
    let (redis, sqlite, last) = (World::redis().await, World::sqlite(), World::redis().await);
    other_software(&redis, "HSET user:7 membership Premium-20000 credits 10 prepaid_credits 3 email_verified true");
    for counter in ["user:7:app_usage:2026:3 4", "user:7:app_usage:2019:12 5", "user:7:api_usage:cycle:1700000000 6"] {
        other_software(&redis, &format!("SET {counter}"));
    }
    // The index of cycles is missing, as on a server that no gateway has seen yet.
    other_software(&redis, "DEL gateway:cycles_indexed");
    let uid = Uid::new("7").unwrap();
    // This one is adopted by the gateway itself.
    redis.served(&redis.request(&uid)).await;
    let stores = [opened(&redis).await, opened(&sqlite).await, opened(&last).await];
    for (way, target) in stores.windows(2).zip([&sqlite, &last]) {
        let done = moved(&way[0], &way[1]).await;
        assert_eq!(done.problems, []);
        assert_eq!(done.ledger_entries, 1 + 1 + 3, "a picture, its opening, and those of two counters and the balance");
        assert_eq!(target.usage(&uid, MARCH).await, Usage { app: 5, api: 0 });
        assert_eq!(target.prepaid(&uid).await, 3);
        let cycles = target.store.cycles(&uid).await.unwrap();
        assert_eq!(cycles, [(UnixSeconds(1_700_000_000), Usage { app: 0, api: 6 })]);
        assert_eq!(target.audited(&uid).await, 1, "openings are no operations");
    }
    for target in [&sqlite, &last] {
        target.served(&fresh(target.request(&uid))).await;
        assert_eq!(target.audited(&uid).await, 2);
    }
    // At the source nothing has changed, and moving back changes nothing either.
    assert_eq!(moved(&stores[2], &stores[0]).await.problems.len(), 1, "one more picture");
    assert_eq!(redis.audited(&uid).await, 1);
}

/// So many entries for an account that has nothing else.
fn long_ledger(entries: i64) -> Vec<LedgerEntry> {
    let entry = |number: i64| LedgerEntry {
        operation: OperationId(format!("grant {number}").into()),
        at: UnixMicros(NOON.micros().0 + number * 3_600_000_000),
        kind: EntryKind::Granted { credits: 1 },
    };
    (0..entries).map(entry).collect()
}

async fn cut_off_it_goes_on(first: World, target: World) {
    let uid = first.account("42", 1, 0).await;
    let source = opened(&first).await;
    for entry in long_ledger(1_200) {
        first.turn_to(entry.at);
        source.grant(&uid, 1, &entry.operation).await.unwrap();
    }
    assert!(matches!(whole(&source, &uid, List::Ledger).await, Records::Ledger(all) if all == long_ledger(1_200)));
    target.turn_to(first.now());
    let to = opened(&target).await;
    // It was cut off in the second part, and a test looks at what is there.
    let mut cursor = Cursor::default();
    for some in [0..500, 500..650] {
        let some = Records::Ledger(long_ledger(1_200)[some].to_vec());
        cursor = to.import_part(&uid, &some, &cursor).await.unwrap();
    }
    assert_eq!(to.account(&uid).await.unwrap(), None);
    assert_eq!(to.accounts().await.unwrap(), []);

    let done = moved(&source, &to).await;
    assert_eq!((done.problems, done.ledger_entries), (vec![], 1_200));
    assert_eq!(everything(&to).await, everything(&source).await);
    assert_eq!(target.audited(&uid).await, 1_200);

    // A migration does not go on with what another one has begun.
    let (uid, began) = (first.account("43", 1, 5).await, Records::Ledger(long_ledger(2)));
    to.import_part(&uid, &began, &Cursor::default()).await.unwrap();
    let problems = moved(&source, &to).await.problems;
    let says = "account 43 is there already, with other contents: its ledger".to_owned();
    assert_eq!(problems, [Problem { account: Some(uid.clone()), says }]);
    assert_eq!(to.account(&uid).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_on_its_way_to_redis_it_goes_on() {
    cut_off_it_goes_on(World::redis().await, World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_on_its_way_to_sqlite_it_goes_on() {
    cut_off_it_goes_on(World::redis().await, World::sqlite()).await;
}

async fn other_contents_are_left_alone(first: World, target: World) {
    for (name, prepaid) in [("41", 0), ("42", 5), ("43", 5), ("44", 5)] {
        first.account(name, 3, prepaid).await;
    }
    let uid = |name: &str| Uid::new(name).unwrap();
    let (hash, taken) = key("k1", &uid("43"));
    first.store.put_key(&hash, &taken).await.unwrap();
    // 41 has another allowance there, 42 another ledger; 43's key is 45's there; 46 lacks one grant.
    for (world, grants) in [(&first, 2), (&target, 1)] {
        let uid = world.account("46", 3, 0).await;
        for entry in &long_ledger(grants) {
            world.store.grant(&uid, 1, &entry.operation).await.unwrap();
        }
    }
    target.account("41", 4, 0).await;
    target.account("42", 3, 0).await;
    target.store.grant(&uid("42"), 5, &OperationId("another".into())).await.unwrap();
    let others = target.account("45", 3, 1).await;
    target.store.put_key(&KeyHash("another".into()), &key("k1", &others).1).await.unwrap();
    let (from, to) = (opened(&first).await, opened(&target).await);
    let before = everything(&to).await;
    let done = moved(&from, &to).await;
    assert_eq!(done.accounts, 1, "44");
    let says: Vec<_> = done.problems.iter().map(|problem| problem.says.as_str()).collect();
    assert_eq!(
        says,
        [
            "account 41 is there already, with other contents: credits",
            "account 42 is there already, with other contents: its ledger",
            "this key exists already, as k1",
            "account 46 is there already, with other contents: its ledger",
        ]
    );
    let after = everything(&to).await;
    assert_eq!(after.iter().filter(|(export, _)| export.account.uid != uid("44")).cloned().collect::<Vec<_>>(), before);
    assert_eq!(target.audited(&uid("44")).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_contents_are_left_alone_on_redis() {
    other_contents_are_left_alone(World::sqlite(), World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_contents_are_left_alone_on_sqlite() {
    other_contents_are_left_alone(World::redis().await, World::sqlite()).await;
}

async fn refused(from: &Arc<dyn Transfer>, to: &Arc<dyn Transfer>) -> String {
    let fault = migrate(&**from, &**to, &|_, _| ()).await.unwrap_err();
    let Fault::Unusable(words) = fault else { panic!("{fault}") };
    words
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_store_under_two_addresses_is_found_out_and_requests_under_way_forbid_it() {
    let (sqlite, redis) = (World::sqlite(), World::redis().await);
    for world in [&sqlite, &redis] {
        assert_eq!(refused(&opened(world).await, &opened(world).await).await, "source and target are the same store");
    }
    for (source, target) in [(&sqlite, &redis), (&redis, &sqlite)] {
        let uid = source.account("42", 1, 0).await;
        let open = source.held(&source.request(&uid)).await;
        let words = refused(&opened(source).await, &opened(target).await).await;
        assert!(words.contains("stop the gateways first"), "{words}");
        source.released(&open).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_add_up_is_moved_as_it_is_and_named() {
    let (redis, sqlite) = (World::redis().await, World::sqlite());
    let uid = redis.account("42", 3, 0).await;
    redis.served(&redis.request(&uid)).await;
    other_software(&redis, "INCR user:42:app_usage:2026:3");
    let done = moved(&opened(&redis).await, &opened(&sqlite).await).await;
    let says = "user:42:app_usage:2026:3 is 2, its ledger adds up to 1 (the source does not add up either)".to_owned();
    assert_eq!(done.problems, [Problem { account: Some(uid), says }]);
    assert_eq!(done.accounts, 1);
}
