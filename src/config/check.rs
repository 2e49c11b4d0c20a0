//! What types cannot say: values that make no sense, or not together.

use super::{BackendConfig, BackendKind, Config, LimitsConfig, SecretError, mistakes::Mistake};
use hyper::Uri;
use secrecy::{ExposeSecret as _, SecretString};
use std::{fmt::Display, ops::RangeInclusive};

/// A day: longer deadlines are mistakes, and far longer ones do not fit the clock.
const SECONDS: RangeInclusive<u64> = 1..=86_400;

/// Characters of the shortest pepper that is taken.
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
}

struct Checks<'a> {
    unread: Vec<String>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Checks<'_> {
    fn plans(&mut self, config: &Config) {
        for (name, plan) in &config.plans {
            for (key, value) in [("per_minute", plan.burst.per_minute), ("size", plan.burst.size)] {
                self.require(&format!("plans.{name}.burst.{key}"), value >= 1, "must be at least 1");
            }
        }
        if self.was_read("plans") {
            let names: Vec<_> = config.plans.keys().map(String::as_str).collect();
            let known = config.plans.contains_key(&config.default_plan);
            let fault = format!("there is no plan \"{}\"; there are: {}", config.default_plan, names.join(", "));
            self.require("default_plan", known, fault);
        }
    }

    fn listen(&mut self, config: &Config) {
        let (public, admin) = (config.listen.public, config.listen.admin);
        if self.was_read("listen.public") {
            let apart = public != admin || public.port() == 0;
            self.require("listen.admin", apart, format!("is {admin}, as is listen.public; take another port"));
        }
    }

    fn store(&mut self, config: &Config) {
        let example = "sqlite:PATH, such as \"sqlite:data/gateway.db\"";
        match config.store.redis_url() {
            Some(Ok(_)) => {
                let api_key = &config.auth.api_key;
                let given = api_key.pepper.is_some() || api_key.pepper_file.is_some();
                let fault = "must be set: every gateway on one Redis needs the same";
                self.require("auth.api_key.pepper", given, fault);
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
        self.within("limits.connections", u64::from(limits.connections), 1..=1_000_000);
        self.require("limits.max_answer", limits.max_answer.0 >= 1, "must be at least 1 byte");
        if self.was_read("limits.max_answer") {
            let enough = limits.spool_budget >= limits.max_answer;
            let fault = format!("is {}, less than one answer (max_answer: {})", limits.spool_budget, limits.max_answer);
            self.require("limits.spool_budget", enough, fault);
        }
    }

    fn backend(&mut self, backend: &BackendConfig) {
        self.within("backend.concurrency", backend.concurrency as u64, 1..=65_536);
        self.within("backend.connect_timeout_s", backend.connect_timeout_s, SECONDS);
        self.within("backend.timeout_s", backend.timeout_s, SECONDS);
        if self.was_read("backend.kind") {
            let (given, fault) = match backend.kind {
                BackendKind::Builtin => (backend.urls.is_empty(), "must be left out for kind = \"builtin\""),
                BackendKind::Rmbg => (!backend.urls.is_empty(), "must name at least one address for kind = \"rmbg\""),
            };
            self.require("backend.urls", given, fault);
        }
        for (index, url) in backend.urls.iter().enumerate() {
            if let Err(fault) = http_address(url) {
                self.require(&format!("backend.urls[{index}]"), false, fault);
            }
        }
        let both = backend.api_key.is_some() && backend.api_key_file.is_some();
        let key = self.secret("backend.api_key", both, backend.given_api_key());
        let sendable = key.is_none_or(|key| key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()));
        self.require("backend.api_key", sendable, "must be printable ASCII without spaces");
    }

    fn pepper(&mut self, config: &Config) {
        let api_key = &config.auth.api_key;
        let both = api_key.pepper.is_some() && api_key.pepper_file.is_some();
        let pepper = self.secret("auth.api_key.pepper", both, api_key.given_pepper());
        let long = pepper.is_none_or(|pepper| pepper.expose_secret().chars().count() >= SHORTEST_PEPPER);
        self.require("auth.api_key.pepper", long, format!("must have at least {SHORTEST_PEPPER} characters"));
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
            self.mistakes.push(Mistake { path: path.to_owned(), fault: fault.to_string() });
        }
    }

    /// Whether neither the setting, nor anything around or inside it, was unreadable.
    fn was_read(&self, path: &str) -> bool {
        let inside = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        !self.unread.iter().any(|unread| inside(unread, path) || inside(path, unread))
    }
}

fn http_address(text: &str) -> Result<(), &'static str> {
    let form = "must be an address such as \"http://127.0.0.1:7000/api/remove\"";
    let address: Uri = text.parse().map_err(|_| form)?;
    if !matches!(address.scheme_str(), Some("http" | "https")) || address.host().is_none_or(str::is_empty) {
        return Err(form);
    }
    match address.authority() {
        Some(authority) if authority.as_str().contains('@') => Err("must hold no password; use api_key"),
        _ => Ok(()),
    }
}
