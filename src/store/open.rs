//! From an address to a store.

use super::{Fault, Result, Store, sqlite::SqliteStore};
use crate::{clock::Clock, config::Config};
use std::sync::Arc;

/// Opens the store that the configuration names, on its terms. Blocks on the disk for the embedded one.
pub async fn open(config: &Config, clock: Clock) -> Result<Arc<dyn Store>> {
    match config.store.sqlite_path() {
        Some(path) => Ok(Arc::new(SqliteStore::open(path, clock, config.terms())?)),
        None => Err(Fault::Impossible("store.url is no address of a store".into())),
    }
}
