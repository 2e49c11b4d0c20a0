//! A gateway with everything switched on, what it depends on, and the Prometheus that reads it.

#[path = "../../../src/identity/user_token/tests/forge.rs"]
#[expect(dead_code, reason = "only good tokens are needed here")]
mod forge;

use super::prometheus::{Prometheus, now};
use crate::support::{
    backend::{Manner, StubBackend},
    certificate::{certify, certify_between},
    form::{Form, png},
    gateway::{Installation, Serving},
    people::Person,
    redis::{Redis, SAVED, free_port},
    signer::signature,
    wait::until,
};
use forge::Signer;
use hyper::Method;
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::interval};

const SECRET: &str = "whsec_of_these_tests";
const ISSUER: &str = "https://issuer.example/";

/// Credits of our account at the backend when the tests begin.
const BOUGHT: u64 = 5_000;

pub(super) struct Scene {
    pub(super) here: Installation,
    /// The second service; the first is the installation's.
    pub(super) second: StubBackend,
    pub(super) redis: Redis,
    serving: Serving,
    pub(super) prometheus: Prometheus,
    /// The listener without TLS, for clients that check certificates.
    plain: SocketAddr,
    account: StubBackend,
    spent: Arc<AtomicBool>,
    signer: Signer,
    _issuer: StubBackend,
}

impl Scene {
    pub(super) async fn start() -> Self {
        let (here, second, account) =
            (Installation::new().await, StubBackend::start().await, StubBackend::start().await);
        let (issuer, signer) = (StubBackend::start().await, Signer::new("ES256"));
        let keys = json!({"keys": [signer.jwk_named("k1")]}).to_string();
        issuer.will_tell(Manner::says(200, "content-type: application/json\r\n", keys));
        let (redis, plain) = (Redis::on_socket(&SAVED).await, SocketAddr::from(([127, 0, 0, 1], free_port())));
        certify(here.folder(), "cert", &["localhost"]);
        let addresses = [&here.backend, &second, &account, &issuer].map(|stub| stub.address);
        fs::write(here.folder().join("gateway.toml"), settings(&addresses, plain, &redis)).unwrap();
        tell(&account, BOUGHT, 0);
        let serving = here.serve_with(&[("REMBG_GATEWAY_TEST_PANIC_AT", "in_page")]);
        let prometheus = Prometheus::start(serving.admin).await;
        let spent = Arc::default();
        Self { here, second, redis, serving, prometheus, plain, account, spent, signer, _issuer: issuer }
    }

    pub(super) fn stranger(&self) -> Person {
        Person::stranger(self.plain)
    }

    /// The holder of a key of a new account, made with these options.
    pub(super) fn customer(&self, uid: &str, options: &[&str]) -> Person {
        self.here.json(&[&["user", "add", uid], options].concat());
        let key = self.here.json(&["key", "create", uid])["key"].as_str().unwrap().to_owned();
        Person::with_key(self.plain, &key)
    }

    /// A signed-in user.
    pub(super) fn user(&self, sub: &str) -> Person {
        #[expect(clippy::cast_possible_truncation, reason = "the time in seconds is small")]
        let ends = now() as i64 + 3_600;
        let claims = json!({"iss": ISSUER, "aud": "these-tests", "sub": sub, "exp": ends, "email_verified": true});
        self.stranger().with("authorization", &format!("Bearer {}", self.signer.token("k1", &claims)))
    }

    /// Stripe delivers this, made some seconds ago. Answers with the status.
    pub(super) async fn stripe_sends(&self, id: &str, kind: &str, object: &Value) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "the time in seconds is small")]
        let created = now() as i64 - 3;
        let event = json!({"id": id, "object": "event", "created": created, "type": kind, "data": {"object": object}});
        self.delivered(&event.to_string(), SECRET).await
    }

    pub(super) async fn delivered(&self, body: &str, secret: &str) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "the time in seconds is small")]
        let signed = tokio::task::block_in_place(|| signature(body, secret, now() as i64));
        let headers = [("content-type", "application/json"), ("stripe-signature", signed.as_str())];
        self.stranger().ask(Method::POST, "/api/webhooks/stripe", &headers, body.into()).await.status
    }

    /// Both services do this from now on.
    pub(super) fn backends_will(&self, manner: &Manner) {
        self.here.backend.will(manner.clone());
        self.second.will(manner.clone());
    }

    /// Our account at the backend is spent from now on, or is not.
    pub(super) fn account_is_spent(&self, spent: bool) {
        self.spent.store(spent, Ordering::Relaxed);
    }

    /// Callers of every kind, some times a second until the answer is dropped; and the backend's reports of our account.
    pub(super) fn callers_keep_coming(&self) -> JoinSet<()> {
        let mut coming = JoinSet::new();
        let prepaid = self.customer("prepaid", &["--credits", "0", "--prepaid", "5000", "--plan", "Large"]);
        let callers = [
            (self.customer("ann", &[]), 70, "/rmbg"),
            (self.customer("bob", &["--plan", "Large"]), 110, "/api/remove"),
            (prepaid, 190, "/rmbg"),
            (self.user("carl"), 130, "/rmbg"),
            (self.stranger(), 310, "/rmbg"),
        ];
        for (person, pause, path) in callers {
            let form = if path == "/rmbg" { Form::with_picture() } else { rembg_form() };
            coming.spawn(async move {
                let mut ticks = interval(Duration::from_millis(pause));
                for number in 0_u32.. {
                    ticks.tick().await;
                    let [.., high, low] = number.to_be_bytes();
                    let person = person.clone().calling_from(&format!("192.0.{high}.{low}"));
                    person.post(path, &Form::content_type(), form.body()).await;
                }
            });
        }
        let (account, spent) = (self.account.clone(), Arc::clone(&self.spent));
        let services = [self.here.backend.clone(), self.second.clone()];
        coming.spawn(async move {
            let mut ticks = interval(Duration::from_millis(200));
            loop {
                ticks.tick().await;
                let used: usize = services.iter().map(|service| service.seen().len()).sum();
                let used = used as u64;
                tell(&account, if spent.load(Ordering::Relaxed) { used } else { BOUGHT }, used);
            }
        });
        coming
    }

    /// Waits until one of the services has a request with these words.
    pub(super) async fn a_backend_has(&self, words: &str) {
        until("a backend has the picture", async || {
            let mut all = self.here.backend.seen().into_iter().chain(self.second.seen());
            all.any(|one| one.text().contains(words))
        })
        .await;
    }

    /// Callers of one account, this many at once; answers when all have theirs.
    pub(super) async fn crowd(&self, person: &Person, size: usize) -> Vec<u16> {
        let asking = (0..size).map(|_| {
            let person = person.clone();
            async move { person.cut(&Form::with_picture()).await.status }
        });
        asking.collect::<JoinSet<_>>().join_all().await
    }

    /// A certificate that has lived for so many days and will for so many more takes the present one's place.
    pub(super) fn certificate_lives(&self, days: (i64, i64)) {
        certify_between(self.here.folder(), "cert", &["localhost"], [date(-days.0), date(days.1)]);
    }

    /// The gateway is told to load its configuration again.
    pub(super) fn reload(&self) {
        self.serving.signal("HUP");
    }
}

pub(super) fn rembg_form() -> Form {
    Form::empty().part("Content-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\n\r\n", &png(4, 3))
}

/// The day that is so many days from now: year, month, day.
fn date(days: i64) -> (i32, u8, u8) {
    let day = jiff::Zoned::now().date() + jiff::Span::new().days(days);
    (day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs())
}

/// The backend says that so many of the credits of our account are used.
fn tell(account: &StubBackend, credits: u64, used: u64) {
    let report = json!({
        "membership": "Premium", "credits": credits, "prepaidCredits": 0, "app_usage": 0, "api_usage": used,
    });
    account.will_tell(Manner::says(200, "content-type: application/json\r\n", report.to_string()));
}

fn settings(addresses: &[SocketAddr; 4], plain: SocketAddr, redis: &Redis) -> String {
    let [first, second, account, issuer] = addresses;
    format!(
        r#"
        default_plan = "Small"
        listen = {{ public = "127.0.0.1:0", admin = "127.0.0.1:0", plain = "{plain}", tls_cert = "cert.pem", tls_key = "cert-key.pem" }}
        store = {{ url = "{}", journal = "journal" }}
        auth.api_key.pepper = "a pepper for these tests only"
        auth.user_token = {{ issuer = "{ISSUER}", audience = ["these-tests"], jwks_url = "http://{issuer}/jwks" }}
        limits = {{ max_answer = "2 KiB", spool_budget = "1 MiB", bad_credentials_per_minute = 100000, trusted_proxies = ["127.0.0.0/8"] }}
        plans.Small = {{ credits = 100000, burst = {{ per_minute = 60000, size = 10000 }} }}
        plans.Large = {{ credits = 200000, burst = {{ per_minute = 60000, size = 10000 }}, priority = 1 }}
        anonymous = {{ per_day = 5, burst = {{ per_minute = 60000, size = 10000 }} }}
        stripe = {{ webhook_secrets = ["{SECRET}"], packs = {{ plink_small = 500 }}, prices = {{ price_large = "Large" }} }}
        log = {{ format = "json" }}

        [backend]
        kind = "rmbg"
        urls = ["http://{first}/rmbg", "http://{second}/rmbg"]
        api_keys = ["key-1", "key-2"]
        concurrency = 2
        waiting_per_slot = 4
        timeout_s = 2
        connect_timeout_s = 1
        check_interval_s = 1
        max_pixels = 4000000
        reconcile = {{ url = "http://{account}/api/membership-usage", interval_s = 1, exclusive = true }}
        "#,
        redis.url()
    )
}
