//! Makes the configured backend.

use super::{
    Backend,
    builtin::{Builtin, ModelError},
    rmbg::{RmbgBackend, RmbgSettings},
};
use crate::config::{BackendConfig, BackendKind};
use hyper::{Uri, header::HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use std::{io, sync::Arc, time::Duration};

/// Why the configured backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `backend.urls` does not hold exactly one http or https address.
    #[error("backend.urls needs one http or https address")]
    Address,
    /// The key cannot be a header's value.
    #[error("backend.api_key has characters that no header can carry")]
    Key,
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The root certificates.
    #[error("root certificates: {0}")]
    Certificates(#[from] io::Error),
}

/// The backend that the configuration names. Nothing is connected to yet.
pub fn set_up(config: &BackendConfig) -> Result<Arc<dyn Backend>, SetupError> {
    match config.kind {
        BackendKind::Builtin => Ok(Arc::new(Builtin::load(&config.model, config.concurrency)?)),
        BackendKind::Rmbg => Ok(Arc::new(RmbgBackend::new(rmbg_settings(config)?)?)),
    }
}

fn rmbg_settings(config: &BackendConfig) -> Result<RmbgSettings, SetupError> {
    let url = config.urls.first().and_then(|url| url.parse::<Uri>().ok()).ok_or(SetupError::Address)?;
    let api_key = config.api_key.as_ref().map(header_value).transpose()?;
    Ok(RmbgSettings {
        url,
        api_key,
        concurrency: config.concurrency,
        connect_timeout: Duration::from_secs(config.connect_timeout_s),
    })
}

/// Marked sensitive, so that nothing prints it.
fn header_value(key: &SecretString) -> Result<HeaderValue, SetupError> {
    let mut value = HeaderValue::try_from(key.expose_secret()).map_err(|_| SetupError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}
