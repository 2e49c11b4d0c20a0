//! A gateway in the test's own process: on a store of its own, with a stub backend, by a clock that the test turns.

use super::{backend::StubBackend, clock::TurnedClock, engine::Engine, key, people::Person, wait::until};
use rembg_gateway::{
    app::App,
    clock::Clock,
    config::{BackendKind, Bytes, Config},
    domain::{account::Uid, api_key::ApiKey, plan::Plan, rate_limit::Burst, time::UnixSeconds},
    identity::Keyring,
    random::fresh_operation_id,
    store::{AccountChange, Store},
};
use std::{num::NonZeroU32, pin::Pin, sync::Arc};

/// 2026-03-15T12:00:00Z, when every test begins.
pub const NOON: i64 = 1_773_576_000;

/// The gateway, and everything that a test needs around it.
pub struct World {
    pub app: App,
    pub store: Arc<dyn Store>,
    pub backend: StubBackend,
    pub config: Config,
    pub engine: Engine,
    clock: TurnedClock,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, whose configuration is changed first.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let engine = Engine::start().await;
        let backend = StubBackend::start().await;
        let clock = TurnedClock::at(UnixSeconds(NOON).micros());
        let mut config = Config::default();
        config.listen.public.set_port(0);
        config.listen.admin.set_port(0);
        // Tests turn the clock of the one runtime that they have.
        config.listen.workers = 1;
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
        // All callers of a test call from one address.
        config.limits.in_flight_per_client = NonZeroU32::new(4_096).unwrap();
        let burst = Burst { per_minute: 60_000, size: 10_000 };
        config.plans.insert("Test".into(), Plan { credits: 100, burst, priority: 0, max_pixels: None });
        change(&mut config);
        let app = App::start(&config, clock.clock()).await.unwrap();
        let store = rembg_gateway::store::open(&config, clock.clock()).await.unwrap();
        Self { app, store, backend, config, engine, clock }
    }

    /// The same after its gateway has stopped and started again.
    pub fn restarted(self, config: Config) -> Pin<Box<dyn Future<Output = Self>>> {
        Box::pin(async move {
            self.app.stop().await;
            let app = App::start(&config, self.clock.clock()).await.unwrap();
            Self { app, config, ..self }
        })
    }

    /// Counters that other software, or years of use, have left under their documented names.
    pub async fn counted(&self, counters: impl IntoIterator<Item = (String, u64)>) {
        self.engine.counted(counters);
        let starting = rembg_gateway::store::open(&self.config, self.clock()).await.unwrap();
        until("cycles that other software has counted are indexed", async || self.engine.has_indexed()).await;
        drop(starting);
    }

    /// A second gateway on the same store.
    pub async fn gateway_beside(&self) -> App {
        App::start(&self.config, self.clock()).await.unwrap()
    }

    /// A caller with an account on plan `Test`, so many included credits, and a key.
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

    /// A key, after a change of what it may do.
    pub async fn key_but(&self, uid: &Uid, change: impl FnOnce(&mut ApiKey)) -> String {
        let keyring = Keyring::open(&self.config).unwrap();
        key::put_key(&*self.store, &keyring, (uid, self.now()), change).await
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

    pub fn now(&self) -> UnixSeconds {
        self.clock.seconds()
    }

    pub fn clock(&self) -> Clock {
        self.clock.clock()
    }

    pub fn turn_clock_to(&self, seconds: i64) {
        self.clock.turn_to(UnixSeconds(seconds).micros());
    }

    pub fn turn_clock_by(&self, seconds: i64) {
        self.turn_clock_to(self.now().0 + seconds);
    }

    /// Waits until the gateway says that it is ready.
    pub async fn ready(&self) {
        until("the gateway is ready", async || self.operator().get("/readyz").await.status == 200).await;
    }

    /// Waits until no credit is set aside any more.
    pub async fn nothing_held(&self) {
        until("no hold is open", async || self.store.holds_open().await.unwrap() == 0).await;
    }

    /// The counters agree with the ledger.
    pub async fn audited(&self, uid: &str) {
        let audit = self.store.audit(&Uid::new(uid).unwrap()).await.unwrap();
        assert!(audit.differences.is_empty(), "{audit:?}");
    }

    /// Waits until the metric is at least so much.
    pub async fn metric_reaches(&self, line: &str, value: f64) {
        until(&format!("{line} reaches {value}"), async || self.metric(line).await >= value).await;
    }

    /// Waits until the metric is at most so much.
    pub async fn metric_falls_to(&self, line: &str, value: f64) {
        until(&format!("{line} falls to {value}"), async || self.metric(line).await <= value).await;
    }

    /// The value of one metric line, by its start.
    pub async fn metric(&self, line: &str) -> f64 {
        self.operator().metric(line).await
    }
}
