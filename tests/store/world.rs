//! A store of the test's own, a clock that it turns, and what tests do with them all the time.

use crate::support::{clock::TurnedClock, redis::Redis};
use rembg_gateway::{
    clock::Clock,
    config::{Config, StoreConfig},
    domain::{
        account::{Overrides, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        client_address::ClientAddress,
        credit::{Admission, Channel, Denial, Draw, Hold, HoldRequest, Kept, KeyDraw, OperationId, Payer, Settlement},
        period::Counters,
        plan::Terms,
        rate_limit::Burst,
        time::{Month, UnixMicros, UnixSeconds},
    },
    store::{
        AccountChange, Store, Usage,
        redis::{RedisStore, Role},
        sqlite::SqliteStore,
    },
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// 2026-03-09T12:00:00Z, when every test begins.
pub(crate) const NOON: UnixSeconds = UnixSeconds(1_773_057_600);

/// The month of [`NOON`].
pub(crate) const MARCH: Month = Month { year: 2026, month: 3 };

/// How long a hold lasts unless the test says otherwise.
pub(crate) const LEASE: Duration = Duration::from_mins(1);

/// How long a period goes on without its renewal.
pub(crate) const GRACE: Duration = Duration::from_hours(72);

/// A subscription that lapses leaves two included credits on plan `Free`.
pub(crate) fn terms() -> Terms {
    Terms { renewal_grace: GRACE, default_plan: ("Free".into(), 2) }
}

/// One store and one clock.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    clock: TurnedClock,
    operations: AtomicU64,
    folder: TempDir,
    /// The Redis, if it is one.
    pub(crate) server: Option<Redis>,
}

impl World {
    /// The embedded engine on a fresh file.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TurnedClock::at(NOON.micros());
        let file = folder.path().join("gateway.db");
        let store = SqliteStore::open(&file, clock.clock(), terms()).unwrap();
        Self { store: Arc::new(store), clock, operations: AtomicU64::new(0), folder, server: None }
    }

    /// The Redis engine on a server of its own.
    pub(crate) async fn redis() -> Self {
        Self::redis_with(&["--appendonly", "no"]).await
    }

    /// The same with settings of the server.
    pub(crate) async fn redis_with(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Redis::on_socket(settings).await;
        let clock = TurnedClock::at(NOON.micros());
        let store = server.open(clock.clock()).await;
        Self { store, clock, operations: AtomicU64::new(0), folder, server: Some(server) }
    }

    /// The Redis engine at an address.
    pub(crate) async fn at(url: &str) -> Self {
        Self::on(url, None).await
    }

    /// The same, by TLS, with a certificate of this authority.
    pub(crate) async fn on(url: &str, ca_file: Option<PathBuf>) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), TurnedClock::at(NOON.micros()));
        let config = StoreConfig { url: url.to_owned(), ca_file, ..StoreConfig::default() };
        let url = config.redis_url().unwrap().unwrap();
        let store = RedisStore::open(&url, clock.clock(), terms(), Role::Command(None)).await.unwrap();
        Self { store: Arc::new(store), clock, operations: AtomicU64::new(0), folder, server: None }
    }

    /// Where the embedded engine's file is.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("gateway.db")
    }

    /// Where a serving gateway writes its journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Closes the store; the file stays until the folder is dropped.
    pub(crate) fn close(self) -> TempDir {
        assert_eq!(Arc::strong_count(&self.store), 1, "somebody else still has the store open");
        self.folder
    }

    /// The clock, for a second store.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clock()
    }

    pub(crate) fn now(&self) -> UnixMicros {
        self.clock.now()
    }

    pub(crate) fn turn(&self, by: Duration) {
        self.clock.turn_by(by);
    }

    pub(crate) fn turn_to(&self, moment: UnixMicros) {
        self.clock.turn_to(moment);
    }

    /// An operation id that was never used.
    pub(crate) fn operation(&self) -> OperationId {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        OperationId::stamped(UnixMicros(self.now().0 + number.cast_signed()), &format!("{number:010}"))
    }

    /// An account with so many included and prepaid credits.
    pub(crate) async fn account(&self, uid: &str, credits: u64, prepaid: i64) -> Uid {
        let uid = Uid::new(uid).unwrap();
        let change =
            AccountChange { credits: Some(credits), email_verified: Some(true), ..AccountChange::of(uid.clone()) };
        self.store.put_account(&change).await.unwrap();
        if prepaid != 0 {
            self.store.grant(&uid, prepaid, &self.operation()).await.unwrap();
        }
        uid
    }

    /// Gives an account limits of its own. Answers with them.
    pub(crate) async fn overridden(&self, uid: &Uid) -> Overrides {
        let burst = Some(Burst { per_minute: 9, size: 3 });
        let overrides = Overrides { burst, priority: Some(7), max_pixels: Some(40_000_000) };
        let uid = uid.clone();
        let change = AccountChange { overrides, ..AccountChange::of(uid) };
        assert_eq!(self.store.put_account(&change).await.unwrap().overrides, overrides);
        overrides
    }

    pub(crate) async fn overrides(&self, uid: &Uid) -> Overrides {
        self.store.account(uid).await.unwrap().unwrap().overrides
    }

    /// A request of an account's signed-in user, under a fresh id and without a short-term limit.
    pub(crate) fn request(&self, uid: &Uid) -> HoldRequest {
        let draw = Draw::Account { uid: uid.clone(), channel: Channel::App, key: None };
        HoldRequest { id: self.operation(), draw, burst: None, lease: LEASE }
    }

    /// The same by an API key.
    pub(crate) fn key_request(&self, uid: &Uid, key: &str) -> HoldRequest {
        let draw = Draw::Account {
            uid: uid.clone(),
            channel: Channel::Api,
            key: Some(KeyDraw { id: KeyId(key.into()), monthly_cap: None }),
        };
        HoldRequest { draw, ..self.request(uid) }
    }

    /// A request of an anonymous client.
    pub(crate) fn client_request(&self, client: &str, per_day: u64) -> HoldRequest {
        let draw = Draw::Client { client: ClientAddress(client.into()), per_day };
        HoldRequest { id: self.operation(), draw, burst: None, lease: LEASE }
    }

    pub(crate) async fn ask(&self, request: &HoldRequest) -> Admission {
        self.store.hold(request).await.unwrap()
    }

    /// Holds; the test expects to get it.
    pub(crate) async fn held(&self, request: &HoldRequest) -> Hold {
        let admission = self.ask(request).await;
        let Admission::Held(hold, _) = admission else { panic!("expected a hold, got {admission:?}") };
        hold
    }

    /// Holds and keeps; the test expects both to succeed.
    pub(crate) async fn served(&self, request: &HoldRequest) -> Hold {
        let hold = self.held(request).await;
        assert_eq!(self.kept(&hold).await.settlement, Settlement::Kept);
        hold
    }

    pub(crate) async fn kept(&self, hold: &Hold) -> Kept {
        self.store.keep(hold).await.unwrap()
    }

    pub(crate) async fn released(&self, hold: &Hold) -> Settlement {
        self.store.release(&hold.id, &hold.charge.payer()).await.unwrap()
    }

    /// Asks for a hold of an exhausted payer. Answers with the time after which it is told to come back.
    pub(crate) async fn exhausted(&self, request: &HoldRequest) -> Duration {
        let admission = self.ask(request).await;
        let Admission::Denied(Denial::Exhausted { retry_after, .. }) = admission else {
            panic!("expected that no credit is left, got {admission:?}")
        };
        retry_after
    }

    pub(crate) async fn usage(&self, uid: &Uid, month: Month) -> Usage {
        self.store.usage(uid, Counters::Month(month)).await.unwrap()
    }

    pub(crate) async fn prepaid(&self, uid: &Uid) -> i64 {
        self.store.account(uid).await.unwrap().unwrap().prepaid
    }

    /// Checks that counters and balance are what the ledger says; answers how many entries it has.
    pub(crate) async fn audited(&self, uid: &Uid) -> u64 {
        let audit = self.store.audit(uid).await.unwrap();
        assert_eq!(audit.differences, [], "counters and ledger of {uid} should agree");
        audit.entries
    }
}

impl Redis {
    /// The configuration of a gateway on it.
    pub(crate) fn config(&self) -> Config {
        Config { store: StoreConfig { url: self.url(), ..StoreConfig::default() }, ..Config::default() }
    }

    /// A store on it.
    pub(crate) async fn open(&self, clock: Clock) -> Arc<dyn Store> {
        let url = self.config().store.redis_url().unwrap().unwrap();
        Arc::new(RedisStore::open(&url, clock, terms(), Role::Command(None)).await.unwrap())
    }
}

/// How long from `now` until the end of its month.
pub(crate) fn until_month_ends(now: UnixMicros) -> Duration {
    now.until(now.seconds().month().end().micros())
}

pub(crate) fn client(address: &str) -> Payer {
    Payer::Client(ClientAddress(address.into()))
}

/// A key and its hash, made at noon.
pub(crate) fn key(id: &str, uid: &Uid) -> (KeyHash, ApiKey) {
    let key = ApiKey {
        id: KeyId(id.into()),
        uid: uid.clone(),
        name: format!("the key {id}"),
        hint: "rgw_live_…abcd".into(),
        created: NOON,
        expires: None,
        revoked: None,
        networks: Vec::new(),
        monthly_cap: None,
    };
    (KeyHash(format!("hash of {id}")), key)
}
