//! What a picture's hold and keep cost this side of a Redis: `cargo bench --bench store`.
//!
//! Everything that a gateway does for its store, from the trait to the socket, with its journal, on one thread. The server is a
//! process of its own, whose time is not counted. Then allocations, by divan: each sample is a picture of every task.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed"
)]

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use futures_util::future::join_all;
use rembg_gateway::{
    clock::Clock,
    config::{Config, StoreConfig},
    domain::{
        account::{Overrides, Uid},
        api_key::KeyId,
        credit::{Admission, Channel, Draw, HoldRequest, KeyDraw},
        rate_limit::Burst,
    },
    random::operation_id_at,
    spool::{Budgets, DiskRules},
    store::{self, AccountChange, Metering},
    stripe::reprocess::Reprocessor,
    telemetry::Metrics,
};
use std::{
    env, fs,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    task::{spawn, yield_now},
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// Pictures of each round; fewer under a profiler.
const PICTURES: u32 = 64_000;

fn main() {
    let pictures = env::var("PICTURES").map_or(PICTURES, |count| count.parse().unwrap());
    let gateway = Gateway::new();
    for at_once in [1, 32] {
        gateway.pictures(pictures / 8, at_once);
        let (cpu, calls) = (cpu(), gateway.calls());
        gateway.pictures(pictures, at_once);
        let micros = (self::cpu() - cpu) / 1e3 / f64::from(pictures);
        let operations = f64::from(2 * pictures) / (gateway.calls() - calls);
        println!("{at_once} at once: {micros:.1} µs of CPU a picture, {operations:.1} operations a call");
    }
    divan::main();
}

#[divan::bench(args = [1, 32], sample_count = 50, sample_size = 1)]
fn allocations(bencher: Bencher<'_, '_>, at_once: u32) {
    let gateway = Gateway::new();
    gateway.pictures(4 * at_once, at_once);
    bencher.counter(ItemsCount::new(at_once)).bench_local(|| gateway.pictures(at_once, at_once));
}

/// Nanoseconds of CPU that all threads of this process have had.
fn cpu() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let had = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("schedstat")).ok());
    had.map(|text| text.split(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// A store as a gateway serves from it, and its server.
struct Gateway {
    runtime: Runtime,
    store: Arc<dyn Metering>,
    metrics: Metrics,
    server: Child,
    _folder: TempDir,
}

impl Gateway {
    fn new() -> Self {
        let (folder, runtime) =
            (tempfile::tempdir().unwrap(), Builder::new_current_thread().enable_all().build().unwrap());
        let socket = folder.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]);
        command.arg("--dir").arg(folder.path()).arg("--unixsocket").arg(&socket).stdout(Stdio::null());
        let server = command.spawn().unwrap();
        while !socket.exists() {
            sleep(Duration::from_millis(5));
        }
        let url = format!("redis+unix://{}", socket.display());
        let store = StoreConfig { url, journal: folder.path().join("journal"), ..StoreConfig::default() };
        let (config, metrics) = (Config { store, ..Config::default() }, Metrics::new().unwrap());
        let events = Arc::new(Reprocessor::new(&config, Clock::Own));
        let opened = store::open_to_serve(&config, Clock::Own, metrics.store(), events);
        let store = runtime.block_on(opened).unwrap().metering;
        let change = AccountChange {
            credits: Some(1 << 40),
            overrides: Overrides::default(),
            ..AccountChange::of(Uid::new("12345678").unwrap())
        };
        runtime.block_on(store.put_account(&change)).unwrap();
        Self { runtime, store, metrics, server, _folder: folder }
    }

    /// So many calls of the server for holds, keeps and releases, until now.
    fn calls(&self) -> f64 {
        let rules = DiskRules { most: 0, kept_for_answers: 0, max_answer: 0, per_client: 0, per_account: 0 };
        let text = self.metrics.render(None, &Budgets::new(0, rules)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("rgw_store_batch_operations_count "));
        line.unwrap().parse().unwrap()
    }

    fn pictures(&self, count: u32, at_once: u32) {
        let uid = Uid::new("12345678").unwrap();
        let tasks = (0..at_once).map(|_| {
            let (store, uid) = (Arc::clone(&self.store), uid.clone());
            spawn(async move {
                for _ in 0..count / at_once {
                    picture(&*store, &uid).await;
                }
            })
        });
        self.runtime.block_on(async { join_all(tasks).await.into_iter().for_each(Result::unwrap) });
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

async fn picture(store: &dyn Metering, uid: &Uid) {
    let request = HoldRequest {
        id: operation_id_at(Clock::Own.now()).unwrap(),
        draw: Draw::Account {
            uid: uid.clone(),
            channel: Channel::Api,
            key: Some(KeyDraw { id: KeyId("key_0123456789".into()), monthly_cap: None }),
        },
        burst: Some(Burst { per_minute: 1_000_000_000, size: 1_000_000 }),
        lease: Duration::from_mins(1),
    };
    let Admission::Held(hold, _) = store.hold(&request).await.unwrap() else { panic!("no hold") };
    // A backend's answer comes by another task.
    yield_now().await;
    store.keep(&hold).await.unwrap();
}
