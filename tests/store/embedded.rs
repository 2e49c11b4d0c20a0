//! Further promises of the embedded engine, which concern its file.

use crate::{
    races::spend_fifty_credits_in_two_hundred_requests,
    world::{GRACE, LEASE, MARCH, NOON, World, terms, until_month_ends},
};
use rembg_gateway::{
    clock::Clock,
    domain::{
        account::Uid,
        credit::Settlement,
        period::{BillingPeriod, Counters},
        time::UnixSeconds,
    },
    store::{Accounts, Difference, Fault, Metering, Store, Usage, sqlite::SqliteStore},
};
use rusqlite::Connection;
use std::{fs, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

/// Runs SQL in the file, as another program might.
fn by_hand(world: &World, sql: &str) {
    let db = Connection::open(world.file()).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.execute_batch(sql).unwrap();
}

fn counter(world: &World, name: &str) -> Option<i64> {
    let db = Connection::open(world.file()).unwrap();
    db.query_row("SELECT value FROM counters WHERE name = ?1", [name], |row| row.get(0)).ok()
}

async fn sync(world: &World, uid: &Uid, start: UnixSeconds, end: UnixSeconds) {
    let period = format!("billing_period_start = {}, billing_period_end = {}", start.0, end.0);
    by_hand(world, &format!("UPDATE accounts SET {period} WHERE uid = '{uid}'"));
    assert_eq!(world.store.account(uid).await.unwrap().unwrap().billing_period, Some(BillingPeriod::new(start, end)));
}

#[tokio::test]
async fn counters_are_rows_under_their_documented_names() {
    let world = World::sqlite();
    let uid = world.account("42", 2, 1).await;
    world.served(&world.request(&uid)).await;
    for _ in 0..2 {
        world.served(&world.key_request(&uid, "k1")).await;
    }
    world.served(&world.client_request("2001:db8::/64", 1)).await;
    for (name, value) in [
        ("user:42:app_usage:2026:3", 1),
        ("user:42:api_usage:2026:3", 1),
        ("user:42:prepaid_usage:2026:3", 1),
        ("user:42:key_usage:k1:2026:3", 2),
        ("client:2001%3Adb8%3A%3A/64:usage:2026:3:9", 1),
    ] {
        assert_eq!(counter(&world, name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_synced_account_spends_by_its_billing_cycle_and_counts_the_month_too() {
    let world = World::sqlite();
    let uid = world.account("42", 2, 0).await;
    world.served(&world.request(&uid)).await;
    let (start, end) = (UnixSeconds(NOON.0 - 3600), UnixSeconds(NOON.0 + 3600));
    sync(&world, &uid, start, end).await;

    world.served(&world.request(&uid)).await;
    let open = world.held(&world.key_request(&uid, "k1")).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, LEASE);
    world.kept(&open).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, Duration::from_hours(1), "the cycle's end");
    let cycle = |channel: &str| counter(&world, &format!("user:42:{channel}_usage:cycle:{}", start.0));
    assert_eq!((cycle("app"), cycle("api")), (Some(1), Some(1)));
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 2, api: 1 });

    // The renewal's webhook has not come: the next cycle is predicted. After the grace it is the calendar month, in
    // which all of this counts.
    world.turn_to(end.micros());
    world.served(&world.request(&uid)).await;
    assert_eq!(counter(&world, &format!("user:42:app_usage:cycle:{}", end.0)), Some(1));
    world.turn_to(end.micros().plus(GRACE));
    assert_eq!(world.exhausted(&world.request(&uid)).await, until_month_ends(world.now()));
    assert_eq!(world.audited(&uid).await, 4);
}

#[tokio::test]
async fn a_hold_taken_before_a_renewal_is_counted_in_the_old_cycle() {
    let world = World::sqlite();
    let uid = world.account("42", 1, 0).await;
    let renewal = UnixSeconds(NOON.0 + 30);
    sync(&world, &uid, NOON, renewal).await;
    let spanning = world.held(&world.request(&uid)).await;
    sync(&world, &uid, renewal, UnixSeconds(renewal.0 + 3600)).await;
    world.turn_to(renewal.micros());
    world.served(&world.request(&uid)).await;
    world.kept(&spanning).await;
    for start in [NOON, renewal] {
        let name = format!("user:42:app_usage:cycle:{}", start.0);
        assert_eq!(counter(&world, &name), Some(1), "{name}");
    }
    world.audited(&uid).await;
}

#[tokio::test]
async fn the_ledger_marks_a_keep_that_came_after_its_lease() {
    let world = World::sqlite();
    let uid = world.account("42", 2, 0).await;
    for (wait, late) in [(LEASE / 2, 0), (LEASE, 1)] {
        let hold = world.held(&world.request(&uid)).await;
        world.turn(wait);
        world.kept(&hold).await;
        let db = Connection::open(world.file()).unwrap();
        let sql = "SELECT late FROM ledger WHERE operation = ?1";
        let marked: i64 = db.query_row(sql, [&hold.id.0], |row| row.get(0)).unwrap();
        assert_eq!(marked, late, "kept {wait:?} after the hold");
    }
}

#[tokio::test]
async fn an_audit_names_every_number_that_the_ledger_does_not_explain() {
    let world = World::sqlite();
    let uid = world.account("42", 5, 7).await;
    let other = world.account("420", 5, 0).await;
    world.served(&world.request(&uid)).await;
    by_hand(&world, "UPDATE counters SET value = 4 WHERE name = 'user:42:app_usage:2026:3'");
    by_hand(&world, "INSERT INTO counters (name, value) VALUES ('user:42:api_usage:2025:12', 9)");
    by_hand(&world, "UPDATE accounts SET prepaid = 6 WHERE uid = '42'");
    let audit = world.store.audit(&uid).await.unwrap();
    let difference = |counter: &str, stored, ledger| Difference { counter: counter.into(), stored, ledger };
    assert_eq!(
        audit.differences,
        [
            difference("prepaid", 6, 7),
            difference("user:42:api_usage:2025:12", 9, 0),
            difference("user:42:app_usage:2026:3", 4, 1),
        ]
    );
    assert_eq!(audit.entries, 2);
    world.audited(&other).await;
}

#[tokio::test]
async fn everything_is_there_again_after_reopening() {
    let world = World::sqlite();
    let uid = world.account("42", 5, 5).await;
    let (kept, open) = (world.served(&world.request(&uid)).await, world.held(&world.request(&uid)).await);
    let (file, clock) = (world.file(), world.clock());
    let folder = world.close();

    let store = SqliteStore::open(&file, clock, terms()).unwrap();
    assert_eq!(store.keep(&kept).await.unwrap().settlement, Settlement::Kept);
    assert_eq!(store.holds_open().await.unwrap(), 1);
    assert_eq!(store.keep(&open).await.unwrap().settlement, Settlement::Kept);
    assert_eq!(store.usage(&uid, Counters::Month(MARCH)).await.unwrap().app, 2);
    assert_eq!(store.audit(&uid).await.unwrap().differences, []);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_file_overshoot_nothing_and_lose_nothing() {
    let world = World::sqlite();
    let second: Arc<dyn Store> = Arc::new(SqliteStore::open(&world.file(), world.clock(), terms()).unwrap());
    let uid = spend_fifty_credits_in_two_hundred_requests(&world, &second).await;
    assert_eq!(second.account(&uid).await.unwrap(), world.store.account(&uid).await.unwrap());
}

#[tokio::test]
async fn a_new_file_that_many_open_at_once_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not/yet/there/gateway.db");
    let openers: Vec<_> = (0..8)
        .map(|_| {
            let file = file.clone();
            std::thread::spawn(move || SqliteStore::open(&file, Clock::Own, terms()))
        })
        .collect();
    for opener in openers {
        opener.join().unwrap().unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_new_file_is_its_owners_only() {
    let world = World::sqlite();
    world.store.ping().await.unwrap();
    for name in ["gateway.db", "gateway.db-wal", "gateway.db-shm"] {
        let found = fs::metadata(world.file().with_file_name(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn another_versions_file_and_another_programs_file_are_left_alone() {
    for sql in ["PRAGMA user_version = 4", "PRAGMA user_version = 2", "PRAGMA user_version = 0"] {
        let world = World::sqlite();
        by_hand(&world, sql);
        let refused = SqliteStore::open(&world.file(), Clock::Own, terms()).err();
        assert!(matches!(refused, Some(Fault::Unexpected(_))), "{sql}: {refused:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "not a database, whatever its name".repeat(100)).unwrap();
    let refused = SqliteStore::open(&text, Clock::Own, terms()).err();
    assert!(matches!(refused, Some(Fault::Unexpected(_))), "{refused:?}");
}

#[tokio::test]
async fn while_the_file_is_gone_nothing_is_acknowledged() {
    let world = World::sqlite();
    let uid = world.account("42", 5, 0).await;
    let hold = world.held(&world.request(&uid)).await;
    let aside = world.file().with_file_name("aside.db");
    fs::rename(world.file(), &aside).unwrap();
    for fault in [world.store.keep(&hold).await.err(), world.store.ping().await.err()] {
        assert!(matches!(fault, Some(Fault::Unavailable(_))), "{fault:?}");
    }
    fs::rename(&aside, world.file()).unwrap();
    world.store.ping().await.unwrap();
    world.kept(&hold).await;
    assert_eq!(world.audited(&uid).await, 1);
}

#[tokio::test]
async fn settled_operations_are_remembered_for_a_week() {
    let world = World::sqlite();
    let uid = world.account("42", 5, 0).await;
    let kept = world.served(&world.request(&uid)).await;
    world.turn(Duration::from_hours(7 * 24));
    world.store.ping().await.unwrap();
    assert_eq!(world.released(&kept).await, Settlement::Kept);
}
