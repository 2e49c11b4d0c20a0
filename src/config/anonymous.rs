//! `[anonymous]`

use crate::domain::rate_limit::Burst;
use serde::{Deserialize, Serialize};

/// `[anonymous]`: callers with neither key nor token, counted by their addresses.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct AnonymousConfig {
    /// Pictures of one client in a UTC day. With 0, every caller needs a key or a token.
    pub per_day: u64,
    /// The short-term limit of one client.
    pub burst: Burst,
}

impl Default for AnonymousConfig {
    fn default() -> Self {
        Self { per_day: 0, burst: Burst { per_minute: 10, size: 5 } }
    }
}
