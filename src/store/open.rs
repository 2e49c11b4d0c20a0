//! From an address to a store.

use super::{Fault, Result, Store, sqlite::SqliteStore};
use crate::{clock::Clock, config::StoreConfig};
use std::sync::Arc;

/// Opens the store that the address names. Blocks on the disk for the embedded one.
pub async fn open(config: &StoreConfig, clock: Clock) -> Result<Arc<dyn Store>> {
    match config.sqlite_path() {
        Some(path) => Ok(Arc::new(SqliteStore::open(path, clock)?)),
        None => Err(Fault::Impossible("store.url is no address of a store".into())),
    }
}
