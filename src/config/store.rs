//! `[store]`

use serde::{Deserialize, Serialize};
use std::path::Path;

/// `[store]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct StoreConfig {
    /// `sqlite:PATH`, relative to the working directory.
    pub url: String,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { url: "sqlite:data/gateway.db".into() }
    }
}

impl StoreConfig {
    /// The embedded store's file; `None` where the address is of another kind or names no file.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite:").filter(|path| !path.is_empty()).map(Path::new)
    }
}
