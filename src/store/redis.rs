//! The store in Redis or Valkey: for more than one gateway, or where the counters are read by others.
//!
//! Every writing verb is one Lua script (`lua/`), atomic on the server, and carries an operation id: repeating it changes
//! nothing. What has an unknown outcome is repeated under the same id. Keys and values are those of the contract,
//! section 3; all names are spelled in `keys`.

mod accounts;
mod admission;
mod api_keys;
mod callers;
mod counters;
mod desk;
mod dial;
mod grants;
mod ledger;
mod line;
mod present;
mod record;
mod scripts;
mod server;
mod settlement;

use super::{
    AccountChange, Audit, Fault, Granted, KeyUse, Result, Store, Usage,
    keys::{self, KeyStyle},
};
use crate::{
    clock::Clock,
    config::RedisUrl,
    domain::{
        caller::{Account, ApiKey, KeyHash, KeyId, Payer, Uid},
        credit::{Admission, Hold, HoldRequest, Kept, OperationId, Settlement},
        period::Counters,
        time::UnixSeconds,
    },
};
use async_trait::async_trait;
use callers::Callers;
use desk::Desk;
use dial::Dialer;
use line::Line;
use redis::cmd;
use scripts::Scripts;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A store on a Redis. Dropping it closes its connections.
pub struct RedisStore {
    desk: Desk,
    tasks: [JoinHandle<()>; 2],
}

impl RedisStore {
    /// Connects. [`Fault::Unavailable`] if nobody answers, [`Fault::Impossible`] for an address that makes no sense.
    pub async fn open(url: &RedisUrl, clock: Clock) -> Result<Self> {
        let dialer = Dialer::new(url).map_err(|error| Fault::Impossible(error.to_string()))?;
        let style = if dialer.is_cluster() { KeyStyle::Hashtag } else { KeyStyle::Plain };
        let line = Line::open(dialer).await?;
        let desk = Desk {
            line: line.clone(),
            scripts: Arc::new(Scripts::new()),
            style,
            clock,
            callers: Arc::new(Callers::default()),
            known: Arc::default(),
        };
        let listening = tokio::spawn(Arc::clone(&desk.callers).listen(line.clone()));
        let indexing = tokio::spawn(async move {
            if let Err(fault) = counters::index_cycles(line, style).await {
                tracing::warn!(%fault, "billing cycles that other software has counted are not indexed");
            }
        });
        Ok(Self { desk, tasks: [listening, indexing] })
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        api_keys::caller(&self.desk, hash).await
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        accounts::find(&self.desk, uid).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        admission::hold(&self.desk, request).await
    }

    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        settlement::keep(&self.desk, hold).await
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        settlement::release(&self.desk, id, payer).await
    }

    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage> {
        counters::usage(&self.desk, uid, counters).await
    }

    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
        counters::cycles(&self.desk, uid).await
    }

    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
        grants::grant(&self.desk, uid, credits, id).await
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        accounts::put(&self.desk, change).await
    }

    async fn accounts(&self) -> Result<Vec<Account>> {
        accounts::all(&self.desk).await
    }

    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()> {
        api_keys::put(&self.desk, hash, key).await
    }

    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        api_keys::of_account(&self.desk, uid).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<bool> {
        api_keys::revoke(&self.desk, id).await
    }

    async fn audit(&self, uid: &Uid) -> Result<Audit> {
        ledger::audit(&self.desk, uid).await
    }

    async fn holds_open(&self) -> Result<u64> {
        counters::holds_open(&self.desk, self.desk.now()).await
    }

    async fn ping(&self) -> Result<()> {
        self.desk.line.command(cmd("SET").arg(keys::PULSE).arg(1)).await
    }
}
