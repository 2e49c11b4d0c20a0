//! Keeps that the store has not acknowledged. They are on this machine's disk before the caller gets the picture, and
//! are sent to the store until it takes them.
//!
//! There is one file per process, locked. A gateway that starts adopts the files of processes that are gone. A torn
//! last line is a keep whose caller never got an answer. Sending a keep twice changes nothing, because keeps are
//! idempotent.

mod entry;
mod file;
mod drain;
mod lines;

use super::{AccountChange, Fault, Metering, Result, Usage};
use crate::{
    clock::Clock,
    config::StoreConfig,
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Admission, Hold, HoldRequest, Kept, OperationId, Payer, Settlement},
        period::Counters,
        time::UnixSeconds,
    },
    telemetry::{StoreGauges, panics},
};
use async_trait::async_trait;
use drain::Journal;
use file::JournalFile;
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
    pub fn open(store: Arc<dyn Metering>, config: &StoreConfig, clock: Clock) -> Result<Self> {
        let folder = &config.journal;
        let failed =
            |error: std::io::Error| Fault::Unavailable(format!("the journal in {}: {error}", folder.display()));
        let (file, entries) = JournalFile::open(folder).map_err(failed)?;
        if !entries.is_empty() {
            info!(keeps = entries.len(), "the journal has keeps that the store has not acknowledged yet");
        }
        let journal = Arc::new(Journal::new(file, entries, clock));
        let (from, to) = (Arc::clone(&journal), Arc::clone(&store));
        let again = move || Arc::clone(&from).drain_for_ever(Arc::clone(&to));
        let draining = tokio::spawn(panics::keep_alive(again));
        Ok(Self { store, journal, draining })
    }
}

/// How many keeps are in the folder's journals that no store has acknowledged; none without the folder. Blocks on the disk.
pub fn keeps_left(folder: &Path) -> Result<usize> {
    file::left(folder).map_err(|error| Fault::Unavailable(format!("the journal in {}: {error}", folder.display())))
}

/// How many keeps were set aside in the folder for a person to look at. Blocks on the disk.
pub fn keeps_set_aside(folder: &Path) -> Result<usize> {
    file::set_aside(folder).map_err(|error| Fault::Unavailable(format!("the journal in {}: {error}", folder.display())))
}

impl Drop for Journaled {
    fn drop(&mut self) {
        self.draining.abort();
    }
}

#[async_trait]
impl Metering for Journaled {
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        self.store.caller_of_key(hash).await
    }

    async fn account_of_user(&self, uid: &Uid) -> Result<Option<Account>> {
        self.store.account_of_user(uid).await
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        self.store.account(uid).await
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        self.store.put_account(change).await
    }

    /// Fails while the journal is full, because everything that is admitted must be countable.
    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        if self.journal.is_full() {
            return Err(Fault::Unavailable("the journal is full".into()));
        }
        self.store.hold(request).await
    }

    /// Counts, or writes down to be counted later. The store itself has already repeated the attempt where that can help.
    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        match self.store.keep(hold).await {
            Err(Fault::Unavailable(_)) => {
                self.journal.write(hold).await?;
                Ok(Kept { settlement: Settlement::Kept })
            }
            answer => answer,
        }
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        self.store.release(id, payer).await
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

    fn is_unavailable(&self) -> bool {
        self.journal.is_full() || self.store.is_unavailable()
    }

    fn gauges(&self) -> StoreGauges {
        StoreGauges {
            journal_waiting: self.journal.waiting_keeps(),
            journal_limit: file::MOST_KEEPS,
            journal_oldest: self.journal.oldest_age(),
            journal_full: self.journal.is_full(),
            late: self.journal.late(),
            quarantined: self.journal.quarantined(),
            ..self.store.gauges()
        }
    }

    async fn holds_open(&self) -> Result<u64> {
        self.store.holds_open().await
    }

    async fn holds_in_flight(&self) -> Result<u64> {
        self.store.holds_in_flight().await
    }

    async fn ping(&self) -> Result<()> {
        self.store.ping().await
    }
}
