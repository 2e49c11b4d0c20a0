//! Every setting, typed, with its default. `config/gateway.toml` shows them all.
//!
//! Layers: defaults, then the file, then the environment; see [`Config::load`].

mod anonymous;
mod backend;
mod check;
mod cors;
mod dialects;
mod environment;
mod limits;
mod listen;
mod load;
mod mistakes;
mod pages;
mod paths;
mod redis_url;
mod reference;
mod reload;
mod secrets;
mod settings;
mod shown;
mod sources;
mod store;
mod stripe;
#[cfg(test)]
mod tests;
mod typed;
mod user_token;
mod warnings;

pub use anonymous::AnonymousConfig;
pub use backend::{BackendConfig, BackendKind, ReconcileConfig};
pub use cors::CorsConfig;
pub use dialects::{DialectsConfig, RembgDialectConfig, UrlConfig};
pub use limits::{Bytes, LimitsConfig};
pub use listen::ListenConfig;
pub use mistakes::{ConfigErrors, Mistake};
pub use pages::{LinkConfig, PagesConfig};
pub use redis_url::{Node, RedisPlace, RedisUrl};
pub use reference::PREFIX as ENVIRONMENT_PREFIX;
pub use reload::Differences;
pub use secrets::SecretError;
pub use settings::Setting;
pub use shown::without_query;
pub use sources::{Place, Sources};
pub use store::StoreConfig;
pub use stripe::{ReversalPolicy, StripeConfig};
pub use user_token::{IssuerConfig, Preset, SHORTEST_SECRET_BYTES, UserTokenConfig};
pub use warnings::Warning;

use crate::domain::{
    plan::{Plan, Terms},
    rate_limit::Burst,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The whole configuration. Unknown keys are errors. Serialised, for people to look at, its secrets are `***`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct Config {
    /// The plan of an account for which none is named; must be one of `plans`.
    pub default_plan: String,
    /// Where to listen.
    pub listen: ListenConfig,
    /// The store of accounts, keys and counters.
    pub store: StoreConfig,
    /// Bounds on what requests may take.
    pub limits: LimitsConfig,
    /// The service that removes the background.
    pub backend: BackendConfig,
    /// How callers prove who they are.
    pub auth: AuthConfig,
    /// Plans by name.
    pub plans: BTreeMap<String, Plan>,
    /// Callers with neither key nor token.
    pub anonymous: AnonymousConfig,
    /// Web pages that may call from a browser.
    pub cors: CorsConfig,
    /// The APIs of others.
    pub dialects: DialectsConfig,
    /// The pages for browsers.
    pub pages: PagesConfig,
    /// Billing by Stripe.
    pub stripe: StripeConfig,
    /// The log.
    pub log: LogConfig,
    /// Where each of these was written.
    #[serde(skip)]
    pub sources: Sources,
    /// What each file of secrets held when the configuration was loaded, by its setting, so that a reload sees a change.
    #[serde(skip)]
    pub file_secrets: Vec<(&'static str, SecretString)>,
}

impl Default for Config {
    fn default() -> Self {
        let plan = |credits, per_minute, size| Plan {
            credits,
            burst: Burst { per_minute, size },
            priority: 0,
            max_pixels: None,
        };
        Self {
            default_plan: "Free".into(),
            listen: ListenConfig::default(),
            store: StoreConfig::default(),
            limits: LimitsConfig::default(),
            backend: BackendConfig::default(),
            auth: AuthConfig::default(),
            plans: BTreeMap::from([
                ("Free".into(), plan(50, 60, 20)),
                ("Premium-20000".into(), plan(20_000, 600, 100)),
            ]),
            anonymous: AnonymousConfig::default(),
            cors: CorsConfig::default(),
            dialects: DialectsConfig::default(),
            pages: PagesConfig::default(),
            stripe: StripeConfig::default(),
            log: LogConfig::default(),
            sources: Sources::default(),
            file_secrets: Vec::new(),
        }
    }
}

impl Config {
    /// The terms on which a subscription keeps its plan.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let credits = self.plans.get(&self.default_plan).map_or(0, |plan| plan.credits);
        Terms { renewal_grace: self.stripe.renewal_grace(), default_plan: (self.default_plan.clone(), credits) }
    }
}

/// `[auth]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct AuthConfig {
    /// `[auth.api_key]`
    pub api_key: ApiKeyConfig,
    /// `[auth.user_token]`
    pub user_token: UserTokenConfig,
}

/// `[auth.api_key]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct ApiKeyConfig {
    /// Secrets under which keys are hashed, newest first: new keys use the first, existing keys are found under any.
    /// Without any, the embedded store makes its own beside its file.
    #[serde(with = "secrets::one_or_many")]
    pub pepper: Vec<SecretString>,
    /// A file that holds the peppers, one a line, newest first.
    pub pepper_file: Option<PathBuf>,
}

impl ApiKeyConfig {
    /// The configured peppers, by value or from the file, newest first; empty if there are none.
    pub fn given_peppers(&self) -> Result<Vec<SecretString>, SecretError> {
        match (self.pepper.as_slice(), &self.pepper_file) {
            ([], Some(file)) => secrets::lines(file),
            (given, _) if given.iter().any(|pepper| pepper.expose_secret().is_empty()) => Err(SecretError::Empty),
            (given, _) => Ok(given.to_vec()),
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: LogLevel,
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
    /// How much of a client's address is shown: `full`, `network` or `none`.
    pub client_address: ShownAddress,
    /// The most lines a second about refusals and failures with the same code.
    pub lines_per_cause: u32,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
            client_address: ShownAddress::Network,
            lines_per_cause: 10,
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only errors that need an operator.
    Error,
    /// Also conditions that may soon need one.
    Warn,
    /// Also one line for each request.
    Info,
    /// Also the steps that led there.
    Debug,
    /// Also everything else.
    Trace,
}

/// How much of a client's address the log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShownAddress {
    /// The whole address.
    Full,
    /// Its network: /24 of IPv4, /64 of IPv6.
    Network,
    /// Nothing.
    None,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
