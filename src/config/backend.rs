//! `[backend]`

use super::{
    secrets::{self, SecretError},
    shown,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[backend]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct BackendConfig {
    /// What kind of backend it is.
    pub kind: BackendKind,
    /// The full addresses that pictures are posted to; empty for `builtin`. Shown without their queries.
    #[serde(serialize_with = "shown::serialize_addresses")]
    pub urls: Vec<String>,
    /// Our key, sent as `x-api-key`; the caller's is never sent on.
    #[serde(with = "secrets")]
    pub api_key: Option<SecretString>,
    /// A file that holds our key.
    pub api_key_file: Option<PathBuf>,
    /// More keys of ours at the same service: while one rests, the next is used.
    #[serde(serialize_with = "secrets::serialize_list")]
    pub api_keys: Vec<SecretString>,
    /// Authorities that https addresses are checked against, in PEM, instead of the machine's.
    pub ca_file: Option<PathBuf>,
    /// Pictures at once, at each address.
    pub concurrency: usize,
    /// Requests that may wait in the queue, for each slot.
    pub waiting_per_slot: usize,
    /// Seconds until a connection must be established, and until a health check must be answered.
    pub connect_timeout_s: u64,
    /// Seconds between two health checks of each address.
    pub check_interval_s: u64,
    /// The path that a health check asks for.
    pub health_path: String,
    /// Seconds from sending a picture to the end of its answer.
    pub timeout_s: u64,
    /// Pictures with more pixels are refused; 0 for no such limit. By default none for `rmbg`, else 40 million.
    pub max_pixels: Option<u64>,
    /// The file with the model of `builtin`.
    pub model: PathBuf,
    /// The model that a `rembg` server is asked to use.
    pub rembg_model: String,
    /// `[backend.reconcile]`
    pub reconcile: ReconcileConfig,
}

/// `[backend.reconcile]`: our own account at a metered service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct ReconcileConfig {
    /// The address of the service's membership-usage. It is asked with our first key, with keys that rest, and with a
    /// key in doubt. `None`: it is never asked. Shown without its query.
    #[serde(serialize_with = "shown::serialize_address")]
    pub url: Option<String>,
    /// Seconds between two reports.
    pub interval_s: u64,
    /// Whether nobody but the gateways uses the account, so that what it loses is what they were answered.
    pub exclusive: bool,
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self { url: None, interval_s: 300, exclusive: false }
    }
}

impl Default for BackendConfig {
    fn default() -> Self {
        Self {
            kind: BackendKind::Builtin,
            urls: Vec::new(),
            api_key: None,
            api_key_file: None,
            api_keys: Vec::new(),
            ca_file: None,
            concurrency: 4,
            waiting_per_slot: 16,
            connect_timeout_s: 5,
            check_interval_s: 5,
            health_path: "/".into(),
            timeout_s: 120,
            max_pixels: None,
            model: ".cache/u2netp.onnx".into(),
            rembg_model: "u2netp".into(),
            reconcile: ReconcileConfig::default(),
        }
    }
}

impl BackendConfig {
    /// Our key for the backend, given by value or by file.
    pub fn given_api_key(&self) -> Result<Option<SecretString>, SecretError> {
        secrets::given(self.api_key.as_ref(), self.api_key_file.as_deref())
    }

    /// All our keys for the backend: that one first, then `api_keys`.
    pub fn given_api_keys(&self) -> Result<Vec<SecretString>, SecretError> {
        Ok(self.given_api_key()?.into_iter().chain(self.api_keys.iter().cloned()).collect())
    }

    /// Whether a picture costs us something there.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        let has_key = self.api_key.is_some() || self.api_key_file.is_some() || !self.api_keys.is_empty();
        self.kind == BackendKind::Rmbg && has_key
    }

    /// The limit on pixels that applies, if any.
    #[must_use]
    pub fn pixel_limit(&self) -> Option<u64> {
        match (self.max_pixels, self.kind) {
            (Some(0), _) | (None, BackendKind::Rmbg) => None,
            (Some(most), _) => Some(most),
            (None, BackendKind::Builtin | BackendKind::Rembg) => Some(40_000_000),
        }
    }
}

/// The protocol that a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// In this process, on the CPU.
    Builtin,
    /// Anything that speaks `POST /rmbg`: rembg.com or a compatible service.
    Rmbg,
    /// The open-source server `rembg s`.
    Rembg,
}
