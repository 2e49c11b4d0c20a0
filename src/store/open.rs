//! Opens the store that the configuration names.

use super::{Fault, Result, Store, sqlite::SqliteStore};
use crate::{clock::Clock, config::StoreConfig};
use std::{path::Path, sync::Arc};

/// Opens the store; the kind is the address's scheme.
pub async fn open(config: &StoreConfig, clock: Clock) -> Result<Arc<dyn Store>> {
    match config.url.split_once(':') {
        Some(("sqlite", path)) => Ok(Arc::new(SqliteStore::open(Path::new(path), clock)?)),
        _ => Err(Fault::Impossible(format!("store.url: no store for \"{}\"", config.url))),
    }
}
