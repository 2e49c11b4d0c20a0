//! One run: two gateways on one store, a stub backend that counts what it served, callers who count what they got, and in
//! the end the comparison of all counts.

use super::ledger::{self, Pictures};
use crate::support::{
    backend::StubBackend,
    clock::TurnedClock,
    form::{Form, png},
    gateway::{Installation, Serving},
    key,
    wait::until,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes};
use hyper_util::{
    client::legacy::{Client, Error},
    rt::TokioExecutor,
};
use rembg_gateway::{
    app::App,
    clock::Clock,
    config::{Config, StoreConfig},
    domain::{
        account::Uid,
        credit::{Admission, Channel, Draw, HoldRequest},
        time::UnixSeconds,
    },
    failpoint::Point,
    identity::Keyring,
    random::fresh_operation_id,
    store::{self, AccountChange, Store},
};
use std::{
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// The pepper of every gateway in these tests.
const PEPPER: &str = "a pepper for fault tests only";

/// The signal that ends a process which aborts.
const SIGABRT: i32 = 6;

/// The account's credits in each run: included and prepaid.
pub(crate) const INCLUDED: u64 = 80;
pub(crate) const PREPAID: i64 = 20;

/// This many callers call at once.
pub(crate) const CALLERS: usize = 8;

/// A gateway that serves: the binary as a process, or one in this process by a clock of the test's.
pub(crate) enum Gateway {
    Process(Serving),
    Here(Box<App>),
}

impl Gateway {
    pub(crate) fn public(&self) -> SocketAddr {
        match self {
            Self::Process(serving) => serving.public,
            Self::Here(app) => app.public,
        }
    }

    pub(crate) fn process(&mut self) -> &mut Serving {
        match self {
            Self::Process(serving) => serving,
            Self::Here(_) => panic!("this gateway is no process"),
        }
    }

    pub(crate) fn kill(&mut self) {
        self.process().process.kill();
    }

    /// Whether it has died as it was made to.
    fn has_died(&mut self) -> bool {
        let Some(status) = self.process().process.0.try_wait().unwrap() else { return false };
        assert_eq!(status.signal(), Some(SIGABRT), "{status}");
        true
    }

    async fn stop(self) {
        match self {
            Self::Process(serving) => serving.kill(),
            Self::Here(app) => (*app).stop().await,
        }
    }
}

/// The API that a run's callers use.
#[derive(Clone, Copy)]
pub(crate) enum Api {
    Rmbg,
    RemoveBg,
}

impl Api {
    fn path(self) -> &'static str {
        match self {
            Self::Rmbg => "/rmbg",
            Self::RemoveBg => "/v1.0/removebg",
        }
    }

    /// The ordinary upload.
    fn form(self) -> Form {
        match self {
            Self::Rmbg => Form::with_picture(),
            Self::RemoveBg => Form::empty().part(IMAGE_FILE, &png(4, 3)),
        }
    }
}

const IMAGE_FILE: &str = "Content-Disposition: form-data; name=\"image_file\"; filename=\"cat.png\"\r\n\r\n";

pub(crate) struct Run {
    pub(crate) api: Api,
    pub(crate) backend: StubBackend,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) uid: Uid,
    here: Installation,
    url: String,
    clock: Clock,
    key: String,
    answered: Arc<AtomicU64>,
    callers: JoinSet<()>,
}

/// The counts of one run: pictures that the backend served, that callers got, that are counted, that are counted more than
/// once, that callers got uncounted, that were counted after their lease; pictures beyond the limit; holds that outlived
/// their lease.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) served: u64,
    pub(crate) answered: u64,
    pub(crate) counted: u64,
    pub(crate) twice: u64,
    pub(crate) uncounted: u64,
    pub(crate) late: u64,
    pub(crate) overshoot: u64,
    pub(crate) stuck: u64,
}

impl Run {
    /// `url` is where the gateways find the store, `direct` where the test does.
    pub(crate) async fn start(url: &str, direct: &str) -> Self {
        Self::doomed(url, direct, None).await
    }

    /// The same, but the first gateway dies the nth time that it comes to a point.
    pub(crate) async fn doomed(url: &str, direct: &str, dies: Option<(Point, u64)>) -> Self {
        let dies = dies.map(|(point, time)| ("REMBG_GATEWAY_TEST_DIE_AT", format!("{}:{time}", point.name())));
        Self::troubled(url, direct, &dies.into_iter().collect::<Vec<_>>()).await
    }

    /// The same with variables in the first gateway's environment.
    pub(crate) async fn troubled(url: &str, direct: &str, trouble: &[(&'static str, String)]) -> Self {
        let mut run = Self::empty(direct, Clock::Own).await;
        for trouble in [trouble, &[]] {
            run.gateways.push(run.serve(url, trouble));
        }
        run
    }

    /// Both gateways go by a clock that the test turns, and so does the store.
    pub(crate) async fn turned(url: &str, clock: &TurnedClock) -> Self {
        let mut run = Self::empty(url, clock.clock()).await;
        for _ in 0..2 {
            let settings = run.settings(url).into_iter().map(|(name, value)| (name.to_owned(), value));
            let config = Config::load(None, settings).unwrap();
            run.gateways.push(Gateway::Here(Box::new(App::start(&config, clock.clock()).await.unwrap())));
        }
        run
    }

    async fn empty(direct: &str, clock: Clock) -> Self {
        let here = Installation::new().await;
        let store = open(direct, clock.clone()).await;
        let uid = Uid::new("42").unwrap();
        let key = customer(&*store, &uid).await;
        Self {
            api: Api::Rmbg,
            backend: here.backend.clone(),
            gateways: Vec::new(),
            uid,
            here,
            url: direct.to_owned(),
            clock,
            key,
            answered: Arc::default(),
            callers: JoinSet::new(),
        }
    }

    fn serve(&self, url: &str, trouble: &[(&'static str, String)]) -> Gateway {
        let mut settings = self.settings(url);
        settings.extend_from_slice(trouble);
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Gateway::Process(self.here.serve_with(&settings))
    }

    fn settings(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("REMBG_GATEWAY__LISTEN__PUBLIC", "127.0.0.1:0".into()),
            ("REMBG_GATEWAY__LISTEN__ADMIN", "127.0.0.1:0".into()),
            ("REMBG_GATEWAY__STORE__URL", url.into()),
            ("REMBG_GATEWAY__STORE__JOURNAL", self.journal()),
            ("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", PEPPER.into()),
            ("REMBG_GATEWAY__BACKEND__KIND", "rmbg".into()),
            ("REMBG_GATEWAY__BACKEND__URLS", self.backend.url()),
            ("REMBG_GATEWAY__BACKEND__CONCURRENCY", "64".into()),
            ("REMBG_GATEWAY__BACKEND__TIMEOUT_S", "20".into()),
            ("REMBG_GATEWAY__LIMITS__UPLOAD_TIMEOUT_S", "5".into()),
            ("REMBG_GATEWAY__PLANS__FREE", "{credits = 1, burst = {per_minute = 60000, size = 60000}}".into()),
        ]
    }

    fn journal(&self) -> String {
        self.here.folder().join("journal").to_str().unwrap().to_owned()
    }

    /// Starts callers, each of whom goes on until told that no credit is left.
    pub(crate) fn callers_come(&mut self) {
        for number in 0..CALLERS {
            let gateway = number % self.gateways.len();
            self.callers.spawn(self.calls(gateway));
        }
    }

    /// One caller of one gateway, until told that no credit is left.
    pub(crate) fn calls(&self, gateway: usize) -> impl Future<Output = ()> + use<> {
        call_until_denied(self.api, self.gateways[gateway].public(), self.key.clone(), Arc::clone(&self.answered))
    }

    /// One request that is not counted among those of the callers.
    pub(crate) async fn ask(&self, gateway: usize, form: &Form) -> Result<Response<()>, Error> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let answer = client.request(upload((self.api, form), self.gateways[gateway].public(), &self.key)).await?;
        Ok(answer.map(drop))
    }

    pub(crate) async fn answered(&self, pictures: u64) {
        until("callers get pictures", async || self.answered.load(Ordering::Relaxed) >= pictures).await;
    }

    /// Waits until a gateway has died as it was made to.
    pub(crate) async fn dies(&mut self, number: usize) {
        let gateway = &mut self.gateways[number];
        until("the gateway dies", async || gateway.has_died()).await;
    }

    /// A new gateway in the place of a killed one, and callers for it.
    pub(crate) fn replace(&mut self, number: usize, url: &str) {
        self.gateways[number] = self.serve(url, &[]);
        for _ in 0..CALLERS / 2 {
            self.callers.spawn(self.calls(number));
        }
    }

    /// Waits until every caller was told that the limit is reached, and adds up.
    pub(crate) async fn reckoning(mut self) -> Row {
        let everybody = async { while self.callers.join_next().await.is_some() {} };
        tokio::time::timeout(Duration::from_mins(1), everybody).await.expect("every caller reaches the limit");
        let journal = self.journal();
        until("nothing is left in the journals", async || store::keeps_left(Path::new(&journal)).unwrap() == 0).await;

        // The store is looked at as it will be when the leases of the killed gateways have ended.
        let later = self.clock.now().plus(Duration::from_mins(2));
        let store = open(&self.url, TurnedClock::at(later).clock()).await;
        let stuck = store.holds_open().await.unwrap();
        let limit = INCLUDED + PREPAID.unsigned_abs();
        let Pictures { counted, twice, late } = self.counted(&*store).await;
        let left = spend_what_is_left(&*store, &self.uid).await;
        let answered = self.answered.load(Ordering::Relaxed);
        let served = self.backend.seen().len() as u64;
        assert_eq!(counted.max(limit), counted + left, "what is not counted can be spent, and nothing else");
        for gateway in self.gateways {
            gateway.stop().await;
        }
        Row {
            served,
            answered,
            counted,
            twice: twice.max(counted.saturating_sub(served)),
            uncounted: answered.saturating_sub(counted),
            late,
            overshoot: counted.saturating_sub(limit),
            stuck,
        }
    }

    /// Counts the ledger's entries of pictures. Counters, balance and the key's own counter must agree with them.
    async fn counted(&self, store: &dyn Store) -> Pictures {
        let audit = store.audit(&self.uid).await.unwrap();
        assert_eq!(audit.differences, [], "counters and ledger");
        let pictures = ledger::pictures(&self.url, &self.uid);
        assert_eq!(audit.entries, pictures.counted + 1, "the ledger, with the grant's own entry");
        let keys = store.keys(&self.uid).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.used_this_month).sum::<u64>(), pictures.counted, "the key's counter");
        pictures
    }
}

/// Makes an account with credits, and a key for it.
async fn customer(store: &dyn Store, uid: &Uid) -> String {
    let change = AccountChange {
        plan: Some(("Free".into(), INCLUDED)),
        email_verified: Some(true),
        ..AccountChange::of(uid.clone())
    };
    store.put_account(&change).await.unwrap();
    store.grant(uid, PREPAID, &fresh_operation_id().unwrap()).await.unwrap();
    key::put_key(store, &Keyring::new(&PEPPER.into()), (uid, UnixSeconds(0)), |_| {}).await
}

async fn spend_what_is_left(store: &dyn Store, uid: &Uid) -> u64 {
    let mut spent = 0;
    loop {
        let draw = Draw::Account { uid: uid.clone(), channel: Channel::App, key: None };
        let id = fresh_operation_id().unwrap();
        let request = HoldRequest { id, draw, burst: None, lease: Duration::from_mins(1) };
        match store.hold(&request).await.unwrap() {
            Admission::Held(hold, _) => drop(store.keep(&hold).await.unwrap()),
            Admission::Denied(_) | Admission::Settled(_) => return spent,
        }
        spent += 1;
    }
}

fn upload((api, form): (Api, &Form), base: SocketAddr, key: &str) -> Request<Full<Bytes>> {
    Request::post(format!("http://{base}{}", api.path()))
        .header("x-api-key", key)
        .header("content-type", Form::content_type())
        .body(Full::from(form.body()))
        .unwrap()
}

async fn call_until_denied(api: Api, base: SocketAddr, key: String, answered: Arc<AtomicU64>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut refused = 0;
    while refused < 40 {
        let asked = client.request(upload((api, &api.form()), base, &key)).await;
        // A gateway that was killed has no more callers.
        if asked.as_ref().is_err_and(Error::is_connect) {
            refused += 1;
        }
        let Ok(answer) = asked else { continue };
        let status = answer.status().as_u16();
        let whole = answer.into_body().collect().await.is_ok();
        match status {
            200 if whole => drop(answered.fetch_add(1, Ordering::Relaxed)),
            // Credits are spent: 402 is how remove.bg says it.
            402 | 429 => return,
            // While the store is unavailable it is not known who calls, so neither 401 nor 500.
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
