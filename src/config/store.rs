//! `[store]`

use super::redis_url::{self, RedisUrl};
use serde::{Deserialize, Serialize, Serializer};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// `[store]`
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, expecting = "a section")]
pub struct StoreConfig {
    /// `sqlite:PATH`, relative to the working directory, or a Redis ([`RedisUrl`]). Shown without its password.
    #[serde(serialize_with = "without_password")]
    pub url: String,
    /// Folder of the journal, which a Redis needs beside it.
    pub journal: PathBuf,
    /// The months of the ledger that are kept, the present one included; `None` for all.
    pub ledger_months: Option<u64>,
    /// Authorities that a Redis reached by TLS is checked against, in PEM, instead of the machine's.
    pub ca_file: Option<PathBuf>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite:data/gateway.db".into(),
            journal: "data/journal".into(),
            ledger_months: None,
            ca_file: None,
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("url", &self.shown())
            .field("journal", &self.journal)
            .field("ledger_months", &self.ledger_months)
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

impl StoreConfig {
    /// The embedded store's file; `None` if the address is of another kind or names no file.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite:").filter(|path| !path.is_empty()).map(Path::new)
    }

    /// The address for people to look at: a password is `***`.
    #[must_use]
    pub fn shown(&self) -> String {
        redis_url::masked(&self.url)
    }

    /// The address of the Redis; `None` if it is of another kind, an error if it cannot be parsed.
    #[must_use]
    pub fn redis_url(&self) -> Option<Result<RedisUrl, String>> {
        let url = RedisUrl::parse(&self.url)?;
        Some(url.map(|url| RedisUrl { ca_file: self.ca_file.clone(), ..url }))
    }
}

fn without_password<S: Serializer>(url: &str, target: S) -> Result<S::Ok, S::Error> {
    target.serialize_str(&redis_url::masked(url))
}
