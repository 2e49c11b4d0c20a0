//! Numbers that other software or a person has written: whole numbers are read; anything else stops the service for that
//! account alone, until an operator says what the number should be.

use crate::world::{MARCH, NOON, World, key};
use rembg_gateway::{
    domain::{
        account::Uid,
        credit::{Admission, Hold, Settlement},
        period::{BillingPeriod, Counters},
        time::UnixSeconds,
    },
    store::{Fault, Usage},
};
use rusqlite::Connection;

/// A billing cycle that has begun, and goes on for a day.
const START: i64 = NOON.0 - 3_600;

fn by_hand(world: &World, words: &[&str]) -> Option<String> {
    world.server.as_ref().unwrap().by_hand(words)
}

/// The value of a counter, by its name.
fn stands(world: &World, name: &str) -> Option<String> {
    by_hand(world, &["GET", name])
}

/// An account as other software has made it, with these fields.
fn made_elsewhere(world: &World, uid: &str, fields: &[(&str, &str)]) -> Uid {
    let name = format!("user:{uid}");
    let given = ["HSET", &name, "email_verified", "1"];
    let fields = fields.iter().flat_map(|(field, value)| [*field, *value]);
    let words: Vec<_> = given.into_iter().chain(fields).collect();
    let _: i64 = world.server.as_ref().unwrap().by_hand(&words);
    Uid::new(uid).unwrap()
}

/// The account is refused, and the fault names what is to blame.
fn assert_named<T: std::fmt::Debug>(answer: Result<T, Fault>, name: &str) {
    match answer {
        Err(Fault::Unexpected(says)) => assert!(says.contains(name), "{name}: {says}"),
        other => panic!("{name}: {other:?}"),
    }
}

async fn not_integers(world: &World, uid: &Uid) -> Vec<String> {
    let audit = world.store.audit(uid).await.unwrap();
    assert_eq!(audit.differences, [], "what is odd is not compared");
    audit.not_integers.into_iter().map(|not_integers| not_integers.key).collect()
}

async fn mended(world: &World, uid: &Uid, key: &str, value: i64) {
    world.store.mend(uid, key, value, &world.operation()).await.unwrap();
}

const SPELLINGS: [&str; 7] = ["12", "12.0", "+12", " 12 ", "012", "1.2e1", "120e-1"];

#[tokio::test]
async fn a_whole_number_in_another_spelling_is_taken_over_as_what_it_is() {
    for spelling in SPELLINGS {
        let world = World::redis().await;
        let uid = made_elsewhere(&world, "7", &[("credits", spelling), ("prepaid_credits", spelling)]);
        let counters = ["app_usage:2026:3", "api_usage:2026:3", "prepaid_usage:2026:3", "key_usage:k1:2026:3"];
        for counter in counters {
            by_hand(&world, &["SET", &format!("user:7:{counter}"), spelling]);
        }
        let account = world.store.account(&uid).await.unwrap().unwrap();
        assert_eq!((account.credits, account.prepaid), (12, 12), "{spelling:?}");
        assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 12, api: 12 }, "{spelling:?}");
        assert_eq!(not_integers(&world, &uid).await, [""; 0]);
        // The twelve that are included are spent: this is a prepaid one.
        world.served(&world.key_request(&uid, "k1")).await;
        for (counter, value) in [("prepaid_usage:2026:3", "13"), ("key_usage:k1:2026:3", "13")] {
            assert_eq!(stands(&world, &format!("user:7:{counter}")).as_deref(), Some(value), "{spelling:?} {counter}");
        }
        assert_eq!(by_hand(&world, &["HGET", "user:7", "prepaid_credits"]).as_deref(), Some("11"), "{spelling:?}");
        assert_eq!(world.audited(&uid).await, 1, "with an opening for each");

        world.store.grant(&uid, 5, &world.operation()).await.unwrap();
        by_hand(&world, &["HSET", "user:7", "credits", "40.0"]);
        world.served(&world.request(&uid)).await;
        assert_eq!(stands(&world, "user:7:app_usage:2026:3").as_deref(), Some("13"), "{spelling:?}");
        assert_eq!((world.prepaid(&uid).await, world.audited(&uid).await), (16, 3));
    }
}

#[tokio::test]
async fn a_billing_cycle_and_a_strangers_day_may_be_spelled_otherwise_too() {
    let world = World::redis().await;
    let (start, end) = (format!("{START}.0"), format!("+{}", NOON.0 + 86_400));
    let fields = [("credits", "20"), ("billing_period_start", start.as_str()), ("billing_period_end", &end)];
    let uid = made_elsewhere(&world, "7", &fields);
    let cycle = format!("user:7:app_usage:cycle:{START}");
    by_hand(&world, &["SET", &cycle, "12.0"]);
    let period = BillingPeriod::new(UnixSeconds(START), UnixSeconds(NOON.0 + 86_400));
    assert_eq!(world.store.account(&uid).await.unwrap().unwrap().billing_period, Some(period));
    world.served(&world.request(&uid)).await;
    assert_eq!(stands(&world, &cycle).as_deref(), Some("13"));
    assert_eq!(world.store.cycles(&uid).await.unwrap(), [(UnixSeconds(START), Usage { app: 13, api: 0 })]);
    world.audited(&uid).await;

    let day = "client:203.0.113.7:usage:2026:3:9";
    by_hand(&world, &["SET", day, "1.0"]);
    world.served(&world.client_request("203.0.113.7", 2)).await;
    assert_eq!(stands(&world, day).as_deref(), Some("2"));
    world.exhausted(&world.client_request("203.0.113.7", 2)).await;
}

#[tokio::test]
async fn scripts_and_reports_read_every_text_alike() {
    let world = World::redis().await;
    let uid = world.account("42", 1 << 52, 0).await;
    let texts = "0 -0 00 7 -7 +7 --7 +-7 7. .7 7.0 7.00 7.10 7.5 7e0 7e1 7E+1 70e-1 75e-1 0.7e1 0.75e1 1e14 1e15 1e400 1e-400 0e9 0e \
                 e1 1e 7e1.0 7.e1 0x7 inf nan 7a 1,000 1_000 9007199254740991 9007199254740992 9007199254740993.0 1234567890123456e0 \
                 100000000000000e0 1000000000000000e0 000000000000000000000007 000000000000000007e0 99999999999999999999 1e99999999999";
    let blanks = ["", " ", " 7", "7 ", "\t7\r\n", "\u{b}7", "7 7", "\u{a0}7", "\u{667}"];
    for text in texts.split_whitespace().chain(blanks) {
        by_hand(&world, &["SET", "user:42:app_usage:2026:3", text]);
        let read = world.store.usage(&uid, Counters::Month(MARCH)).await.map(|used| used.app);
        let held = world.store.hold(&world.request(&uid)).await;
        assert_eq!(read.is_ok(), held.is_ok(), "{text:?}: {read:?}, {held:?}");
        if let (Ok(before), Ok(Admission::Held(hold, _))) = (read, held) {
            world.kept(&hold).await;
            let after: i64 = stands(&world, "user:42:app_usage:2026:3").unwrap().parse().unwrap();
            let expected = if text.contains('-') && before == 0 { after } else { i64::try_from(before).unwrap() + 1 };
            assert_eq!(after, expected, "{text:?}");
        }
    }
}

/// Puts something under a name that is no whole number.
type Spoil = fn(&World, &str);

const SPOILS: [Spoil; 6] = [
    |world, name| drop(by_hand(world, &["SET", name, "12.5"])),
    |world, name| drop(by_hand(world, &["SET", name, "abc"])),
    |world, name| drop(by_hand(world, &["SET", name, ""])),
    |world, name| drop(by_hand(world, &["SET", name, "9007199254740992"])),
    |world, name| _ = world.server.as_ref().unwrap().by_hand::<i64>(&["RPUSH", name, "12"]),
    |world, name| _ = world.server.as_ref().unwrap().by_hand::<i64>(&["HSET", name, "a", "12"]),
];

#[tokio::test]
async fn anything_else_stops_its_own_account_until_it_is_mended() {
    for spoil in SPOILS {
        let world = World::redis().await;
        let (uid, other) = (world.account("42", 9, 9).await, world.account("43", 9, 0).await);
        let (hash, stored) = key("k1", &uid);
        world.store.put_key(&hash, &stored).await.unwrap();
        world.served(&world.key_request(&uid, "k1")).await;
        let mut entries = 2;
        for counter in ["api_usage:2026:3", "prepaid_usage:2026:3", "key_usage:k1:2026:3"] {
            let open = world.held(&world.key_request(&uid, "k1")).await;
            let name = format!("user:42:{counter}");
            let _: i64 = world.server.as_ref().unwrap().by_hand(&["DEL", &name]);
            spoil(&world, &name);
            let ledger = || world.server.as_ref().unwrap().by_hand::<i64>(&["XLEN", "user:42:ledger:2026:3"]);
            let before = ledger();
            assert_named(world.store.hold(&world.key_request(&uid, "k1")).await, &name);
            let counted_there = counter != "prepaid_usage:2026:3";
            if counted_there {
                assert_named(world.store.keep(&open).await, &name);
            }
            assert_eq!(ledger(), before, "{name}: nothing was written");
            assert_eq!(not_integers(&world, &uid).await, [name.as_str()]);
            world.served(&world.request(&other)).await;
            mended(&world, &uid, &name, 40).await;
            assert_eq!(world.audited(&uid).await, entries, "{name}: a mend is no operation of ours");
            assert_eq!(world.kept(&open).await.settlement, Settlement::Kept, "{name}");
            entries += 1;
            let value = if counted_there { "41" } else { "40" };
            assert_eq!(stands(&world, &name).as_deref(), Some(value));
            assert_eq!(world.audited(&uid).await, entries);
            mended(&world, &uid, counter, 1).await;
        }
        assert_eq!(world.store.gauges().outages, 0, "the connection is not to blame");
    }
}

#[tokio::test]
async fn a_spoilt_field_stops_its_own_account_until_it_is_mended() {
    for spoilt in ["12.5", "abc", "1e15", "99999999999999999999"] {
        let world = World::redis().await;
        let fields = [("credits", "9"), ("prepaid_credits", "9")];
        let uid = made_elsewhere(&world, "42", &fields);
        let other = world.account("43", 99, 0).await;
        for (field, value) in [
            ("prepaid_credits", 5),
            ("credits", 7),
            ("billing_period_start", START),
            ("billing_period_end", NOON.0 + 86_400),
        ] {
            let open = world.held(&world.request(&uid)).await;
            let _: i64 = world.server.as_ref().unwrap().by_hand(&["HSET", "user:42", field, spoilt]);
            let name = format!("user:42 {field}");
            assert_named(world.store.hold(&world.request(&uid)).await, &name);
            assert_named(world.store.account(&uid).await, &name);
            assert_named(world.store.stripe_state(&uid).await, &name);
            if field == "prepaid_credits" {
                assert_named(world.store.grant(&uid, 5, &world.operation()).await, &name);
            }
            assert_eq!(not_integers(&world, &uid).await, [name.as_str()]);
            assert_eq!(world.store.uids().await.unwrap(), [uid.clone(), other.clone()]);
            world.served(&world.request(&other)).await;
            mended(&world, &uid, &name, value).await;
            assert_eq!(by_hand(&world, &["HGET", "user:42", field]), Some(value.to_string()));
            assert_eq!(not_integers(&world, &uid).await, [""; 0]);
            world.kept(&open).await;
            world.audited(&uid).await;
        }
        let account = world.store.account(&uid).await.unwrap().unwrap();
        assert_eq!((account.credits, account.prepaid), (7, 5));
        assert_eq!(account.billing_period.map(|period| period.start), Some(UnixSeconds(START)));
    }
}

#[tokio::test]
async fn a_spoilt_cycle_is_named_before_anything_is_written() {
    let world = World::redis().await;
    let (start, end) = (START.to_string(), (NOON.0 + 86_400).to_string());
    let fields = [("credits", "20"), ("billing_period_start", start.as_str()), ("billing_period_end", &end)];
    let uid = made_elsewhere(&world, "7", &fields);
    let open: Hold = world.held(&world.request(&uid)).await;
    let cycle = format!("user:7:app_usage:cycle:{START}");
    by_hand(&world, &["SET", &cycle, "12.5"]);
    for _ in 0..2 {
        assert_named(world.store.keep(&open).await, &cycle);
        assert_eq!(stands(&world, "user:7:app_usage:2026:3"), None, "the month was not raised");
    }
    assert_named(world.store.usage(&uid, Counters::Cycle(UnixSeconds(START))).await, &cycle);
    assert_eq!(not_integers(&world, &uid).await, [cycle.as_str()]);
    mended(&world, &uid, &cycle, 0).await;
    world.kept(&open).await;
    assert_eq!(world.audited(&uid).await, 1);
}

#[tokio::test]
async fn a_strangers_spoilt_day_is_that_strangers_alone() {
    let world = World::redis().await;
    let open = world.held(&world.client_request("203.0.113.7", 5)).await;
    let day = "client:203.0.113.7:usage:2026:3:9";
    by_hand(&world, &["SET", day, "abc"]);
    assert_named(world.store.hold(&world.client_request("203.0.113.7", 5)).await, day);
    assert_named(world.store.keep(&open).await, day);
    world.served(&world.client_request("203.0.113.8", 5)).await;
    by_hand(&world, &["SET", day, "0"]);
    world.kept(&open).await;
    assert_eq!(stands(&world, day).as_deref(), Some("1"));
}

#[tokio::test]
async fn a_spoilt_limit_of_its_own_or_bucket_stops_nobody() {
    let world = World::redis().await;
    let huge = "99999999999999";
    let fields =
        [("credits", "9"), ("burst_per_minute", huge), ("burst_size", huge), ("priority", huge), ("max_pixels", "-5")];
    let uid = made_elsewhere(&world, "42", &fields);
    let overrides = world.overrides(&uid).await;
    let burst = overrides.burst.unwrap();
    assert_eq!((burst.per_minute, burst.size, overrides.priority), (1_000_000, 1_000_000, Some(255)));
    assert_eq!(overrides.max_pixels, None);
    for bucket in ["abc", "99999999999999999999", "-5", "1.5"] {
        _ = world.server.as_ref().unwrap().by_hand::<i64>(&["HSET", "user:42", "arrival", bucket]);
        let mut request = world.request(&uid);
        request.burst = Some(burst);
        let admission = world.ask(&request).await;
        assert!(matches!(admission, Admission::Held(..)), "{bucket}: {admission:?}");
    }
}

/// Runs SQL in the file, as another program might.
fn in_file(world: &World, sql: &str) -> rusqlite::Result<()> {
    Connection::open(world.file()).unwrap().execute_batch(sql)
}

#[tokio::test]
async fn a_file_takes_whole_numbers_in_any_spelling_and_nothing_else() {
    let world = World::sqlite();
    let uid = world.account("42", 50, 0).await;
    world.served(&world.request(&uid)).await;
    for spelling in ["'12'", "'12.0'", "'+12'", "' 12 '", "'012'", "'1.2e1'", "12.0"] {
        in_file(&world, &format!("UPDATE counters SET value = {spelling}")).unwrap();
        assert_eq!(world.usage(&uid, MARCH).await.app, 12, "{spelling}");
    }
    for spoilt in ["12.5", "'abc'", "''", "NULL", "x'00'", "9223372036854775808"] {
        assert!(in_file(&world, &format!("UPDATE counters SET value = {spoilt}")).is_err(), "{spoilt}");
    }
    assert_eq!(world.usage(&uid, MARCH).await.app, 12);
}

#[tokio::test]
async fn what_a_file_cannot_count_stops_its_own_account_until_it_is_mended() {
    let world = World::sqlite();
    let (uid, other) = (world.account("42", 9, 9).await, world.account("43", 99, 0).await);
    world.served(&world.key_request(&uid, "k1")).await;
    let counters = ["api_usage:2026:3", "prepaid_usage:2026:3", "key_usage:k1:2026:3"].map(|below| {
        let name = format!("user:42:{below}");
        let sql = format!(
            "INSERT INTO counters (name, value) VALUES ('{name}', 9223372036854775807)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        );
        (name, sql, 1)
    });
    let field = |field: &str, column: &str, number: i64| {
        let sql = format!("UPDATE accounts SET {column} = {number} WHERE uid = '42'");
        (format!("user:42 {field}"), sql, 9)
    };
    let fields = [
        field("prepaid_credits", "prepaid", i64::MAX),
        field("prepaid_credits", "prepaid", i64::MIN),
        field("credits", "credits", i64::MAX),
    ];
    for (name, spoil, value) in counters.into_iter().chain(fields) {
        let open = world.held(&world.key_request(&uid, "k1")).await;
        in_file(&world, &spoil).unwrap();
        assert_named(world.store.hold(&world.key_request(&uid, "k1")).await, &name);
        assert_eq!(not_integers(&world, &uid).await, [name.as_str()]);
        assert_eq!(world.store.uids().await.unwrap(), [uid.clone(), other.clone()]);
        world.served(&world.request(&other)).await;
        mended(&world, &uid, &name, value).await;
        assert_eq!(not_integers(&world, &uid).await, [""; 0]);
        world.audited(&uid).await;
        world.released(&open).await;
    }
}

#[tokio::test]
async fn stored_numbers_of_every_size_are_answered_and_never_a_panic() {
    let world = World::sqlite();
    let uid = world.account("42", 9, 9).await;
    for column in [
        "credits",
        "prepaid",
        "email_verified",
        "burst_per_minute",
        "burst_size",
        "priority",
        "max_pixels",
        "billing_period_start",
        "billing_period_end",
        "billing_interval_count",
        "billing_anchor",
        "billing_ends_at",
        "billing_fallen",
    ] {
        for number in [i64::MIN, -1, 0, 1, i64::from(u32::MAX) + 1, i64::MAX] {
            let all = "billing_period_start = 0, billing_period_end = 9, billing_interval_unit = 'month',
                       billing_interval_count = 1, burst_per_minute = 1, burst_size = 1, credits = 9, prepaid = 9";
            in_file(&world, &format!("UPDATE accounts SET {all}; UPDATE accounts SET {column} = {number}")).unwrap();
            let shown = || format!("{column} = {number}");
            if let Ok(account) = world.store.account(&uid).await {
                let burst = account.unwrap().overrides.burst;
                let request = rembg_gateway::domain::credit::HoldRequest { burst, ..world.request(&uid) };
                let admission = world.store.hold(&request).await;
                assert!(!matches!(admission, Err(Fault::Unavailable(_))), "{}: {admission:?}", shown());
            }
            let audit = world.store.audit(&uid).await;
            assert!(audit.is_ok(), "{}: {audit:?}", shown());
            world.store.ping().await.unwrap();
        }
    }
}
