//! From an address to a store.

use super::{Fault, Journaled, Movable, Result, Store, redis::RedisStore, sqlite::SqliteStore};
use crate::{clock::Clock, config::Config};
use std::sync::Arc;

/// Opens the store that the configuration names, on its terms. Blocks on the disk for the embedded one.
pub async fn open(config: &Config, clock: Clock) -> Result<Arc<dyn Store>> {
    let store: Arc<dyn Store> = open_to_move(config, clock).await?;
    Ok(store)
}

/// The same for moving its accounts, or others to it.
pub async fn open_to_move(config: &Config, clock: Clock) -> Result<Arc<dyn Movable>> {
    if let Some(url) = config.store.redis_url() {
        let url = url.map_err(|fault| Fault::Impossible(format!("store.url {fault}")))?;
        return Ok(Arc::new(RedisStore::open(&url, clock, config.terms()).await?));
    }
    match config.store.sqlite_path() {
        Some(path) => Ok(Arc::new(SqliteStore::open(path, clock, config.terms())?)),
        None => Err(Fault::Impossible("store.url is no address of a store".into())),
    }
}

/// The same for a gateway that serves: what a store on another machine does not acknowledge goes to the journal.
pub async fn open_to_serve(config: &Config, clock: Clock) -> Result<Arc<dyn Store>> {
    let store = open(config, clock.clone()).await?;
    if config.store.redis_url().is_none() {
        return Ok(store);
    }
    Ok(Arc::new(Journaled::open(store, &config.store, clock, config.terms())?))
}
