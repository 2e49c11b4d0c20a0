//! Checks what types cannot express: values that make no sense, alone or together.

use super::{
    BackendConfig, BackendKind, Bytes, Config, LimitsConfig, SecretError, mistakes::Mistake, sources::contains,
};
use crate::domain::{credit::MOST_CREDITS, rate_limit::Burst, removebg::MOST_PIXELS};
use hyper::{Uri, http::uri::PathAndQuery};
use secrecy::{ExposeSecret as _, SecretString};
use std::{fmt::Display, fs, net::SocketAddr, ops::RangeInclusive};

/// A day: longer deadlines are mistakes, and far longer ones do not fit the clock.
const SECONDS: RangeInclusive<u64> = 1..=86_400;

/// The longest drain delay in seconds: supervisors kill a process that takes far longer to stop.
const LONGEST_DRAIN: u64 = 3_600;

/// More threads than any machine has cores.
const MOST_WORKERS: u64 = 1_024;

/// Months of the ledger that may be kept: at most a century.
const MONTHS: RangeInclusive<u64> = 1..=1_200;

/// The largest size: far more than any machine has, and small enough that sums of such sizes do not overflow.
const MOST_BYTES: Bytes = Bytes(1 << 50);

/// The fewest characters that a pepper may have.
pub(super) const SHORTEST_PEPPER: usize = 16;

/// Adds every mistake, except about settings that could not be read in the first place.
pub(super) fn check(config: &Config, mistakes: &mut Vec<Mistake>) {
    let mut checks = Checks { unread: mistakes.iter().map(|mistake| mistake.path.clone()).collect(), mistakes };
    checks.plans(config);
    checks.listen(config);
    checks.store(config);
    checks.limits(&config.limits);
    checks.backend(&config.backend);
    checks.pepper(config);
    checks.stripe(config);
    checks.user_token(config);
    checks.callers(config);
    checks.dialects(config);
    checks.pages(config);
    checks.within("log.lines_per_cause", config.log.lines_per_cause.into(), 1..=10_000);
}

struct Checks<'a> {
    unread: Vec<String>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Checks<'_> {
    fn plans(&mut self, config: &Config) {
        for (name, plan) in &config.plans {
            self.burst(&format!("plans.{name}.burst"), plan.burst);
            self.within(&format!("plans.{name}.credits"), plan.credits, 0..=MOST_CREDITS);
        }
        if self.was_read("plans") {
            let names: Vec<_> = config.plans.keys().map(String::as_str).collect();
            let known = config.plans.contains_key(&config.default_plan);
            let fault = format!("there is no plan \"{}\"; there are: {}", config.default_plan, names.join(", "));
            self.require("default_plan", known, fault);
        }
    }

    fn listen(&mut self, config: &Config) {
        let listen = &config.listen;
        let addresses = [("public", Some(listen.public)), ("admin", Some(listen.admin)), ("plain", listen.plain)];
        for (at, (name, address)) in addresses.iter().enumerate().skip(1) {
            for (other, taken) in &addresses[..at] {
                let apart = address.is_none_or(|address| Some(address) != *taken || address.port() == 0);
                let fault = || format!("is {}, the same as listen.{other}; use another port", shown(*address));
                if self.was_read(&format!("listen.{other}")) && !apart {
                    self.require(&format!("listen.{name}"), false, fault());
                }
            }
        }
        match (&listen.tls_cert, &listen.tls_key) {
            (Some(_), None) => self.require("listen.tls_key", false, "needs a file, because tls_cert is set"),
            (None, Some(_)) => self.require("listen.tls_cert", false, "needs a file, because tls_key is set"),
            (None, None) => {
                let fault = "needs tls_cert and tls_key; without them, listen.public itself has no TLS";
                self.require("listen.plain", listen.plain.is_none(), fault);
            }
            (Some(_), Some(_)) => {}
        }
        self.within("listen.workers", listen.workers as u64, 0..=MOST_WORKERS);
        self.within("listen.head_timeout_s", listen.head_timeout_s, SECONDS);
        self.within("listen.idle_timeout_s", listen.idle_timeout_s, SECONDS);
        self.within("listen.drain_delay_s", listen.drain_delay_s, 0..=LONGEST_DRAIN);
    }

    fn store(&mut self, config: &Config) {
        self.within("store.ledger_months", config.store.ledger_months.unwrap_or(1), MONTHS);
        let example = "sqlite:PATH, such as \"sqlite:data/gateway.db\"";
        match config.store.redis_url() {
            Some(Ok(url)) => {
                let api_key = &config.auth.api_key;
                let given = !api_key.pepper.is_empty() || api_key.pepper_file.is_some();
                let fault = "must be set, to the same value for every gateway on one Redis";
                self.require("auth.api_key.pepper", given, fault);
                let fault = "is only for a Redis with TLS; write rediss:// in store.url";
                self.require("store.ca_file", url.tls || url.ca_file.is_none(), fault);
                if let Some(Err(error)) = url.ca_file.map(fs::read) {
                    self.require("store.ca_file", false, format!("cannot be read: {error}"));
                }
            }
            Some(Err(fault)) => self.require("store.url", false, fault),
            None if config.store.url.starts_with("sqlite:") => {
                let named = config.store.sqlite_path().is_some();
                self.require("store.url", named, format!("names no file; write {example}"));
            }
            None => {
                let scheme = config.store.url.split(':').next().unwrap_or_default();
                let fault = format!("unknown kind \"{scheme}\"; write {example}, or redis://HOST:PORT");
                self.require("store.url", false, fault);
            }
        }
    }

    fn limits(&mut self, limits: &LimitsConfig) {
        self.within("limits.upload_timeout_s", limits.upload_timeout_s, SECONDS);
        self.within("limits.transfer_grace_s", limits.transfer_grace_s, SECONDS);
        self.require(
            "limits.transfer_min_rate",
            limits.transfer_min_rate.0 >= 1,
            "must be at least 1 byte (per second)",
        );
        for (key, size) in [
            ("memory_budget", limits.memory_budget),
            ("spool_budget", limits.spool_budget),
            ("max_answer", limits.max_answer),
            ("pixel_memory", limits.pixel_memory),
            ("transfer_min_rate", limits.transfer_min_rate),
        ] {
            self.require(&format!("limits.{key}"), size <= MOST_BYTES, format!("must be at most {MOST_BYTES}"));
        }
        self.within("limits.connections", u64::from(limits.connections), 1..=1_000_000);
        self.within("limits.connections_per_client", u64::from(limits.connections_per_client), 1..=1_000_000);
        self.require("limits.max_answer", limits.max_answer.0 >= 1, "must be at least 1 byte");
        if self.was_read("limits.max_answer") {
            let enough = limits.spool_budget.0 / 2 >= limits.max_answer.0;
            let fault =
                format!("is {}, must be at least twice max_answer ({})", limits.spool_budget, limits.max_answer);
            self.require("limits.spool_budget", enough, fault);
        }
        let (answer, all) = (limits.max_answer, limits.spool_budget);
        for (path, held) in
            [("limits.held_per_client", limits.held_per_client), ("limits.held_per_account", limits.held_per_account)]
        {
            let fits = held.is_none_or(|held| (answer..=all).contains(&held));
            let fault = format!("must be between max_answer ({answer}) and spool_budget ({all})");
            self.require(path, fits || answer > all, fault);
        }
    }

    fn backend(&mut self, backend: &BackendConfig) {
        self.within("backend.concurrency", backend.concurrency as u64, 1..=65_536);
        self.within("backend.waiting_per_slot", backend.waiting_per_slot as u64, 0..=65_536);
        self.within("backend.check_interval_s", backend.check_interval_s, SECONDS);
        self.require("backend.health_path", is_path(&backend.health_path), "must be a path such as \"/healthz\"");
        self.require("backend.rembg_model", !backend.rembg_model.is_empty(), "must name a model such as \"u2netp\"");
        self.within("backend.connect_timeout_s", backend.connect_timeout_s, SECONDS);
        self.within("backend.timeout_s", backend.timeout_s, SECONDS);
        if self.was_read("backend.kind") {
            let (given, fault) = match backend.kind {
                BackendKind::Builtin => (backend.urls.is_empty(), "must be left out for kind = \"builtin\""),
                BackendKind::Rmbg => (!backend.urls.is_empty(), "must name at least one address for kind = \"rmbg\""),
                BackendKind::Rembg => (!backend.urls.is_empty(), "must name at least one address for kind = \"rembg\""),
            };
            self.require("backend.urls", given, fault);
        }
        for (index, url) in backend.urls.iter().enumerate() {
            if let Err(fault) = http_address(url) {
                self.require(&format!("backend.urls[{index}]"), false, fault);
            }
        }
        self.within("backend.reconcile.interval_s", backend.reconcile.interval_s, SECONDS);
        if let Some(Err(fault)) = backend.reconcile.url.as_deref().map(http_address) {
            self.require("backend.reconcile.url", false, fault);
        }
        let both = backend.api_key.is_some() && backend.api_key_file.is_some();
        let key = self.secret("backend.api_key", both, backend.given_api_key());
        let sendable = |key: &SecretString| key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
        let fault = "must be printable ASCII without spaces";
        self.require("backend.api_key", key.is_none_or(|key| sendable(&key)), fault);
        for (index, key) in backend.api_keys.iter().enumerate() {
            let path = format!("backend.api_keys[{index}]");
            self.require(&path, sendable(key) && !key.expose_secret().is_empty(), fault);
        }
        if let Some(Err(error)) = backend.ca_file.as_ref().map(fs::read) {
            self.require("backend.ca_file", false, format!("cannot be read: {error}"));
        }
    }

    fn pepper(&mut self, config: &Config) {
        let api_key = &config.auth.api_key;
        let both = !api_key.pepper.is_empty() && api_key.pepper_file.is_some();
        let newest = api_key.given_peppers().map(|peppers| peppers.first().cloned());
        self.secret("auth.api_key.pepper", both, newest);
        let is_long = |pepper: &SecretString| pepper.expose_secret().chars().count() >= SHORTEST_PEPPER;
        // A pepper that cannot be read has been reported just now.
        let long = api_key.given_peppers().map_or(true, |peppers| peppers.iter().all(is_long));
        self.require("auth.api_key.pepper", long, format!("must have at least {SHORTEST_PEPPER} characters"));
    }

    fn stripe(&mut self, config: &Config) {
        let stripe = &config.stripe;
        self.within("stripe.tolerance_s", stripe.tolerance_s, SECONDS);
        self.within("stripe.renewal_grace_days", stripe.renewal_grace_days.into(), 0..=366);
        let path = "stripe.webhook_secrets";
        let both = !stripe.webhook_secrets.is_empty() && stripe.webhook_secrets_file.is_some();
        self.require(path, !both, "is given twice: keep webhook_secrets or webhook_secrets_file");
        if let Err(error) = stripe.given_webhook_secrets() {
            let file = matches!(error, SecretError::Unreadable(..));
            self.require(&if file { format!("{path}_file") } else { path.to_owned() }, false, error);
        }
        let plans_were_read = self.was_read("plans");
        for (price, plan) in stripe.prices.iter().filter(|_| plans_were_read) {
            let names: Vec<_> = config.plans.keys().map(String::as_str).collect();
            let fault = format!("there is no plan \"{plan}\"; there are: {}", names.join(", "));
            self.require(&format!("stripe.prices.{price}"), config.plans.contains_key(plan), fault);
        }
        for (link, credits) in &stripe.packs {
            self.within(&format!("stripe.packs.{link}"), *credits, 1..=MOST_CREDITS);
        }
    }

    fn callers(&mut self, config: &Config) {
        self.burst("anonymous.burst", config.anonymous.burst);
        self.within("anonymous.per_day", config.anonymous.per_day, 0..=MOST_CREDITS);
        for (index, fault) in config.cors.complaints() {
            self.require(&format!("cors.origins[{index}]"), false, fault);
        }
    }

    fn burst(&mut self, path: &str, burst: Burst) {
        for (key, value) in [("per_minute", burst.per_minute), ("size", burst.size)] {
            self.within(&format!("{path}.{key}"), value.into(), 1..=Burst::MOST.into());
        }
    }

    fn pages(&mut self, config: &Config) {
        for (name, fault) in config.pages.complaints() {
            self.require(&format!("pages.{name}"), false, fault);
        }
    }

    fn dialects(&mut self, config: &Config) {
        let pixels = config.backend.pixel_limit().map_or(MOST_PIXELS, |most| most.min(MOST_PIXELS));
        let least = LimitsConfig::least_pixel_memory(pixels);
        let enough = !config.dialects.removebg || config.limits.pixel_memory >= least;
        let given = config.limits.pixel_memory;
        let fault =
            format!("is {given}, less than a picture of {pixels} pixels may need ({least}) with dialects.removebg");
        self.require("limits.pixel_memory", enough, fault);
        for (name, fault) in config.dialects.url.complaints() {
            self.require(&format!("dialects.url.{name}"), false, fault);
        }
    }

    fn user_token(&mut self, config: &Config) {
        for (path, fault) in config.auth.user_token.complaints() {
            self.require(&path, false, fault);
        }
    }

    fn secret(
        &mut self,
        path: &str,
        both: bool,
        given: Result<Option<SecretString>, SecretError>,
    ) -> Option<SecretString> {
        let name = path.rsplit('.').next().unwrap_or(path);
        self.require(path, !both, format!("is given twice: keep {name} or {name}_file"));
        given
            .map_err(|error| {
                let file = matches!(error, SecretError::Unreadable(..));
                self.require(&if file { format!("{path}_file") } else { path.to_owned() }, false, error);
            })
            .ok()
            .flatten()
    }

    fn within(&mut self, path: &str, value: u64, range: RangeInclusive<u64>) {
        let fault = format!("must be between {} and {}, is {value}", range.start(), range.end());
        self.require(path, range.contains(&value), fault);
    }

    fn require(&mut self, path: &str, holds: bool, fault: impl Display) {
        if !holds && self.was_read(path) {
            self.mistakes.push(Mistake::new(path, fault.to_string()));
        }
    }

    /// Whether the setting, everything around it and everything inside it could be read.
    fn was_read(&self, path: &str) -> bool {
        !self.unread.iter().any(|unread| contains(path, unread) || contains(unread, path))
    }
}

fn shown(address: Option<SocketAddr>) -> String {
    address.map_or_else(String::new, |address| address.to_string())
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.parse::<PathAndQuery>().is_ok()
}

/// Whether it is an http or https address without a password.
pub(super) fn http_address(text: &str) -> Result<(), &'static str> {
    let form = "must be an address such as \"http://127.0.0.1:7000/api/remove\"";
    let address: Uri = text.parse().map_err(|_| form)?;
    if !matches!(address.scheme_str(), Some("http" | "https")) || address.host().is_none_or(str::is_empty) {
        return Err(form);
    }
    match address.authority() {
        Some(authority) if authority.as_str().contains('@') => Err("must not hold a password; use api_key"),
        _ => Ok(()),
    }
}
