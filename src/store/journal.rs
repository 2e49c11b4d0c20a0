//! Keeps that the store has not acknowledged: on this machine's disk before the caller gets the picture, and handed in
//! until the store takes them.
//!
//! One file per process, locked; a gateway that starts adopts the files of those that are gone. A torn last line
//! is a keep whose caller never got an answer. Handing one in twice is free: keeps are idempotent.

mod file;
mod grace;

use super::{
    AccountChange, Audit, Fault, Granted, KeyUse, ParkedEvent, Result, Stepped, Store, StripeState, StripeStep, Usage,
};
use crate::{
    clock::Clock,
    config::{OnStoreFailure, StoreConfig},
    domain::{
        caller::{Account, ApiKey, KeyHash, KeyId, Payer, Uid},
        credit::{Admission, Draw, Hold, HoldRequest, Kept, Left, OperationId, Settlement},
        period::Counters,
        plan::Terms,
        time::UnixSeconds,
    },
    failpoint::{self, Point},
    telemetry::StoreGauges,
};
use async_trait::async_trait;
use file::{Entry, JournalFile};
use grace::Grace;
use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
};
use tracing::{error, info, warn};

/// How often a keep is tried before it is written down.
const TRIES: u32 = 2;

/// Between two attempts to hand in what is written down.
const PAUSE: Duration = Duration::from_millis(200);

/// An older keep is set aside: the store forgets operations after a week, and would count it twice (µs).
const TOO_OLD: i64 = 6 * 86_400 * 1_000_000;

/// A store whose keeps survive its absence.
pub struct Journaled {
    store: Arc<dyn Store>,
    journal: Arc<Journal>,
    grace: Option<Grace>,
    handing_in: JoinHandle<()>,
}

struct Journal {
    file: JournalFile,
    waiting: Mutex<Waiting>,
    written: Notify,
    clock: Clock,
    late: AtomicU64,
    set_aside: AtomicU64,
}

/// What is to be handed in, in the order of writing.
struct Waiting {
    entries: VecDeque<Entry>,
    /// How many more are on their way to the disk: until they are here, the file must not be emptied.
    coming: usize,
}

impl Journaled {
    /// Opens a journal in the configured folder, with what earlier processes left there. Blocks on the disk.
    pub fn open(store: Arc<dyn Store>, config: &StoreConfig, clock: Clock, terms: Terms) -> Result<Self> {
        let folder = &config.journal;
        let told = |error: std::io::Error| Fault::Unavailable(format!("the journal in {}: {error}", folder.display()));
        let (file, entries) = JournalFile::open(folder).map_err(told)?;
        if !entries.is_empty() {
            info!(keeps = entries.len(), "the journal has keeps to hand in");
        }
        let waiting = Mutex::new(Waiting { entries: entries.into(), coming: 0 });
        let (late, set_aside) = (AtomicU64::new(0), AtomicU64::new(0));
        let journal = Arc::new(Journal { file, waiting, written: Notify::new(), clock, late, set_aside });
        let grace = match config.on_store_failure {
            OnStoreFailure::Refuse => None,
            OnStoreFailure::Allow => Some(Grace::new(config.grace_credits, terms)),
        };
        let handing_in = tokio::spawn(Arc::clone(&journal).hand_in_for_ever(Arc::clone(&store)));
        Ok(Self { store, journal, grace, handing_in })
    }

    /// A credit that the store, which is away, does not know of.
    fn lend(&self, request: &HoldRequest) -> Option<Hold> {
        let (grace, Draw::Account { uid, .. }) = (self.grace.as_ref()?, &request.draw) else { return None };
        grace.lend(request, &self.store.last_known_account(uid)?, self.journal.clock.now())
    }
}

/// How many keeps are in the folder's journals that no store has acknowledged; none without the folder. Blocks on the disk.
pub fn keeps_left(folder: &Path) -> Result<usize> {
    file::left(folder).map_err(|error| Fault::Unavailable(format!("the journal in {}: {error}", folder.display())))
}

impl Drop for Journaled {
    fn drop(&mut self) {
        self.handing_in.abort();
    }
}

impl Journal {
    async fn write(self: &Arc<Self>, hold: &Hold) -> Result<()> {
        let (journal, entry) = (Arc::clone(self), Entry { at: self.clock.now(), hold: hold.clone() });
        let written = spawn_blocking(move || {
            journal.waiting().coming += 1;
            let written = journal.file.append(&entry);
            failpoint::reach(Point::AfterSync);
            let mut waiting = journal.waiting();
            waiting.coming -= 1;
            written.map(|()| waiting.entries.push_back(entry))
        });
        let written = written.await.map_err(|_| Fault::Unavailable("the journal gave up".into()))?;
        written.map_err(|error| Fault::Unavailable(format!("the journal cannot be written: {error}")))?;
        self.written.notify_one();
        Ok(())
    }

    async fn hand_in_for_ever(self: Arc<Self>, store: Arc<dyn Store>) {
        loop {
            while let Some(entry) = self.first() {
                if !self.hand_in(&*store, &entry).await {
                    break;
                }
                self.is_done(&entry);
            }
            if self.first().is_some() {
                tokio::time::sleep(PAUSE).await;
            } else {
                self.written.notified().await;
            }
        }
    }

    /// Whether nothing more is to be done about it.
    async fn hand_in(&self, store: &dyn Store, entry: &Entry) -> bool {
        if self.clock.now().0 - entry.at.0 > TOO_OLD {
            return self.set_aside(entry, "it is older than six days");
        }
        match store.keep(&entry.hold).await {
            Ok(kept) if kept.settlement == Settlement::Kept => {
                let late = self.clock.now() >= entry.hold.expires;
                self.late.fetch_add(u64::from(late), Ordering::Relaxed);
                true
            }
            Ok(_) => self.set_aside(entry, "it had been released"),
            Err(Fault::Unavailable(_)) => false,
            Err(fault) => self.set_aside(entry, &fault.to_string()),
        }
    }

    fn set_aside(&self, entry: &Entry, why: &str) -> bool {
        error!(operation = entry.hold.id.0, why, "a picture was served that is not counted; its keep is set aside");
        let kept = self.file.set_aside(entry);
        self.set_aside.fetch_add(u64::from(kept.is_ok()), Ordering::Relaxed);
        if let Err(error) = &kept {
            warn!(%error, "it cannot be set aside: it stays in the journal");
        }
        kept.is_ok()
    }

    fn first(&self) -> Option<Entry> {
        self.waiting().entries.front().cloned()
    }

    /// Forgets it; with the last one, the file is emptied.
    fn is_done(&self, entry: &Entry) {
        let mut waiting = self.waiting();
        waiting.entries.retain(|other| other.hold.id != entry.hold.id);
        if waiting.entries.is_empty()
            && waiting.coming == 0
            && let Err(error) = self.file.empty()
        {
            warn!(%error, "the journal cannot be emptied");
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Journaled {
    /// Fails while the journal is full: what is admitted must be countable.
    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        if self.journal.file.is_full() {
            return Err(Fault::Unavailable("the journal is full".into()));
        }
        match self.store.hold(request).await {
            Err(Fault::Unavailable(why)) => match self.lend(request) {
                Some(hold) => Ok(Admission::Held(hold, Left::default())),
                None => Err(Fault::Unavailable(why)),
            },
            answer => {
                if answer.is_ok() && self.journal.first().is_none() {
                    self.grace.iter().for_each(Grace::is_over);
                }
                answer
            }
        }
    }

    /// Counted, or written down to be counted; [`Kept::remaining`] is not known then.
    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let mut tries = 1;
        loop {
            match self.store.keep(hold).await {
                Err(Fault::Unavailable(_)) if tries < TRIES => tries += 1,
                Err(Fault::Unavailable(_)) => {
                    self.journal.write(hold).await?;
                    return Ok(Kept { settlement: Settlement::Kept, remaining: None });
                }
                answer => return answer,
            }
        }
    }

    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        match (self.store.caller_of_key(hash).await, &self.grace) {
            (Err(Fault::Unavailable(why)), Some(_)) => match self.store.last_known_caller(hash) {
                Some(caller) => Ok(Some(caller)),
                None => Err(Fault::Unavailable(why)),
            },
            (answer, _) => answer,
        }
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        match (self.store.account(uid).await, &self.grace) {
            (Err(Fault::Unavailable(why)), Some(_)) => match self.store.last_known_account(uid) {
                Some(account) => Ok(Some(account)),
                None => Err(Fault::Unavailable(why)),
            },
            (answer, _) => answer,
        }
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        let lent = self.grace.as_ref().is_some_and(|grace| grace.give_back(id));
        match self.store.release(id, payer).await {
            // The store never knew of it; if it did after all, without an answer, that lease ends.
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

    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
        self.store.grant(uid, credits, id).await
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        self.store.put_account(change).await
    }

    async fn accounts(&self) -> Result<Vec<Account>> {
        self.store.accounts().await
    }

    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()> {
        self.store.put_key(hash, key).await
    }

    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
        self.store.touch_keys(used).await
    }

    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        self.store.keys(uid).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<bool> {
        self.store.revoke_key(id).await
    }

    async fn audit(&self, uid: &Uid) -> Result<Audit> {
        self.store.audit(uid).await
    }

    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState> {
        self.store.stripe_state(uid).await
    }

    async fn apply_stripe(&self, step: &StripeStep) -> Result<Stepped> {
        self.store.apply_stripe(step).await
    }

    async fn stripe_owner(&self, aliases: &[String]) -> Result<Option<Uid>> {
        self.store.stripe_owner(aliases).await
    }

    async fn park(&self, event: &ParkedEvent) -> Result<()> {
        self.store.park(event).await
    }

    async fn parked(&self) -> Result<Vec<ParkedEvent>> {
        self.store.parked().await
    }

    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
        self.store.parked_under(aliases).await
    }

    async fn unpark(&self, id: &str) -> Result<()> {
        self.store.unpark(id).await
    }

    fn last_known_caller(&self, hash: &KeyHash) -> Option<(ApiKey, Account)> {
        self.store.last_known_caller(hash)
    }

    fn last_known_account(&self, uid: &Uid) -> Option<Account> {
        self.store.last_known_account(uid)
    }

    fn gauges(&self) -> StoreGauges {
        StoreGauges {
            journal_waiting: self.journal.waiting().entries.len() as u64,
            late: self.journal.late.load(Ordering::Relaxed),
            set_aside: self.journal.set_aside.load(Ordering::Relaxed),
            lent: self.grace.as_ref().map_or(0, Grace::total),
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
