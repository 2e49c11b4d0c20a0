//! The embedded store: one `SQLite` file, exact on one node with no server.
//!
//! Write-ahead log, `synchronous=FULL`: a verb answers when what it wrote is on disk. Everything is written by one thread
//! (`writer`), which commits in groups, and read on other connections (`reader`). The command line may have the same
//! file open in a process of its own.

mod accounts;
mod admission;
mod api_keys;
mod backup;
mod closed_months;
mod closing;
mod counters;
mod cycles;
mod export;
mod fault;
mod grants;
mod holds;
mod housekeeping;
mod import;
mod lookups;
mod ledger;
mod mend;
mod transfer;
mod parked;
mod moment;
mod reader;
mod schema;
mod serving;
mod settlement;
mod stripe;
mod text;
mod writer;

use super::{
    AccountChange, Accounts, Audit, Billing, Granted, KeyUse, LiveTerms, Metering, ParkedEvent, Result, StepOutcome,
    StripeObject, StripeState, StripeStep, Usage, callers::Callers, key_names::AccountNames,
};
use crate::{
    clock::Clock,
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Admission, Charge, Hold, HoldRequest, Kept, OperationId, Payer, Pool, Settlement},
        period::Counters,
        time::UnixSeconds,
    },
    telemetry::BatchSizes,
};
use async_trait::async_trait;
pub(super) use backup::backup;
use lookups::Lookups;
use moment::WindowAt;
use reader::Readers;
use rusqlite::Connection;
use schema::File;
pub(super) use serving::Lock;
use std::{path::Path, sync::Arc};
use writer::{Outdates, Writer};

/// Seconds in a day.
const DAY: i64 = 86_400;

/// A store in one file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    lookups: Lookups,
    callers: Arc<Callers>,
    clock: Clock,
    terms: LiveTerms,
    /// Of a gateway that serves.
    _lock: Option<Lock>,
}

impl SqliteStore {
    /// Opens it for a gateway that serves, while which nobody can move its accounts.
    pub(super) fn open_to_serve(path: &Path, clock: Clock, terms: LiveTerms) -> Result<Self> {
        let store = Self::open(path, clock, terms)?;
        Ok(Self { _lock: Some(Lock::to_serve(path)?), ..store })
    }

    /// Opens the file, or makes it (and its folder) if there is none. Blocks on the disk.
    ///
    /// [`Fault::Unexpected`](super::Fault::Unexpected) for a file of a newer version, or of another program.
    pub fn open(path: &Path, clock: Clock, terms: impl Into<LiveTerms>) -> Result<Self> {
        let file = File::prepare(path)?;
        let callers = Arc::new(Callers::default());
        let writer = Writer::start(file.clone(), clock.clone(), Arc::clone(&callers))?;
        let readers = Readers::new(file);
        let lookups = Lookups::new(readers.clone(), Arc::clone(&callers));
        Ok(Self { writer, readers, lookups, callers, clock, terms: terms.into(), _lock: None })
    }

    /// Observes from now on how many operations go in one commit.
    pub(super) fn observe(&self, batches: BatchSizes) {
        self.writer.observe(batches);
    }

    /// The moment of a read.
    fn moment(&self) -> WindowAt {
        WindowAt { now: self.clock.now(), terms: self.terms.now() }
    }

    /// After a while without commits the cache is not believed until the writer has found out whether another process has
    /// committed.
    fn stay_current(&self) {
        if !self.callers.is_confirmed() {
            self.writer.look();
        }
    }

    /// Does `work`, which checks everything before it writes, as one atomic step on the store's terms.
    async fn meter<T: Send + 'static>(
        &self,
        outdates: Outdates,
        work: impl FnOnce(&Connection, &WindowAt) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let terms = self.terms.now();
        self.writer.run_checked(outdates, move |db, now| work(db, &WindowAt { now, terms })).await
    }
}

#[async_trait]
impl Metering for SqliteStore {
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        self.stay_current();
        let found = self.lookups.caller(hash).await?;
        Ok(found.map(|(key, account)| (key, self.moment().account(account))))
    }

    async fn account_of_user(&self, uid: &Uid) -> Result<Option<Account>> {
        self.stay_current();
        Ok(self.lookups.account(uid).await?.map(|account| self.moment().account(account)))
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        let (uid, moment) = (uid.clone(), self.moment());
        Ok(self.readers.run(move |db| accounts::find(db, &uid)).await?.map(|account| moment.account(account)))
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        let (change, terms) = (change.clone(), self.terms.now());
        let outdates = Outdates::Account(change.uid.clone());
        self.writer.run_changing(outdates, move |db, now| accounts::put(db, &change, &WindowAt { now, terms })).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        let request = request.clone();
        self.meter(Outdates::Nothing, move |db, moment| admission::hold(db, &request, moment)).await
    }

    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let hold = hold.clone();
        // A balance is never remembered.
        let outdates = match &hold.charge {
            Charge::Account { uid, pool: Pool::Prepaid, .. } => Outdates::Account(uid.clone()),
            Charge::Account { .. } | Charge::Client { .. } => Outdates::Nothing,
        };
        self.meter(outdates, move |db, moment| settlement::keep(db, &hold, moment.now)).await
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        let (id, payer) = (id.clone(), payer.clone());
        self.writer.run_checked(Outdates::Nothing, move |db, now| settlement::release(db, &id, &payer, now)).await
    }

    async fn usage(&self, uid: &Uid, counters: Counters) -> Result<Usage> {
        let names = AccountNames::of(uid);
        self.readers.run(move |db| counters::usage(db, &names, counters)).await
    }

    async fn cycles(&self, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
        let names = AccountNames::of(uid);
        self.readers.run(move |db| counters::cycles(db, &names)).await
    }

    async fn touch_keys(&self, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
        let used = used.to_vec();
        self.writer.run_checked(Outdates::Nothing, move |db, _| api_keys::touch(db, &used)).await
    }

    async fn holds_open(&self) -> Result<u64> {
        let now = self.clock.now();
        self.readers.run(move |db| holds::all(db, now)).await
    }

    async fn ping(&self) -> Result<()> {
        self.writer.run_checked(Outdates::Nothing, schema::write_test_row).await?;
        self.readers.run(schema::read_test_row).await
    }
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn uids(&self) -> Result<Vec<Uid>> {
        self.readers.run(accounts::uids).await
    }

    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
        let (uid, id) = (uid.clone(), id.clone());
        self.writer
            .run_changing(Outdates::Account(uid.clone()), move |db, now| grants::grant(db, &uid, credits, &id, now))
            .await
    }

    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()> {
        let (hash, key) = (hash.clone(), key.clone());
        self.writer.run_changing(Outdates::Key(hash.clone()), move |db, _| api_keys::put(db, &hash, &key)).await
    }

    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        let (uid, now) = (uid.clone(), self.clock.now().seconds());
        self.readers.run(move |db| api_keys::of_account(db, &uid, now)).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<bool> {
        let id = id.clone();
        self.writer.run_changing(Outdates::Anything, move |db, now| api_keys::revoke(db, &id, now.seconds())).await
    }

    async fn audit(&self, uid: &Uid) -> Result<Audit> {
        let uid = uid.clone();
        self.readers.run(move |db| ledger::audit(db, &uid)).await
    }

    async fn mend(&self, uid: &Uid, key: &str, value: i64, id: &OperationId) -> Result<()> {
        let (uid, key, id) = (uid.clone(), key.to_owned(), id.clone());
        self.writer
            .run_changing(Outdates::Account(uid.clone()), move |db, now| mend::mend(db, &uid, (&key, value), &id, now))
            .await
    }
}

#[async_trait]
impl Billing for SqliteStore {
    async fn stripe_state(&self, uid: &Uid) -> Result<StripeState> {
        let (uid, now) = (uid.clone(), self.clock.now());
        self.readers.run(move |db| stripe::state(db, &uid, now)).await
    }

    async fn apply_stripe(&self, step: &StripeStep) -> Result<StepOutcome> {
        let step = step.clone();
        self.writer
            .run_changing(Outdates::Account(step.uid.clone()), move |db, now| stripe::apply(db, &step, now))
            .await
    }

    /// What is written here is on the disk.
    async fn note_event(&self, _event: &str) -> Result<()> {
        Ok(())
    }

    async fn stripe_object(&self, id: &str) -> Result<StripeObject> {
        let id = id.to_owned();
        self.readers.run(move |db| stripe::object(db, &id)).await
    }

    async fn put_stripe_object(&self, id: &str, object: &StripeObject) -> Result<bool> {
        let (id, object) = (id.to_owned(), object.clone());
        self.writer.run(move |db, _| stripe::put_object(db, &id, &object)).await
    }

    async fn park(&self, event: &ParkedEvent) -> Result<()> {
        let event = event.clone();
        self.writer.run(move |db, _| parked::park(db, &event)).await
    }

    async fn parked(&self) -> Result<Vec<ParkedEvent>> {
        self.readers.run(parked::all).await
    }

    async fn parked_under(&self, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
        let aliases = aliases.to_vec();
        self.readers.run(move |db| parked::under(db, &aliases)).await
    }

    async fn unpark(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.writer.run(move |db, _| parked::unpark(db, &id)).await
    }
}
