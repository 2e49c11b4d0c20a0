//! Two gateways on one store, a backend that counts what it served, callers who count what they got, and the reckoning.

use crate::{
    backend::StubBackend,
    form::Form,
    servers::{Process, until},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rembg_gateway::{
    clock::Clock,
    config::{Config, StoreConfig},
    domain::{
        caller::{ApiKey, Uid},
        credit::{Admission, Draw, HoldRequest},
        time::{UnixMicros, UnixSeconds},
    },
    identity::{Keyring, api_key},
    random::fresh_operation_id,
    store::{self, AccountChange, Store},
};
use secrecy::ExposeSecret as _;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The account's credits in each run: included and prepaid.
pub(crate) const INCLUDED: u64 = 80;
pub(crate) const PREPAID: i64 = 20;

const PEPPER: &str = "a pepper for fault tests only";
const CALLERS: usize = 8;
pub(crate) const UID: &str = "42";

/// A gateway as operators run it.
pub(crate) struct Gateway {
    pub(crate) public: SocketAddr,
    process: Process,
}

impl Gateway {
    fn start(folder: &Path, url: &str, backend: &StubBackend) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rembg-gateway"))
            .arg("serve")
            .current_dir(folder)
            .envs([
                ("REMBG_GATEWAY__LISTEN__PUBLIC", "127.0.0.1:0"),
                ("REMBG_GATEWAY__LISTEN__ADMIN", "127.0.0.1:0"),
                ("REMBG_GATEWAY__STORE__URL", url),
                ("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", PEPPER),
                ("REMBG_GATEWAY__BACKEND__KIND", "rmbg"),
                ("REMBG_GATEWAY__BACKEND__URLS", backend.url().as_str()),
                ("REMBG_GATEWAY__BACKEND__CONCURRENCY", "64"),
                ("REMBG_GATEWAY__BACKEND__TIMEOUT_S", "5"),
                ("REMBG_GATEWAY__LIMITS__UPLOAD_TIMEOUT_S", "5"),
                ("REMBG_GATEWAY__PLANS__FREE", "{credits = 1, burst = {per_minute = 60000, size = 60000}}"),
                ("REMBG_GATEWAY__LOG__FORMAT", "json"),
            ])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let process = Process(child);
        let serving = lines.find(|line| line.contains("\"serving\""));
        let serving: serde_json::Value = serde_json::from_str(&serving.expect("the gateway serves")).unwrap();
        let public = serving["public"].as_str().unwrap().parse().unwrap();
        // Whoever writes a log must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { public, process }
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// What a run is about.
pub(crate) struct Scene {
    pub(crate) backend: StubBackend,
    pub(crate) gateways: Vec<Gateway>,
    url: String,
    key: String,
    folder: TempDir,
    answered: Arc<AtomicU64>,
    callers: JoinSet<()>,
}

/// One run's reckoning: pictures that the backend served, that callers got, that are counted, that are counted more than
/// once, that callers got uncounted; pictures beyond the limit; holds that outlived their lease.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) run: &'static str,
    pub(crate) served: u64,
    pub(crate) answered: u64,
    pub(crate) counted: u64,
    pub(crate) twice: u64,
    pub(crate) uncounted: u64,
    pub(crate) overshoot: u64,
    pub(crate) stuck: u64,
}

impl Scene {
    /// `url` is where the gateways find the store, `direct` where the test does.
    pub(crate) async fn set(url: &str, direct: &str) -> Self {
        let (folder, backend) = (tempfile::tempdir().unwrap(), StubBackend::start().await);
        let store = open(direct, Clock::Own).await;
        let uid = Uid::new(UID).unwrap();
        let change = AccountChange {
            uid: uid.clone(),
            plan: Some(("Free".into(), INCLUDED)),
            credits: None,
            burst: None,
            email_verified: Some(true),
            only_new: false,
        };
        store.put_account(&change).await.unwrap();
        store.grant(&uid, PREPAID, &fresh_operation_id().unwrap()).await.unwrap();
        let key = api_key::generate().unwrap();
        let id = api_key::fresh_id().unwrap();
        let made = ApiKey {
            id,
            uid,
            name: String::new(),
            hint: api_key::hint(&key),
            created: UnixSeconds(0),
            expires: None,
            revoked: None,
            networks: Vec::new(),
            monthly_cap: None,
        };
        store.put_key(&Keyring::new(&PEPPER.into()).hash(&key), &made).await.unwrap();
        let gateways = (0..2).map(|_| Gateway::start(folder.path(), url, &backend)).collect();
        Self {
            backend,
            gateways,
            url: direct.to_owned(),
            key: key.expose_secret().to_owned(),
            folder,
            answered: Arc::default(),
            callers: JoinSet::new(),
        }
    }

    /// Starts callers, each of whom goes on until told that no credit is left.
    pub(crate) fn callers_come(&mut self) {
        for number in 0..CALLERS {
            let base = self.gateways[number % self.gateways.len()].public;
            self.callers.spawn(call_until_denied(base, self.key.clone(), Arc::clone(&self.answered)));
        }
    }

    pub(crate) async fn answered(&self, pictures: u64) {
        until("callers get pictures", async || self.answered.load(Ordering::Relaxed) >= pictures).await;
    }

    /// A new gateway in the place of a killed one, and callers for it.
    pub(crate) fn replace(&mut self, number: usize, url: &str) {
        self.gateways[number] = Gateway::start(self.folder.path(), url, &self.backend);
        for _ in 0..CALLERS / 2 {
            let base = self.gateways[number].public;
            self.callers.spawn(call_until_denied(base, self.key.clone(), Arc::clone(&self.answered)));
        }
    }

    /// Waits until every caller was told that the limit is reached, and adds up.
    pub(crate) async fn reckoning(mut self, run: &'static str) -> Row {
        let everybody = async { while self.callers.join_next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(30), everybody).await.expect("every caller reaches the limit");
        until("the journals are handed in", async || journal_lines(&self.folder.path().join("data/journal")) == 0)
            .await;

        // Later, when the leases of those who were killed have ended.
        let later = now().plus(Duration::from_mins(2));
        let store = open(&self.url, Clock::Turned(Arc::new(AtomicI64::new(later.0)))).await;
        let stuck = store.holds_open().await.unwrap();
        let limit = INCLUDED + PREPAID.unsigned_abs();
        let uid = Uid::new(UID).unwrap();
        let (counted, twice) = counted(&*store, &uid).await;
        let left = spend_what_is_left(&*store, &uid).await;
        let answered = self.answered.load(Ordering::Relaxed);
        let served = self.backend.seen().len() as u64;
        assert_eq!(counted.max(limit), counted + left, "what is not counted can be spent, and nothing else");
        Row {
            run,
            served,
            answered,
            counted,
            twice: twice.max(counted.saturating_sub(served)),
            uncounted: answered.saturating_sub(counted),
            overshoot: counted.saturating_sub(limit),
            stuck,
        }
    }
}

/// Pictures counted, and how many of them more than once. Counters and balance must be what the ledger says.
async fn counted(store: &dyn Store, uid: &Uid) -> (u64, u64) {
    let audit = store.audit(uid).await.unwrap();
    assert_eq!(audit.differences, [], "counters and ledger");
    let keys = store.keys(uid).await.unwrap();
    let by_key: u64 = keys.iter().map(|key| key.used_this_month).sum();
    // The grant is an entry too.
    let entries = audit.entries - 1;
    (entries, entries.abs_diff(by_key))
}

async fn spend_what_is_left(store: &dyn Store, uid: &Uid) -> u64 {
    let mut spent = 0;
    loop {
        let draw = Draw::Account { uid: uid.clone(), channel: rembg_gateway::domain::caller::Channel::App, key: None };
        let id = fresh_operation_id().unwrap();
        let request = HoldRequest { id, draw, burst: None, lease: Duration::from_mins(1) };
        match store.hold(&request).await.unwrap() {
            Admission::Held(hold, _) => drop(store.keep(&hold).await.unwrap()),
            Admission::Denied(_) | Admission::Settled(_) => return spent,
        }
        spent += 1;
    }
}

async fn call_until_denied(base: SocketAddr, key: String, answered: Arc<AtomicU64>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut refused = 0;
    while refused < 40 {
        let body = Form::with_picture().body();
        let request = Request::post(format!("http://{base}/rmbg"))
            .header("x-api-key", &key)
            .header("content-type", Form::content_type())
            .body(Full::from(body))
            .unwrap();
        let asked = client.request(request).await;
        // A gateway that was killed has no more callers.
        if asked.as_ref().is_err_and(hyper_util::client::legacy::Error::is_connect) {
            refused += 1;
        }
        let Ok(answer) = asked else { continue };
        let status = answer.status().as_u16();
        let whole = answer.into_body().collect().await.is_ok();
        match status {
            200 if whole => drop(answered.fetch_add(1, Ordering::Relaxed)),
            429 => return,
            // Away: not known, so neither 401 nor 500.
            200 | 503 => {}
            other => panic!("{other} was answered"),
        }
        if status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn open(url: &str, clock: Clock) -> Arc<dyn Store> {
    let config = Config { store: StoreConfig { url: url.to_owned(), ..StoreConfig::default() }, ..Config::default() };
    store::open(&config, clock).await.unwrap_or_else(|fault| panic!("{url}: {fault}"))
}

fn journal_lines(folder: &Path) -> usize {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| fs::read_to_string(path).unwrap_or_default().lines().count()).sum()
}

#[expect(clippy::disallowed_methods, reason = "the gateways of these tests go by the machine's clock")]
fn now() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixMicros(i64::try_from(since.as_micros()).unwrap())
}
