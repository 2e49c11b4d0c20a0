//! What a picture costs the Redis, in figures: not asserted, for a person who changes a script.
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
    },
    store::{
        Metering,
        redis::{RedisStore, Role},
    },
};
use std::{
    io::{Write as _, stdout},
    sync::atomic::{AtomicU64, Ordering},
};

const PICTURES: u32 = 3_200;

/// Microseconds of scripts, microseconds of the server's processor, and bytes of its append-only file.
fn spent(world: &World) -> [f64; 3] {
    let server = world.server.as_ref().unwrap();
    let info = |section: &str| server.by_hand::<String>(&["INFO", section]);
    let number = |text: &str, name: &str| -> f64 {
        let from = text.find(name).map_or("", |at| &text[at + name.len()..]);
        from.split([',', '\r', '\n']).next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
    };
    let (stats, cpu, aof) = (info("commandstats"), info("cpu"), info("persistence"));
    let evalsha = stats.lines().find(|line| line.starts_with("cmdstat_evalsha")).unwrap_or("");
    let cpu = number(&cpu, "used_cpu_sys:") + number(&cpu, "used_cpu_user:");
    [number(evalsha, "usec="), cpu * 1e6, number(&aof, "aof_current_size:")]
}

#[tokio::test]
#[ignore = "figures for a person"]
async fn a_pictures_costs() {
    let world = World::redis_with(&["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]).await;
    let url = world.server.as_ref().unwrap().config().store.redis_url().unwrap().unwrap();
    let store = RedisStore::open(&url, Clock::Own, terms(), Role::Command).await.unwrap();
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
        let [scripts, cpu, aof] = [0, 1, 2].map(|at| (after[at] - before[at]) / f64::from(PICTURES));
        writeln!(
            stdout(),
            "{accounts} accounts, {at_once} at once: scripts {scripts:.1} µs, server {cpu:.1} µs, {aof:.0} bytes a picture"
        )
        .unwrap();
    }
}
