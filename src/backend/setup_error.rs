//! Why the configured backend cannot be set up.

use super::builtin::ModelError;
use crate::{config::SecretError, trust::TrustError};

/// Why the configured backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `backend.urls` is empty.
    #[error("backend.urls names no address")]
    NoAddress,
    /// One of `backend.urls` is not an http or https address.
    #[error("backend.urls: \"{0}\" is no http or https address")]
    Address(String),
    /// A key cannot be a header's value.
    #[error("backend.api_keys: one has characters that no header can carry")]
    Key,
    /// A key cannot be read.
    #[error("backend.api_key: {0}")]
    Secret(#[from] SecretError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The trusted certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TrustError),
}
