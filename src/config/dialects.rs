//! `[dialects]`

mod rembg;
mod url;

pub use rembg::RembgDialectConfig;
pub use url::UrlConfig;

use serde::{Deserialize, Serialize};

/// `[dialects]`: the APIs of others that are spoken here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct DialectsConfig {
    /// Whether `POST /v1.0/removebg` and `GET /v1.0/account` are there.
    pub removebg: bool,
    /// `[dialects.rembg]`
    pub rembg: RembgDialectConfig,
    /// `[dialects.url]`
    pub url: UrlConfig,
}

impl Default for DialectsConfig {
    fn default() -> Self {
        Self { removebg: true, rembg: RembgDialectConfig::default(), url: UrlConfig::default() }
    }
}
