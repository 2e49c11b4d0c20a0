//! Why the gateway did not start, or did not take up a new configuration.

use crate::{
    backend,
    config::{ConfigErrors, SecretError},
    edge::CertificateError,
    identity::user_token,
    store,
    trust::TrustError,
};
use hyper::header::InvalidHeaderName;
use std::{io, net::SocketAddr};

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is in use, or is not this machine's.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// From the configuration.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
    },
    /// The certificate or its private key cannot be used.
    #[error("cannot speak TLS: {0}")]
    Tls(#[from] CertificateError),
    /// The store cannot be opened.
    #[error("cannot open the store: {0}")]
    Store(#[from] store::Fault),
    /// The backend cannot be set up.
    #[error("cannot set up the backend: {0}")]
    Backend(#[from] backend::SetupError),
    /// The pepper cannot be read.
    #[error(transparent)]
    Keyring(#[from] crate::identity::KeyringError),
    /// The webhook's secrets cannot be read.
    #[error("stripe.webhook_secrets_file: {0}")]
    Stripe(#[from] SecretError),
    /// User tokens cannot be set up.
    #[error("cannot set up user tokens: {0}")]
    UserTokens(#[from] user_token::StartError),
    /// The header of user tokens has an invalid name.
    #[error("auth.user_token.header is not a header name: {0}")]
    TokenHeader(#[from] InvalidHeaderName),
    /// Authorities of https addresses that pictures are fetched from.
    #[error("dialects.url.ca_file: {0}")]
    Trust(#[from] TrustError),
    /// Another error of the system.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Two metrics have one name.
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::MetricsError),
}

/// Why a new configuration was not taken up. The one in force stays.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It has mistakes.
    #[error("{}", .0.to_string().replace('\n', "; "))]
    Mistakes(#[from] ConfigErrors),
    /// It differs in settings that cannot change while the gateway runs.
    #[error("{} cannot be changed without a restart", .0.join(", "))]
    NeedsRestart(Vec<String>),
    /// The certificate or its private key cannot be used.
    #[error("listen.tls_cert: {0}")]
    Tls(#[from] CertificateError),
    /// Our keys at the backend cannot be used.
    #[error(transparent)]
    Keys(#[from] backend::SetupError),
}
