//! `[dialects]`

mod url;

pub use url::UrlConfig;

use serde::{Deserialize, Serialize};

/// `[dialects]`: what the APIs of others that are spoken here may ask for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct DialectsConfig {
    /// `[dialects.url]`
    pub url: UrlConfig,
}
