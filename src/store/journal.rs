//! Keeps that the store has not acknowledged. They are on this machine's disk before the caller gets the picture, and
//! are sent to the store until it takes them.
//!
//! There is one file per process, locked. A gateway that starts adopts the files of processes that are gone. A torn
//! last line is a keep whose caller never got an answer. Sending a keep twice changes nothing, because keeps are
//! idempotent.

mod entry;
mod file;
mod grace;
mod drain;
mod lines;

use super::{AccountChange, Fault, Metering, Result, Usage};
use crate::{
    clock::Clock,
    config::{OnStoreFailure, StoreConfig},
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Admission, Draw, Hold, HoldRequest, Kept, OperationId, Payer, Remaining, Settlement},
        period::Counters,
        plan::Terms,
        time::UnixSeconds,
    },
    telemetry::{StoreGauges, panics},
};
use async_trait::async_trait;
use drain::Journal;
use file::JournalFile;
use grace::Grace;
use std::{path::Path, sync::Arc};
use tokio::task::JoinHandle;
use tracing::info;

/// A store whose keeps survive its outages.
pub struct Journaled {
    store: Arc<dyn Metering>,
    journal: Arc<Journal>,
    draining: JoinHandle<()>,
}

impl Journaled {
    /// Opens a journal in the configured folder, with the keeps that earlier processes left there. Blocks on the disk.
    pub fn open(store: Arc<dyn Metering>, config: &StoreConfig, clock: Clock, terms: Terms) -> Result<Self> {
        let folder = &config.journal;
        let failed =
            |error: std::io::Error| Fault::Unavailable(format!("the journal in {}: {error}", folder.display()));
        let (file, entries) = JournalFile::open(folder).map_err(failed)?;
        if !entries.is_empty() {
            info!(keeps = entries.len(), "the journal has keeps that the store has not acknowledged yet");
        }
        let grace = match config.on_store_failure {
            OnStoreFailure::Refuse => None,
            OnStoreFailure::Allow => Some(Grace::new(config.grace_credits, terms)),
        };
        let journal = Arc::new(Journal::new(file, entries, clock, grace));
        let (from, to) = (Arc::clone(&journal), Arc::clone(&store));
        let again = move || Arc::clone(&from).drain_for_ever(Arc::clone(&to));
        let draining = tokio::spawn(panics::keep_alive(again));
        Ok(Self { store, journal, draining })
    }

    /// A hold on a lent credit, which the unavailable store does not know of.
    fn lend(&self, request: &HoldRequest) -> Option<Hold> {
        let (grace, Draw::Account { uid, .. }) = (self.grace()?, &request.draw) else { return None };
        grace.lend(request, &self.store.last_known_account(uid)?, self.journal.clock.now())
    }

    fn grace(&self) -> Option<&Grace> {
        self.journal.grace.as_ref()
    }
}

/// How many keeps are in the folder's journals that no store has acknowledged; none without the folder. Blocks on the disk.
pub fn keeps_left(folder: &Path) -> Result<usize> {
    file::left(folder).map_err(|error| Fault::Unavailable(format!("the journal in {}: {error}", folder.display())))
}

impl Drop for Journaled {
    fn drop(&mut self) {
        self.draining.abort();
    }
}

#[async_trait]
impl Metering for Journaled {
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        match (self.store.caller_of_key(hash).await, self.grace()) {
            (Err(Fault::Unavailable(why)), Some(_)) => match self.store.last_known_caller(hash) {
                Some(caller) => Ok(Some(caller)),
                None => Err(Fault::Unavailable(why)),
            },
            (answer, _) => answer,
        }
    }

    async fn account_of_user(&self, uid: &Uid) -> Result<Option<Account>> {
        match (self.store.account_of_user(uid).await, self.grace()) {
            (Err(Fault::Unavailable(why)), Some(_)) => match self.store.last_known_account(uid) {
                Some(account) => Ok(Some(account)),
                None => Err(Fault::Unavailable(why)),
            },
            (answer, _) => answer,
        }
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        match (self.store.account(uid).await, self.grace()) {
            (Err(Fault::Unavailable(why)), Some(_)) => match self.store.last_known_account(uid) {
                Some(account) => Ok(Some(account)),
                None => Err(Fault::Unavailable(why)),
            },
            (answer, _) => answer,
        }
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        self.store.put_account(change).await
    }

    /// Fails while the journal is full, because everything that is admitted must be countable.
    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        if self.journal.is_full() {
            return Err(Fault::Unavailable("the journal is full".into()));
        }
        match self.store.hold(request).await {
            Err(Fault::Unavailable(why)) => match self.lend(request) {
                Some(hold) => Ok(Admission::Held(hold, Remaining::default())),
                None => Err(Fault::Unavailable(why)),
            },
            answer => answer,
        }
    }

    /// Counts, or writes down to be counted later; then [`Kept::remaining`] is not known. The store itself has already
    /// repeated the attempt where that can help.
    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let payer = hold.charge.payer();
        let answer = match self.store.keep(hold).await {
            Err(Fault::Unavailable(_)) => {
                self.grace().into_iter().for_each(|grace| grace.spent(&hold.id, &payer));
                self.journal.write(hold).await?;
                return Ok(Kept { settlement: Settlement::Kept, remaining: None });
            }
            answer => answer?,
        };
        self.grace().into_iter().for_each(|grace| _ = grace.give_back(&hold.id, &payer));
        Ok(answer)
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        let lent = self.grace().is_some_and(|grace| grace.give_back(id, payer));
        match self.store.release(id, payer).await {
            // The store never knew of this hold. If it did after all, without an answer, that lease ends.
            Err(Fault::Unavailable(_)) if lent => Ok(Settlement::Released),
            answer => answer,
        }
    }

    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage> {
        self.store.usage(uid, counters).await
    }

    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
        self.store.cycles(uid).await
    }

    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
        self.store.touch_keys(used).await
    }

    /// A request that can be lent a credit need not be refused.
    fn is_unavailable(&self) -> bool {
        self.journal.is_full() || (self.grace().is_none() && self.store.is_unavailable())
    }

    fn last_known_caller(&self, hash: &KeyHash) -> Option<(ApiKey, Account)> {
        self.store.last_known_caller(hash)
    }

    fn last_known_account(&self, uid: &Uid) -> Option<Account> {
        self.store.last_known_account(uid)
    }

    fn gauges(&self) -> StoreGauges {
        StoreGauges {
            journal_waiting: self.journal.waiting_keeps(),
            journal_full: self.journal.is_full(),
            late: self.journal.late(),
            quarantined: self.journal.quarantined(),
            lent: self.grace().map_or(0, Grace::total),
            ..self.store.gauges()
        }
    }

    async fn holds_open(&self) -> Result<u64> {
        self.store.holds_open().await
    }

    async fn ping(&self) -> Result<()> {
        self.store.ping().await
    }
}
