//! `[dialects.rembg]`

use serde::{Deserialize, Serialize};

/// `[dialects.rembg]`: the API of the open-source server `rembg s`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct RembgDialectConfig {
    /// Whether `/api/remove` is there.
    pub enabled: bool,
    /// The models that callers may name. What is configured serves them.
    pub models: Vec<String>,
    /// Whether callers may send their API key in the query.
    pub key_in_query: bool,
}

impl Default for RembgDialectConfig {
    fn default() -> Self {
        Self { enabled: true, models: vec!["u2net".into(), "u2netp".into()], key_in_query: false }
    }
}
