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
mod entry;
mod export;
mod grants;
mod import;
mod inspection;
mod ledger;
mod line;
mod memory;
mod mend;
mod movable;
mod parked;
mod present;
mod record;
mod scripts;
mod server;
mod settlement;
mod stripe;

pub use inspection::{Remark, Weight, inspect};

use super::{
    AccountChange, Audit, Fault, Granted, KeyUse, ParkedEvent, Result, Stepped, Store, StripeObject, StripeState,
    StripeStep, Usage,
    keys::{self, KeyStyle},
};
use crate::{
    clock::Clock,
    config::RedisUrl,
    domain::{
        caller::{Account, ApiKey, KeyHash, KeyId, Payer, Uid},
        credit::{Admission, Hold, HoldRequest, Kept, OperationId, Settlement},
        period::Counters,
        plan::Terms,
        time::UnixSeconds,
    },
    telemetry::{StoreGauges, panics},
};
use async_trait::async_trait;
use callers::Callers;
use desk::Desk;
use dial::Dialer;
use line::{Line, Recall};
use memory::{Memory, Write};
use redis::cmd;
use scripts::Scripts;
use std::sync::{Arc, Weak};
use stripe::Put;
use tokio::task::JoinHandle;

/// Who opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A gateway that serves. After a restart of the server all of them wait for each other.
    Gateway,
    /// An operator's command, which comes and goes.
    Command,
}

/// A store on a Redis. Dropping it closes its connections.
pub struct RedisStore {
    desk: Arc<Desk>,
    memory: Arc<Memory>,
    tasks: [JoinHandle<()>; 2],
}

impl RedisStore {
    /// Connects. [`Fault::Unavailable`] if nobody answers, [`Fault::Impossible`] for an address that makes no sense or a
    /// server that will not do.
    pub async fn open(url: &RedisUrl, clock: Clock, terms: Terms, role: Role) -> Result<Self> {
        let dialer = Dialer::new(url).map_err(|error| Fault::Impossible(error.to_string()))?;
        let style = if dialer.is_cluster() { KeyStyle::Hashtag } else { KeyStyle::Plain };
        let line = Line::open(dialer, role).await?;
        for remark in line.inspected(&clock).await? {
            match remark.weight {
                Weight::Good => {}
                Weight::Doubtful => tracing::warn!("the store: {}", remark.says),
                Weight::Fatal => return Err(Fault::Impossible(remark.says)),
            }
        }
        let desk = Desk {
            line: line.clone(),
            scripts: Arc::new(Scripts::new()),
            style,
            clock,
            terms: Arc::new(terms),
            callers: Arc::new(Callers::default()),
            known: Arc::default(),
        };
        let memory = Arc::new(Memory::default());
        let desk = Arc::new(desk);
        line.will_recall(Arc::new(LastWrites { desk: Arc::downgrade(&desk), memory: Arc::clone(&memory) }));
        let (callers, to) = (Arc::clone(&desk.callers), line.clone());
        let listening = tokio::spawn(panics::keep_alive(move || Arc::clone(&callers).listen(to.clone())));
        let indexing = tokio::spawn(async move {
            if let Err(fault) = counters::index_cycles(line, style).await {
                tracing::warn!(%fault, "billing cycles that other software has counted are not indexed");
            }
        });
        Ok(Self { desk, memory, tasks: [listening, indexing] })
    }
}

impl RedisStore {
    /// Remembers an operator's write, and waits until a replica has it, where there is one: the operator's process may end
    /// right after, and its memory with it.
    async fn noted(&self, write: Write) -> Result<()> {
        self.memory.note(write);
        self.desk.line.wait_for_replica().await
    }
}

/// What is written again where it may have been lost.
struct LastWrites {
    desk: Weak<Desk>,
    memory: Arc<Memory>,
}

#[async_trait]
impl Recall for LastWrites {
    async fn recall(&self, line: Line) -> Result<()> {
        match self.desk.upgrade() {
            Some(desk) => self.memory.recall(&Desk { line, ..(*desk).clone() }).await,
            None => Ok(()),
        }
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
        let found = api_keys::caller(&self.desk, hash).await?;
        Ok(found.map(|(key, account)| (key, self.desk.in_force(account))))
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        let generation = self.desk.callers.generation();
        let found = accounts::find(&self.desk, uid).await?;
        if let Some(account) = &found {
            self.desk.callers.remember_account(generation, account);
        }
        Ok(found.map(|account| self.desk.in_force(account)))
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        let admission = admission::hold(&self.desk, request).await?;
        if let Admission::Held(hold, _) = &admission {
            self.memory.note(Write::Held(hold.clone()));
        }
        Ok(admission)
    }

    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let kept = settlement::keep(&self.desk, hold).await?;
        if kept.settlement == Settlement::Kept {
            self.memory.note(Write::Kept(hold.clone()));
        }
        Ok(kept)
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        let settlement = settlement::release(&self.desk, id, payer).await?;
        if settlement == Settlement::Released {
            self.memory.note(Write::Released(id.clone(), payer.clone()));
        }
        Ok(settlement)
    }

    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage> {
        counters::usage(&self.desk, uid, counters).await
    }

    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
        counters::cycles(&self.desk, uid).await
    }

    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
        let granted = grants::grant(&self.desk, uid, credits, id).await?;
        self.noted(Write::Granted(uid.clone(), credits, id.clone())).await?;
        Ok(granted)
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        let changed = accounts::put(&self.desk, change).await?;
        self.noted(Write::Account(changed.clone())).await?;
        Ok(self.desk.in_force(changed.account))
    }

    async fn uids(&self) -> Result<Vec<Uid>> {
        accounts::uids(&self.desk).await
    }

    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()> {
        api_keys::put(&self.desk, hash, key).await?;
        self.noted(Write::Key(hash.clone(), key.clone())).await
    }

    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
        api_keys::touch(&self.desk, used).await
    }

    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        api_keys::of_account(&self.desk, uid).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<bool> {
        let found = api_keys::revoke(&self.desk, id).await?;
        if found {
            self.noted(Write::Revoked(id.clone())).await?;
        }
        Ok(found)
    }

    async fn audit(&self, uid: &Uid) -> Result<Audit> {
        ledger::audit(&self.desk, uid).await
    }

    async fn mend(&self, uid: &Uid, key: &str, value: i64, id: &OperationId) -> Result<()> {
        mend::mend(&self.desk, uid, (key, value), id).await?;
        self.desk.line.wait_for_replica().await
    }

    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState> {
        stripe::state(&self.desk, uid).await
    }

    async fn apply_stripe(&self, step: &StripeStep) -> Result<Stepped> {
        let (stepped, written) = stripe::apply(&self.desk, step).await?;
        // A repeat may have been applied just now, without anybody hearing of it.
        if let Some(written) = written {
            self.noted(Write::Stripe(written)).await?;
        }
        Ok(stepped)
    }

    async fn stripe_object(&self, id: &str) -> Result<StripeObject> {
        stripe::object(&self.desk, id).await
    }

    async fn put_stripe_object(&self, id: &str, object: &StripeObject) -> Result<bool> {
        let put = stripe::put_object(&self.desk, id, object).await?;
        if put != Put::Behind {
            self.noted(Write::StripeObject(id.into(), object.clone())).await?;
        }
        Ok(put == Put::Written)
    }

    async fn park(&self, event: &ParkedEvent) -> Result<()> {
        parked::park(&self.desk, event).await?;
        self.noted(Write::Parked(event.clone())).await
    }

    async fn parked(&self) -> Result<Vec<ParkedEvent>> {
        parked::all(&self.desk).await
    }

    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
        parked::under(&self.desk, aliases).await
    }

    async fn unpark(&self, id: &str) -> Result<()> {
        parked::unpark(&self.desk, id).await?;
        self.memory.note(Write::Unparked(id.into()));
        Ok(())
    }

    fn is_away(&self) -> bool {
        self.desk.line.is_down()
    }

    fn last_known_caller(&self, hash: &KeyHash) -> Option<(ApiKey, Account)> {
        let (key, account) = self.desk.callers.last_known(hash)?;
        Some((key, self.desk.in_force(account)))
    }

    fn last_known_account(&self, uid: &Uid) -> Option<Account> {
        self.desk.callers.last_known_account(uid).map(|account| self.desk.in_force(account))
    }

    fn gauges(&self) -> StoreGauges {
        StoreGauges { outages: self.desk.line.outages(), ..StoreGauges::default() }
    }

    async fn holds_open(&self) -> Result<u64> {
        counters::holds_open(&self.desk, self.desk.now()).await
    }

    async fn ping(&self) -> Result<()> {
        self.desk.line.command(cmd("SET").arg(keys::PULSE).arg(1)).await
    }
}
