//! A gateway with everything around it: a store of its own, a backend that does as it is told, a clock that we turn.

// By its path, because other tests share this file.
#[path = "engine.rs"]
mod engine;

use crate::{backend::StubBackend, people::Person};
use engine::Engine;
use rembg_gateway::{
    app::App,
    clock::Clock,
    config::{BackendKind, Bytes, Config},
    domain::{account::Uid, api_key::ApiKey, plan::Plan, rate_limit::Burst},
    identity::{Keyring, api_key},
    random::fresh_operation_id,
    store::{AccountChange, Store},
};
use secrecy::ExposeSecret as _;
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// 2026-03-15T12:00:00Z, where every world begins.
pub const NOON: i64 = 1_773_576_000;

pub struct World {
    pub app: App,
    pub store: Arc<dyn Store>,
    pub backend: StubBackend,
    pub config: Config,
    pub engine: Engine,
    clock: Arc<AtomicI64>,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose configuration is changed first.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let engine = Engine::start();
        let backend = StubBackend::start().await;
        let clock = Arc::new(AtomicI64::new(NOON * 1_000_000));
        let mut config = Config::default();
        config.listen.public.set_port(0);
        config.listen.admin.set_port(0);
        config.store.url = engine.url();
        config.store.journal = engine.folder().join("journal");
        if matches!(engine, Engine::Redis(_)) {
            config.auth.api_key.pepper = vec!["a pepper for tests only".into()];
        }
        config.backend.kind = BackendKind::Rmbg;
        config.backend.urls = vec![backend.url()];
        config.backend.concurrency = 64;
        config.backend.timeout_s = 20;
        config.limits.memory_budget = Bytes(64 << 20);
        // Everybody in a test calls from one address.
        config.limits.in_flight_per_client = NonZeroU32::new(4_096).unwrap();
        let burst = Burst { per_minute: 60_000, size: 10_000 };
        config.plans.insert("Test".into(), Plan { credits: 100, burst, priority: 0, max_pixels: None });
        change(&mut config);
        let turned = Clock::Turned(Arc::clone(&clock));
        let app = App::start(&config, turned.clone()).await.unwrap();
        let store = rembg_gateway::store::open(&config, turned).await.unwrap();
        Self { app, store, backend, config, engine, clock }
    }

    /// The same world after its gateway has stopped and started again.
    pub async fn restarted(self, config: Config) -> Self {
        self.app.stop().await;
        let turned = Clock::Turned(Arc::clone(&self.clock));
        let app = App::start(&config, turned).await.unwrap();
        Self { app, config, ..self }
    }

    /// Counters that other software, or years of use, have left under their documented names.
    pub async fn counted(&self, counters: impl IntoIterator<Item = (String, u64)>) {
        self.engine.counted(counters);
        let turned = Clock::Turned(Arc::clone(&self.clock));
        let starting = rembg_gateway::store::open(&self.config, turned).await.unwrap();
        for _ in 0..1_000 {
            if self.engine.has_indexed() {
                return drop(starting);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("cycles that other software has counted are not indexed");
    }

    /// A second gateway on the same store.
    pub async fn gateway_beside(&self) -> App {
        App::start(&self.config, Clock::Turned(Arc::clone(&self.clock))).await.unwrap()
    }

    /// Somebody with an account on plan `Test`, so many included credits, and a key.
    pub async fn customer(&self, uid: &str, credits: u64) -> Person {
        let uid = Uid::new(uid).unwrap();
        let change = AccountChange {
            plan: Some(("Test".into(), 100)),
            credits: Some(credits),
            email_verified: Some(true),
            ..AccountChange::of(uid.clone())
        };
        self.store.put_account(&change).await.unwrap();
        Person::with_key(self.app.public, &self.key_for(&uid).await)
    }

    pub async fn key_for(&self, uid: &Uid) -> String {
        self.key_but(uid, |_| {}).await
    }

    /// A key that is not like others.
    pub async fn key_but(&self, uid: &Uid, change: impl FnOnce(&mut ApiKey)) -> String {
        let keyring = Keyring::open(&self.config).unwrap();
        let key = api_key::generate().unwrap();
        let mut made = ApiKey {
            id: api_key::fresh_id().unwrap(),
            uid: uid.clone(),
            name: String::new(),
            hint: api_key::hint(&key),
            created: self.now(),
            expires: None,
            revoked: None,
            networks: Vec::new(),
            monthly_cap: None,
        };
        change(&mut made);
        self.store.put_key(&keyring.hash(&key), &made).await.unwrap();
        key.expose_secret().to_owned()
    }

    pub async fn prepaid(&self, uid: &str, credits: i64) {
        self.store.grant(&Uid::new(uid).unwrap(), credits, &fresh_operation_id().unwrap()).await.unwrap();
    }

    pub fn stranger(&self) -> Person {
        Person::stranger(self.app.public)
    }

    pub fn operator(&self) -> Person {
        Person::stranger(self.app.admin)
    }

    pub fn now(&self) -> rembg_gateway::domain::time::UnixSeconds {
        rembg_gateway::domain::time::UnixSeconds(self.clock.load(Ordering::Acquire) / 1_000_000)
    }

    pub fn clock(&self) -> Clock {
        Clock::Turned(Arc::clone(&self.clock))
    }

    pub fn turn_clock_to(&self, seconds: i64) {
        self.clock.store(seconds * 1_000_000, Ordering::Release);
    }

    pub fn turn_clock_by(&self, seconds: i64) {
        self.turn_clock_to(self.now().0 + seconds);
    }

    /// Waits until the gateway says that it is ready.
    pub async fn ready(&self) {
        for _ in 0..1_000 {
            if self.operator().get("/readyz").await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the gateway is not ready");
    }

    /// Waits until no credit is set aside any more.
    pub async fn nothing_held(&self) {
        for _ in 0..1_000 {
            if self.store.holds_open().await.unwrap() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a hold was left behind");
    }

    /// The counters agree with the ledger.
    pub async fn audited(&self, uid: &str) {
        let audit = self.store.audit(&Uid::new(uid).unwrap()).await.unwrap();
        assert!(audit.differences.is_empty(), "{audit:?}");
    }

    /// Waits until the metric is at least so much.
    pub async fn metric_reaches(&self, line: &str, value: f64) {
        for _ in 0..1_000 {
            if self.metric(line).await >= value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{line} never reached {value}");
    }

    /// Waits until the metric is at most so much.
    pub async fn metric_falls_to(&self, line: &str, value: f64) {
        for _ in 0..1_000 {
            if self.metric(line).await <= value {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{line} never fell to {value}");
    }

    /// The value of one metric line, by its start.
    pub async fn metric(&self, line: &str) -> f64 {
        let text = self.operator().get("/metrics").await;
        let text = String::from_utf8(text.body.to_vec()).unwrap();
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("no metric {line} in\n{text}"))
    }
}
