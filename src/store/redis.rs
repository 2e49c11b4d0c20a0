//! The store in Redis or Valkey: for more than one gateway, or where the counters are read by others.
//!
//! Every writing verb is one Lua script (`lua/`), atomic on the server, and carries an operation id: repeating it changes
//! nothing. What has an unknown outcome is repeated under the same id. Keys and values are those of the contract,
//! section 3; all names are spelled in `key_names`.

mod account_fields;
mod accounts;
mod admission;
mod answers;
mod api_keys;
mod callers;
mod clients;
mod closing;
mod common;
mod counters;
mod engine;
mod dial;
mod drain;
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
    AccountChange, Accounts, Audit, Billing, Fault, Granted, KeyUse, LiveTerms, Metering, ParkedEvent, Reprocess,
    Result, StepOutcome, StripeObject, StripeState, StripeStep, Usage,
    callers::Callers,
    journal::{self, Change, GivenUp, Journal},
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
        time::UnixSeconds,
    },
    telemetry::{BatchSizes, StoreGauges, panics},
};
use async_trait::async_trait;
use dial::Dialer;
use engine::Engine;
use link::{Link, Replay};
use redis::cmd;
use replay::{OpenHolds, Replayer};
use scripts::Scripts;
pub(super) use serving::has_gateways;
use std::{path::PathBuf, sync::Arc};
use tokio::task::{JoinHandle, spawn_blocking};

/// Who opens it.
pub enum Role {
    /// A gateway that serves. After a restart of the server all of them wait for each other.
    Gateway {
        /// The folder of its journal.
        journal: PathBuf,
        /// Processes Stripe's events again.
        events: Arc<dyn Reprocess>,
    },
    /// An operator's command, which comes and goes. It writes to the journal of the gateway beside it, if there is one in this
    /// folder.
    Command(Option<PathBuf>),
}

/// A store on a Redis. Dropping it closes its connections.
pub struct RedisStore {
    engine: Arc<Engine>,
    open: Arc<OpenHolds>,
    /// The folder of a gateway's journal beside this command.
    beside: Option<PathBuf>,
    tasks: Vec<JoinHandle<()>>,
}

impl RedisStore {
    /// Connects. [`Fault::Unavailable`] if nobody answers, [`Fault::Unusable`] for an address that makes no sense or a
    /// server that will not do. A gateway writes again what its journal has, and waits for the others.
    pub async fn open(url: &RedisUrl, clock: Clock, terms: impl Into<LiveTerms>, role: Role) -> Result<Self> {
        let dialer = Dialer::new(url).map_err(|error| Fault::Unusable(error.to_string()))?;
        let style = if dialer.is_cluster() { KeyStyle::Hashtag } else { KeyStyle::Plain };
        let link = Link::open(dialer, matches!(role, Role::Gateway { .. })).await?;
        for remark in link.inspected(&clock).await? {
            match remark.weight {
                Weight::Good => {}
                Weight::Doubtful => tracing::warn!("the store: {}", remark.says),
                Weight::Fatal => return Err(Fault::Unusable(remark.says)),
            }
        }
        let mut engine = Engine {
            link: link.clone(),
            scripts: Arc::new(Scripts::new()),
            style,
            clock: clock.clone(),
            terms: terms.into(),
            callers: Arc::new(Callers::default()),
            cache: Arc::default(),
            lanes: Arc::default(),
            journal: None,
        };
        match role {
            Role::Command(beside) => {
                link.serve(None).await?;
                let mut store = Self::bare(Arc::new(engine));
                store.beside = beside;
                Ok(store.listening())
            }
            Role::Gateway { journal, events } => {
                let opened = spawn_blocking(move || Journal::open(&journal, clock)).await;
                let journal = Arc::new(opened.map_err(|gave_up| Fault::Unusable(gave_up.to_string()))??);
                engine.journal = Some(Arc::clone(&journal));
                let mut store = Self::bare(Arc::new(engine));
                let (engine, open) = (Arc::downgrade(&store.engine), Arc::clone(&store.open));
                let replay: Arc<dyn Replay> =
                    Arc::new(Replayer { engine, journal: Arc::clone(&journal), open, events });
                link.serve(Some(replay)).await?;
                let (from, kept) = (Arc::clone(&store.engine), Arc::clone(&journal));
                let again = move || drain::drain(Arc::clone(&from), Arc::clone(&kept));
                store.tasks.push(tokio::spawn(panics::keep_alive(again)));
                store.tasks.push(tokio::spawn(panics::keep_alive(move || drain::tidy(Arc::clone(&journal)))));
                Ok(store.listening())
            }
        }
    }

    /// Without tasks of its own.
    fn bare(engine: Arc<Engine>) -> Self {
        Self { engine, open: Arc::default(), beside: None, tasks: Vec::new() }
    }

    /// With the tasks that hear of changes and index what other software has counted.
    fn listening(mut self) -> Self {
        let (heard, to) = (Arc::clone(&self.engine.callers), self.engine.link.clone());
        let listen = move || callers::listen(Arc::clone(&heard), to.clone());
        self.tasks.push(tokio::spawn(panics::keep_alive(listen)));
        let (link, style) = (self.engine.link.clone(), self.engine.style);
        self.tasks.push(tokio::spawn(async move {
            if let Err(fault) = counters::index_cycles(link, style).await {
                tracing::warn!(%fault, "billing cycles that other software has counted are not indexed");
            }
        }));
        self
    }

    /// Observes from now on how many operations go in one call.
    pub(super) fn observe(&self, batches: BatchSizes) {
        self.engine.lanes.observe(batches);
    }

    fn journal(&self) -> Option<&Arc<Journal>> {
        self.engine.journal.as_ref()
    }

    /// Makes an operator's write safe before the operator hears of it: in the journal, on a replica, on the server's disk, where there
    /// are these. A disk of ours that takes nothing is no reason to undo it.
    async fn noted(&self, change: Change) -> Result<()> {
        let written = self.written(change).await;
        if let Err(error) = written {
            tracing::warn!(%error, "a change is not in the journal; a store that loses its last writes loses it");
        }
        self.engine.link.wait_until_safe().await
    }

    async fn written(&self, change: Change) -> std::io::Result<()> {
        match (self.journal(), self.beside.clone()) {
            (Some(journal), _) => journal.note(change).await,
            (None, Some(folder)) => {
                let now = self.engine.clock.now();
                let written = spawn_blocking(move || journal::note_beside(&folder, now, change)).await;
                written.unwrap_or_else(|gave_up| Err(std::io::Error::other(gave_up)))
            }
            (None, None) => Ok(()),
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
        let account = accounts::put(&self.engine, change).await?;
        let made = Change::Account(account.clone());
        if change.only_new {
            // A user has come for the first time, and waits.
            drop(self.written(made).await);
        } else {
            self.noted(made).await?;
        }
        Ok(self.engine.in_force(account))
    }

    /// Fails while the journal takes nothing, because everything that is admitted must be countable.
    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        if self.journal().is_some_and(|journal| journal.is_full()) {
            return Err(Fault::Unavailable("the journal takes nothing".into()));
        }
        let admission = admission::hold(&self.engine, request).await?;
        if let Admission::Held(hold, _) = &admission {
            self.open.add(hold);
        }
        Ok(admission)
    }

    /// Counts, or promises to: what the server does not acknowledge is on this machine's disk when this returns `Ok`.
    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let kept = settlement::keep(&self.engine, hold).await;
        let fault = match kept {
            Ok(kept) => {
                self.open.remove(&hold.id);
                return Ok(kept);
            }
            Err(fault) => fault,
        };
        let Some(journal) = self.journal() else { return Err(fault) };
        if matches!(fault, Fault::Unavailable(_)) && journal.promise(hold).await.is_ok() {
            self.open.remove(&hold.id);
            return Ok(Kept { settlement: Settlement::Kept });
        }
        match (journal.give_up(&hold.id), fault) {
            (GivenUp::Unwritten, fault) | (_, fault @ Fault::Unexpected(_)) => Err(fault),
            // It must not be tried again: the journal says how it ends.
            (GivenUp::Void | GivenUp::Stands, fault) => Err(Fault::Unexpected(fault.to_string())),
        }
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        if self.journal().is_some_and(|journal| journal.give_up(id) == GivenUp::Stands) {
            return Ok(Settlement::Kept);
        }
        let settlement = settlement::release(&self.engine, id, payer).await?;
        self.open.remove(id);
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
        self.engine.link.is_down() || self.journal().is_some_and(|journal| journal.is_full())
    }

    fn gauges(&self) -> StoreGauges {
        let (link, gauges) = (&self.engine.link, self.journal().map(|journal| journal.gauges()));
        StoreGauges { outages: link.outages(), breaker_open: link.is_down(), ..gauges.unwrap_or_default() }
    }

    async fn holds_open(&self) -> Result<u64> {
        counters::holds_open(&self.engine, self.engine.now()).await
    }

    async fn holds_in_flight(&self) -> Result<u64> {
        self.ping().await?;
        Ok(self.open.count(self.engine.now()))
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
        self.noted(Change::Granted(uid.clone(), credits, id.clone())).await?;
        Ok(granted)
    }

    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()> {
        api_keys::put(&self.engine, hash, key).await?;
        self.noted(Change::Key(hash.clone(), key.clone())).await
    }

    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        api_keys::of_account(&self.engine, uid).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<bool> {
        let Some(revocation) = api_keys::revoke(&self.engine, id).await? else { return Ok(false) };
        self.noted(Change::Revoked(revocation)).await?;
        Ok(true)
    }

    async fn audit(&self, uid: &Uid) -> Result<Audit> {
        ledger::audit(&self.engine, uid).await
    }

    async fn mend(&self, uid: &Uid, key: &str, value: i64, id: &OperationId) -> Result<()> {
        mend::mend(&self.engine, uid, (key, value), id).await?;
        self.engine.link.wait_until_safe().await
    }
}

#[async_trait]
impl Billing for RedisStore {
    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState> {
        stripe::state(&self.engine, uid).await
    }

    async fn apply_stripe(&self, step: &StripeStep) -> Result<StepOutcome> {
        stripe::apply(&self.engine, step).await
    }

    /// Fails if it cannot be written down: Stripe sends the event again.
    async fn note_event(&self, event: &str) -> Result<()> {
        let written = self.written(Change::Event(event.into())).await;
        written.map_err(|error| Fault::Unavailable(format!("the journal cannot be written: {error}")))?;
        // What is written again needs no more.
        if self.journal().is_some() || self.beside.is_some() {
            self.engine.link.wait_until_safe().await?;
        }
        Ok(())
    }

    async fn stripe_object(&self, id: &str) -> Result<StripeObject> {
        stripe::object(&self.engine, id).await
    }

    async fn put_stripe_object(&self, id: &str, object: &StripeObject) -> Result<bool> {
        stripe::put_object(&self.engine, id, object).await
    }

    async fn park(&self, event: &ParkedEvent) -> Result<()> {
        parked::park(&self.engine, event).await
    }

    async fn parked(&self) -> Result<Vec<ParkedEvent>> {
        parked::all(&self.engine).await
    }

    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
        parked::under(&self.engine, aliases).await
    }

    async fn unpark(&self, id: &str) -> Result<()> {
        parked::unpark(&self.engine, id).await
    }
}
