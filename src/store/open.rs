//! Opens the store at an address.

use super::{
    Billing, Fault, LiveTerms, Metering, Reprocess, Result, Store, Transfer, closing,
    measured::Measured,
    redis::{self, RedisStore, Role},
    sqlite::{self, Lock, SqliteStore},
};
use crate::{
    clock::Clock,
    config::{Config, RedisUrl},
    telemetry::StoreMetrics,
};
use std::{path::Path, sync::Arc};

/// The store of a gateway that serves.
pub struct Opened {
    /// For pictures.
    pub metering: Arc<dyn Metering>,
    /// For Stripe's events.
    pub billing: Arc<dyn Billing>,
    /// All verbs of the same store, which nobody counts.
    pub engine: Arc<dyn Store>,
    /// The terms of both, to be replaced at a reload of the configuration.
    pub terms: LiveTerms,
}

/// Opens the configured store for a command. Blocks on the disk for the embedded one.
pub async fn open(config: &Config, clock: Clock) -> Result<Arc<dyn Store>> {
    let store: Arc<dyn Store> = open_to_move(config, clock).await?;
    Ok(store)
}

/// Opens it for a move of accounts from it or to it.
pub async fn open_to_move(config: &Config, clock: Clock) -> Result<Arc<dyn Transfer>> {
    match redis_url(config)? {
        Some(url) => {
            let beside = Role::Command(Some(config.store.journal.clone()));
            Ok(Arc::new(Box::pin(RedisStore::open(&url, clock, config.terms(), beside)).await?))
        }
        None => Ok(Arc::new(SqliteStore::open(sqlite_path(config)?, clock, config.terms())?)),
    }
}

/// A store at which nobody serves, for as long as this is there. Of a Redis it is only known that nobody did.
#[derive(Debug)]
pub struct OutOfService {
    _lock: Option<Lock>,
}

/// Finds out whether a gateway serves at the configured store, which must exist. [`Fault::Unusable`] if one does.
pub async fn out_of_service(config: &Config) -> Result<OutOfService> {
    match redis_url(config)? {
        None => Ok(OutOfService { _lock: Some(Lock::to_move(sqlite_path(config)?)?) }),
        Some(url) if redis::has_gateways(&url).await? => Err(Fault::in_service(config.store.shown())),
        Some(_) => Ok(OutOfService { _lock: None }),
    }
}

/// Opens it for a gateway that serves: what it is asked for is counted. A store on another machine has a journal on this machine's
/// disk, and what it may have lost is written again first. A task closes old months of ledgers, if that is configured.
pub async fn open_to_serve(
    config: &Config,
    clock: Clock,
    metrics: StoreMetrics,
    events: Arc<dyn Reprocess>,
) -> Result<Opened> {
    let terms = LiveTerms::from(config.terms());
    let opened = if let Some(url) = redis_url(config)? {
        let role = Role::Gateway { journal: config.store.journal.clone(), events };
        let engine = Box::pin(RedisStore::open(&url, clock.clone(), terms.clone(), role)).await?;
        engine.observe(metrics.batches());
        measured(engine, metrics, terms)
    } else {
        let engine = SqliteStore::open_to_serve(sqlite_path(config)?, clock.clone(), terms.clone())?;
        engine.observe(metrics.batches());
        measured(engine, metrics, terms)
    };
    if let Some(months) = config.store.ledger_months {
        tokio::spawn(closing::keep_closing(Arc::downgrade(&opened.engine), months, clock));
    }
    Ok(opened)
}

fn measured<E: Store>(engine: E, metrics: StoreMetrics, terms: LiveTerms) -> Opened {
    let engine = Arc::new(engine);
    let measured = Arc::new(Measured::new(Arc::clone(&engine), metrics));
    Opened { metering: Arc::clone(&measured) as _, billing: measured, engine, terms }
}

/// Copies the embedded store to a new file while it may be written to. Returns the size of the copy in bytes. Blocks
/// on the disk.
///
/// [`Fault::Unusable`] for a Redis, which has its own means of backup.
pub fn backup(config: &Config, copy: &Path) -> Result<u64> {
    match config.store.sqlite_path() {
        Some(path) => sqlite::backup(path, copy),
        None => Err(Fault::Unusable("a Redis is backed up by its own means, see docs/redis.md".into())),
    }
}

fn redis_url(config: &Config) -> Result<Option<RedisUrl>> {
    let url = config.store.redis_url().transpose();
    url.map_err(|fault| Fault::Unusable(format!("store.url {fault}")))
}

fn sqlite_path(config: &Config) -> Result<&Path> {
    config.store.sqlite_path().ok_or_else(|| Fault::Unusable("store.url is not the address of a store".into()))
}
