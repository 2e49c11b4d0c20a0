//! `[backend]`

use super::secrets::{self, SecretError};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[backend]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct BackendConfig {
    /// What kind of backend it is.
    pub kind: BackendKind,
    /// Where it is; not for `builtin`. For `rmbg`, the full address that pictures are posted to.
    pub urls: Vec<String>,
    /// Our key, sent as `x-api-key`; the caller's is never sent on.
    #[serde(with = "secrets")]
    pub api_key: Option<SecretString>,
    /// A file that holds our key.
    pub api_key_file: Option<PathBuf>,
    /// Pictures at once.
    pub concurrency: usize,
    /// Seconds until a connection must stand.
    pub connect_timeout_s: u64,
    /// Seconds from sending until the whole answer must be here.
    pub timeout_s: u64,
    /// Pictures with more pixels are refused; 0 for no such limit. By default 40 million for `builtin`, else none.
    pub max_pixels: Option<u64>,
    /// Where `builtin` finds its model.
    pub model: PathBuf,
}

impl Default for BackendConfig {
    fn default() -> Self {
        Self {
            kind: BackendKind::Builtin,
            urls: Vec::new(),
            api_key: None,
            api_key_file: None,
            concurrency: 4,
            connect_timeout_s: 5,
            timeout_s: 120,
            max_pixels: None,
            model: ".cache/u2netp.onnx".into(),
        }
    }
}

impl BackendConfig {
    /// Our key for the backend, given by value or by file.
    pub fn given_api_key(&self) -> Result<Option<SecretString>, SecretError> {
        secrets::given(self.api_key.as_ref(), self.api_key_file.as_deref())
    }

    /// The limit on pixels that applies, if any.
    #[must_use]
    pub fn pixel_limit(&self) -> Option<u64> {
        match (self.max_pixels, self.kind) {
            (Some(0), _) | (None, BackendKind::Rmbg) => None,
            (Some(most), _) => Some(most),
            (None, BackendKind::Builtin) => Some(40_000_000),
        }
    }
}

/// What a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// In this process, on the CPU.
    Builtin,
    /// Anything that speaks `POST /rmbg`: rembg.com or a compatible service.
    Rmbg,
}
