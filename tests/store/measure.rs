//! What a picture costs the store, in figures: not asserted, for a person who changes a script.
//!
//! `cargo test --test store measure -- --ignored --nocapture`

use crate::world::{World, terms};
use futures_util::future::join_all;
use rembg_gateway::{
    clock::Clock,
    domain::{
        account::Uid,
        credit::{Admission, HoldRequest, OperationId},
        rate_limit::Burst,
        time::UnixMicros,
    },
    random::fresh_operation_id,
    store::{
        Metering,
        redis::{RedisStore, Role},
    },
};
use rusqlite::Connection;
use std::{
    io::{Write as _, stdout},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

const PICTURES: u32 = 3_200;

/// Prints a figure, which is what these measurements are for.
fn tell(figure: &str) {
    let mut out = stdout();
    writeln!(out, "{figure}").unwrap();
}

/// Microseconds of scripts, microseconds of the server's processor, bytes of its append-only file, and commands that scripts
/// called.
fn spent(world: &World) -> [f64; 4] {
    let server = world.server.as_ref().unwrap();
    let info = |section: &str| server.by_hand::<String>(&["INFO", section]);
    let number = |text: &str, name: &str| -> f64 {
        let from = text.find(name).map_or("", |at| &text[at + name.len()..]);
        from.split([',', '\r', '\n']).next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
    };
    let (stats, cpu, aof) = (info("commandstats"), info("cpu"), info("persistence"));
    let evalsha = stats.lines().find(|line| line.starts_with("cmdstat_evalsha")).unwrap_or("");
    let cpu = number(&cpu, "used_cpu_sys:") + number(&cpu, "used_cpu_user:");
    let is_inside = |line: &&str| {
        line.starts_with("cmdstat_") && !OUTSIDE.iter().any(|name| line["cmdstat_".len()..].starts_with(name))
    };
    let calls = stats.lines().filter(is_inside).map(|line| number(line, "calls=")).sum();
    [number(evalsha, "usec="), cpu * 1e6, number(&aof, "aof_current_size:"), calls]
}

/// What scripts do not call.
const OUTSIDE: [&str; 10] =
    ["eval", "script", "info", "config", "ping", "hello", "client", "command", "select", "role"];

#[tokio::test]
#[ignore = "figures for a person"]
async fn a_pictures_costs() {
    let world = World::redis_with(&["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]).await;
    let url = world.server.as_ref().unwrap().config().store.redis_url().unwrap().unwrap();
    let store = RedisStore::open(&url, Clock::Own, terms(), Role::Command(None)).await.unwrap();
    let (burst, number) = (Some(Burst { per_minute: 1_000_000, size: 1_000_000 }), AtomicU64::new(0));
    let mut uids = Vec::new();
    for number in 0..1_000 {
        uids.push(world.account(&format!("{:08}", 12_345_678 + number), 10_000_000, 0).await);
    }
    let request = |uid: &Uid| {
        let id = OperationId::stamped(Clock::Own.now(), &format!("{:010}", number.fetch_add(1, Ordering::Relaxed)));
        HoldRequest { id, burst, ..world.key_request(uid, "abcd1234") }
    };
    let picture = async |uid: &Uid| {
        let Admission::Held(hold, _) = store.hold(&request(uid)).await.unwrap() else { panic!("no hold") };
        store.keep(&hold).await.unwrap();
    };
    for (accounts, at_once) in [(1, 1), (1, 4), (1, 16), (1, 32), (100, 16), (1_000, 16), (1_000, 32)] {
        // What is prepared once a month.
        join_all(uids[..accounts].iter().map(picture)).await;
        let before = spent(&world);
        for round in 0..PICTURES as usize / at_once {
            let some = (0..at_once).map(|place| &uids[(round * at_once + place) % accounts]);
            join_all(some.map(picture)).await;
        }
        let after = spent(&world);
        let [scripts, cpu, aof, calls] = [0, 1, 2, 3].map(|at| (after[at] - before[at]) / f64::from(PICTURES));
        tell(&format!(
            "{accounts} accounts, {at_once} at once: {calls:.1} calls, scripts {scripts:.1} µs, server {cpu:.1} µs, {aof:.0} bytes \
             a picture"
        ));
    }
}

/// Pictures of one account, with an API key, in a calendar month.
const IN_LEDGER: usize = 40_000;

/// Bytes in use: of memory in a Redis, of the file in the embedded engine.
fn bytes(world: &World) -> f64 {
    let number = |text: &str| text.trim().parse::<f64>().unwrap();
    let Some(server) = &world.server else {
        let db = Connection::open(world.file()).unwrap();
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        let used = (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
        return number(&used.to_string());
    };
    let memory: String = server.by_hand(&["INFO", "memory"]);
    number(memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap())
}

async fn ledgers_size(engine: &str, world: World) {
    let uid = world.account("12345678", 10_000_000, 0).await;
    let month = world.now().seconds().month();
    for _ in 0..IN_LEDGER / 64 {
        let requests =
            (0..64).map(|_| HoldRequest { id: fresh_operation_id().unwrap(), ..world.key_request(&uid, "abcd1234") });
        join_all(requests.map(async |request| world.served(&request).await)).await;
    }
    world.turn_to(UnixMicros(month.end().micros().0 + 9 * 86_400_000_000));
    if let Some(server) = &world.server {
        server.by_hand::<()>(&["CONFIG", "RESETSTAT"]);
    }
    let with = bytes(&world);
    let (mut longest, mut pages) = (0.0_f64, 0.0);
    while {
        let begun = Instant::now();
        let page = world.store.close_page(&uid, month).await.unwrap();
        longest = longest.max(begun.elapsed().as_secs_f64() * 1e3);
        pages += 1.0;
        page.more
    } {}
    let pictures = f64::from(u32::try_from(IN_LEDGER).unwrap());
    let a_picture = (with - bytes(&world)) / pictures;
    tell(&format!("{engine}: {a_picture:.1} bytes a picture until it is closed; a page in at most {longest:.1} ms"));
    if world.server.is_some() {
        let [scripts, ..] = spent(&world);
        tell(&format!("of these, the server's scripts take {:.2} ms a page", scripts / pages / 1e3));
    }
}

/// With the server's own clock, as in use: a test's clock adds the time to each entry.
async fn streams_size() {
    let world = World::redis().await;
    let uid = world.account("12345678", 10_000_000, 0).await;
    let url = world.server.as_ref().unwrap().config().store.redis_url().unwrap().unwrap();
    let store = RedisStore::open(&url, Clock::Own, terms(), Role::Command(None)).await.unwrap();
    for _ in 0..IN_LEDGER / 64 {
        let requests =
            (0..64).map(|_| HoldRequest { id: fresh_operation_id().unwrap(), ..world.key_request(&uid, "abcd1234") });
        let picture = async |request| {
            let Admission::Held(hold, _) = store.hold(&request).await.unwrap() else { panic!("no hold") };
            store.keep(&hold).await.unwrap();
        };
        join_all(requests.map(picture)).await;
    }
    let with = bytes(&world);
    let month = Clock::Own.now().seconds().month();
    let _: i64 = world.server.as_ref().unwrap().by_hand(&["DEL", &format!("user:{uid}:ledger:{month}")]);
    let a_picture = (with - bytes(&world)) / f64::from(u32::try_from(IN_LEDGER).unwrap());
    tell(&format!("Redis by its own clock: {a_picture:.1} bytes a picture"));
}

#[tokio::test]
#[ignore = "figures for a person"]
async fn a_ledgers_size() {
    ledgers_size("Redis", World::redis().await).await;
    ledgers_size("SQLite", World::sqlite()).await;
    streams_size().await;
}
