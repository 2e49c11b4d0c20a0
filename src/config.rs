//! Every setting, typed, with its default. `config/gateway.toml` shows them all.
//!
//! Layers: defaults, then the file, then the environment; see [`Config::load`].

mod backend;
mod check;
mod environment;
mod limits;
mod load;
mod mistakes;
mod redis_url;
mod secrets;
mod store;
mod stripe;
#[cfg(test)]
mod tests;
mod typed;

pub use backend::{BackendConfig, BackendKind};
pub use environment::PREFIX as ENVIRONMENT_PREFIX;
pub use limits::{Bytes, LimitsConfig};
pub use mistakes::{ConfigErrors, Mistake};
pub use redis_url::{Node, RedisPlace, RedisUrl};
pub use secrets::SecretError;
pub use store::StoreConfig;
pub use stripe::{ReversalPolicy, StripeConfig};

use crate::domain::{credit::Burst, plan::Plan};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

/// The whole configuration. Unknown keys are errors. Serialised, for people to look at, its secrets are `***`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct Config {
    /// The plan of an account for which none is named; must be one of `plans`.
    pub default_plan: String,
    /// Where to listen.
    pub listen: ListenConfig,
    /// Where everything is remembered.
    pub store: StoreConfig,
    /// Bounds on what requests may take.
    pub limits: LimitsConfig,
    /// What removes the background.
    pub backend: BackendConfig,
    /// How callers prove who they are.
    pub auth: AuthConfig,
    /// Plans by name.
    pub plans: BTreeMap<String, Plan>,
    /// Billing by Stripe.
    pub stripe: StripeConfig,
    /// The log.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        let plan = |credits, per_minute, size| Plan { credits, burst: Burst { per_minute, size } };
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
            stripe: StripeConfig::default(),
            log: LogConfig::default(),
        }
    }
}

/// `[listen]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct ListenConfig {
    /// Pictures and membership-usage.
    pub public: SocketAddr,
    /// Health, readiness and metrics; keep it off the internet.
    pub admin: SocketAddr,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self { public: ([127, 0, 0, 1], 8080).into(), admin: ([127, 0, 0, 1], 8081).into() }
    }
}

/// `[auth]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct AuthConfig {
    /// `[auth.api_key]`
    pub api_key: ApiKeyConfig,
}

/// `[auth.api_key]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct ApiKeyConfig {
    /// Secret under which keys are hashed. Without one, the embedded store makes its own beside its file.
    #[serde(with = "secrets")]
    pub pepper: Option<SecretString>,
    /// A file that holds the pepper.
    pub pepper_file: Option<PathBuf>,
}

impl ApiKeyConfig {
    /// The pepper that the operator gave, by value or by file.
    pub fn given_pepper(&self) -> Result<Option<SecretString>, SecretError> {
        secrets::given(self.pepper.as_ref(), self.pepper_file.as_deref())
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
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what needs somebody.
    Error,
    /// And what may soon.
    Warn,
    /// And one line a request.
    Info,
    /// And what led to it.
    Debug,
    /// And everything else.
    Trace,
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
