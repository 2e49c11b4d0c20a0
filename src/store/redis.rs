//! The store in Redis or Valkey: for more than one gateway, or where the counters are read by others.
//!
//! Every writing verb is one Lua script (`lua/`), atomic on the server, and carries an operation id: repeating it changes
//! nothing. What has an unknown outcome is repeated under the same id. Keys and values are those of the contract,
//! section 3; all names are spelled in `keys`.

mod account_fields;
mod accounts;
mod admission;
mod answers;
mod api_keys;
mod callers;
mod clients;
mod closing;
mod counters;
mod engine;
mod dial;
mod entry;
mod export;
mod grants;
mod import;
mod inspection;
mod ledger;
mod link;
mod replay;
mod mend;
mod meter;
mod transfer;
mod operation;
mod parked;
mod queue;
mod moment;
mod record;
mod scripts;
mod server;
mod serving;
mod settlement;
mod stripe;

pub use inspection::{Remark, Weight, inspect};

use super::{
    AccountChange, Accounts, Audit, Billing, Fault, Granted, KeyUse, LiveTerms, Metering, ParkedEvent, Result,
    StepOutcome, StripeObject, StripeState, StripeStep, Usage,
    callers::Callers,
    key_names::{self, KeyStyle},
};
use crate::{
    clock::Clock,
    config::RedisUrl,
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Admission, Hold, HoldRequest, Kept, OperationId, Payer, Settlement},
        period::Counters,
        time::{UnixMicros, UnixSeconds},
    },
    telemetry::{BatchSizes, StoreGauges, panics},
};
use async_trait::async_trait;
use dial::Dialer;
use engine::Engine;
use link::{Link, Replay};
use redis::cmd;
use replay::{ReplayBuffer, Write};
use scripts::Scripts;
pub(super) use serving::has_gateways;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
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
    engine: Arc<Engine>,
    replay: Arc<ReplayBuffer>,
    /// This gateway's open holds, and when their leases end.
    in_flight: Mutex<HashMap<OperationId, UnixMicros>>,
    tasks: [JoinHandle<()>; 2],
}

impl RedisStore {
    /// Connects. [`Fault::Unavailable`] if nobody answers, [`Fault::Unusable`] for an address that makes no sense or a
    /// server that will not do.
    pub async fn open(url: &RedisUrl, clock: Clock, terms: impl Into<LiveTerms>, role: Role) -> Result<Self> {
        let dialer = Dialer::new(url).map_err(|error| Fault::Unusable(error.to_string()))?;
        let style = if dialer.is_cluster() { KeyStyle::Hashtag } else { KeyStyle::Plain };
        let link = Link::open(dialer, role).await?;
        for remark in link.inspected(&clock).await? {
            match remark.weight {
                Weight::Good => {}
                Weight::Doubtful => tracing::warn!("the store: {}", remark.says),
                Weight::Fatal => return Err(Fault::Unusable(remark.says)),
            }
        }
        let engine = Engine {
            link: link.clone(),
            scripts: Arc::new(Scripts::new()),
            style,
            clock,
            terms: terms.into(),
            callers: Arc::new(Callers::default()),
            cache: Arc::default(),
            lanes: Arc::default(),
        };
        let replay = Arc::new(ReplayBuffer::default());
        let engine = Arc::new(engine);
        link.will_replay(Arc::new(ReplayLastWrites { engine: Arc::downgrade(&engine), replay: Arc::clone(&replay) }));
        let (heard, to) = (Arc::clone(&engine.callers), link.clone());
        let listening = tokio::spawn(panics::keep_alive(move || callers::listen(Arc::clone(&heard), to.clone())));
        let indexing = tokio::spawn(async move {
            if let Err(fault) = counters::index_cycles(link, style).await {
                tracing::warn!(%fault, "billing cycles that other software has counted are not indexed");
            }
        });
        Ok(Self { engine, replay, in_flight: Mutex::default(), tasks: [listening, indexing] })
    }
}

impl RedisStore {
    fn in_flight(&self) -> MutexGuard<'_, HashMap<OperationId, UnixMicros>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Observes from now on how many operations go in one call.
    pub(super) fn observe(&self, batches: BatchSizes) {
        self.engine.lanes.observe(batches);
    }

    /// Remembers an operator's write, and waits until a replica has it, where there is one: the operator's process may end
    /// right after, and its memory with it.
    async fn noted(&self, write: Write) -> Result<()> {
        self.replay.note(write);
        self.engine.link.wait_for_replica().await
    }
}

/// What is written again where it may have been lost.
struct ReplayLastWrites {
    engine: Weak<Engine>,
    replay: Arc<ReplayBuffer>,
}

#[async_trait]
impl Replay for ReplayLastWrites {
    async fn replay(&self, link: Link) -> Result<()> {
        match self.engine.upgrade() {
            Some(engine) => {
                // What waits for the old connection must not be in its way.
                self.replay.replay(&Engine { link, lanes: Arc::default(), ..(*engine).clone() }).await
            }
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
impl Metering for RedisStore {
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        let found = api_keys::caller(&self.engine, hash).await?;
        Ok(found.map(|(key, account)| (key, self.engine.in_force(account))))
    }

    async fn account_of_user(&self, uid: &Uid) -> Result<Option<Account>> {
        match self.engine.callers.account(uid) {
            Some(account) => Ok(Some(self.engine.in_force(account))),
            None => self.account(uid).await,
        }
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        let lookup = self.engine.callers.lookup();
        let found = accounts::find(&self.engine, uid).await?;
        if let Some(account) = &found {
            self.engine.callers.remember_account(lookup, account);
        }
        Ok(found.map(|account| self.engine.in_force(account)))
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        let changed = accounts::put(&self.engine, change).await?;
        self.noted(Write::Account(changed.clone())).await?;
        Ok(self.engine.in_force(changed.account))
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        let admission = admission::hold(&self.engine, request).await?;
        if let Admission::Held(hold, _) = &admission {
            self.in_flight().insert(hold.id.clone(), hold.expires);
            self.replay.note(Write::Held(hold.clone()));
        }
        Ok(admission)
    }

    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let kept = settlement::keep(&self.engine, hold).await?;
        self.in_flight().remove(&hold.id);
        if kept.settlement == Settlement::Kept {
            self.replay.note(Write::Kept(hold.clone()));
        }
        Ok(kept)
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        let settlement = settlement::release(&self.engine, id, payer).await?;
        self.in_flight().remove(id);
        if settlement == Settlement::Released {
            self.replay.note(Write::Released(id.clone(), payer.clone()));
        }
        Ok(settlement)
    }

    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage> {
        counters::usage(&self.engine, uid, counters).await
    }

    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
        counters::cycles(&self.engine, uid).await
    }

    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
        api_keys::touch(&self.engine, used).await
    }

    fn is_unavailable(&self) -> bool {
        self.engine.link.is_down()
    }

    fn gauges(&self) -> StoreGauges {
        let link = &self.engine.link;
        StoreGauges {
            outages: link.outages(),
            breaker_open: link.is_down(),
            replays: link.replays(),
            ..StoreGauges::default()
        }
    }

    async fn holds_open(&self) -> Result<u64> {
        counters::holds_open(&self.engine, self.engine.now()).await
    }

    async fn holds_in_flight(&self) -> Result<u64> {
        self.ping().await?;
        let now = self.engine.now();
        let mut in_flight = self.in_flight();
        in_flight.retain(|_, expires| *expires > now);
        Ok(in_flight.len() as u64)
    }

    async fn ping(&self) -> Result<()> {
        self.engine.link.command(cmd("SET").arg(key_names::PULSE).arg(1)).await
    }
}

#[async_trait]
impl Accounts for RedisStore {
    async fn uids(&self) -> Result<Vec<Uid>> {
        accounts::uids(&self.engine).await
    }

    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
        let granted = grants::grant(&self.engine, uid, credits, id).await?;
        self.noted(Write::Granted(uid.clone(), credits, id.clone())).await?;
        Ok(granted)
    }

    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()> {
        api_keys::put(&self.engine, hash, key).await?;
        self.noted(Write::Key(hash.clone(), key.clone())).await
    }

    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        api_keys::of_account(&self.engine, uid).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<bool> {
        let found = api_keys::revoke(&self.engine, id).await?;
        if found {
            self.noted(Write::Revoked(id.clone())).await?;
        }
        Ok(found)
    }

    async fn audit(&self, uid: &Uid) -> Result<Audit> {
        ledger::audit(&self.engine, uid).await
    }

    async fn mend(&self, uid: &Uid, key: &str, value: i64, id: &OperationId) -> Result<()> {
        mend::mend(&self.engine, uid, (key, value), id).await?;
        self.engine.link.wait_for_replica().await
    }
}

#[async_trait]
impl Billing for RedisStore {
    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState> {
        stripe::state(&self.engine, uid).await
    }

    async fn apply_stripe(&self, step: &StripeStep) -> Result<StepOutcome> {
        let (stepped, written) = stripe::apply(&self.engine, step).await?;
        // A repeat may have been applied just now, without anybody hearing of it.
        if let Some(written) = written {
            self.noted(Write::Stripe(written)).await?;
        }
        Ok(stepped)
    }

    async fn stripe_object(&self, id: &str) -> Result<StripeObject> {
        stripe::object(&self.engine, id).await
    }

    async fn put_stripe_object(&self, id: &str, object: &StripeObject) -> Result<bool> {
        let put = stripe::put_object(&self.engine, id, object).await?;
        if put != Put::Behind {
            self.noted(Write::StripeObject(id.into(), object.clone())).await?;
        }
        Ok(put == Put::Written)
    }

    async fn park(&self, event: &ParkedEvent) -> Result<()> {
        parked::park(&self.engine, event).await?;
        self.noted(Write::Parked(event.clone())).await
    }

    async fn parked(&self) -> Result<Vec<ParkedEvent>> {
        parked::all(&self.engine).await
    }

    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
        parked::under(&self.engine, aliases).await
    }

    async fn unpark(&self, id: &str) -> Result<()> {
        parked::unpark(&self.engine, id).await?;
        self.replay.note(Write::Unparked(id.into()));
        Ok(())
    }
}
