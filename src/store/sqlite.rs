//! The embedded store: one `SQLite` file, exact on one node with no server.
//!
//! Write-ahead log, `synchronous=FULL`: a verb answers when what it wrote is on disk. Everything is written by one thread
//! (`writer`), which commits in groups, and read on other connections (`reader`). The command line may have the same
//! file open in a process of its own.

mod accounts;
mod admission;
mod api_keys;
mod backup;
mod counters;
mod cycles;
mod export;
mod fault;
mod grants;
mod holds;
mod housekeeping;
mod import;
mod ledger;
mod mend;
mod transfer;
mod parked;
mod moment;
mod reader;
mod schema;
mod settlement;
mod stripe;
mod writer;

use super::{
    AccountChange, Accounts, Audit, Billing, Granted, KeyUse, Metering, ParkedEvent, Result, StepOutcome, StripeObject,
    StripeState, StripeStep, Usage, key_names::AccountNames,
};
use crate::{
    clock::Clock,
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Admission, Hold, HoldRequest, Kept, OperationId, Payer, Settlement},
        period::Counters,
        plan::Terms,
        time::UnixSeconds,
    },
};
use async_trait::async_trait;
pub(super) use backup::backup;
use moment::WindowAt;
use reader::Readers;
use rusqlite::Connection;
use schema::File;
use std::{path::Path, sync::Arc};
use writer::Writer;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// A store in one file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    clock: Clock,
    terms: Arc<Terms>,
}

impl SqliteStore {
    /// Opens the file, or makes it (and its folder) if there is none. Blocks on the disk.
    ///
    /// [`Fault::Unexpected`](super::Fault::Unexpected) for a file of a newer version, or of another program.
    pub fn open(path: &Path, clock: Clock, terms: Terms) -> Result<Self> {
        let file = File::prepare(path)?;
        let writer = Writer::start(file.clone(), clock.clone())?;
        Ok(Self { writer, readers: Readers::new(file), clock, terms: Arc::new(terms) })
    }

    /// The moment of a read.
    fn moment(&self) -> WindowAt {
        WindowAt { now: self.clock.now(), terms: Arc::clone(&self.terms) }
    }

    /// Does `work` as one atomic step on the store's terms.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &WindowAt) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let terms = Arc::clone(&self.terms);
        self.writer.run(move |db, now| work(db, &WindowAt { now, terms })).await
    }
}

#[async_trait]
impl Metering for SqliteStore {
    async fn caller_of_key(&self, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
        let (hash, moment) = (hash.clone(), self.moment());
        let found = self.readers.run(move |db| api_keys::caller(db, &hash)).await?;
        Ok(found.map(|(key, account)| (key, moment.account(account))))
    }

    async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        let (uid, moment) = (uid.clone(), self.moment());
        Ok(self.readers.run(move |db| accounts::find(db, &uid)).await?.map(|account| moment.account(account)))
    }

    async fn put_account(&self, change: &AccountChange) -> Result<Account> {
        let change = change.clone();
        self.write(move |db, moment| accounts::put(db, &change, moment)).await
    }

    async fn hold(&self, request: &HoldRequest) -> Result<Admission> {
        let request = request.clone();
        self.write(move |db, moment| admission::hold(db, &request, moment)).await
    }

    async fn keep(&self, hold: &Hold) -> Result<Kept> {
        let hold = hold.clone();
        self.write(move |db, moment| settlement::keep(db, &hold, moment)).await
    }

    async fn release(&self, id: &OperationId, payer: &Payer) -> Result<Settlement> {
        let (id, payer) = (id.clone(), payer.clone());
        self.writer.run(move |db, now| settlement::release(db, &id, &payer, now)).await
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
        self.writer.run(move |db, _| api_keys::touch(db, &used)).await
    }

    async fn holds_open(&self) -> Result<u64> {
        let now = self.clock.now();
        self.readers.run(move |db| holds::all(db, now)).await
    }

    async fn ping(&self) -> Result<()> {
        self.writer.run(schema::beat).await?;
        self.readers.run(schema::listen).await
    }
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn uids(&self) -> Result<Vec<Uid>> {
        self.readers.run(accounts::uids).await
    }

    async fn grant(&self, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
        let (uid, id) = (uid.clone(), id.clone());
        self.writer.run(move |db, now| grants::grant(db, &uid, credits, &id, now)).await
    }

    async fn put_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<()> {
        let (hash, key) = (hash.clone(), key.clone());
        self.writer.run(move |db, _| api_keys::put(db, &hash, &key)).await
    }

    async fn keys(&self, uid: &Uid) -> Result<Vec<KeyUse>> {
        let (uid, now) = (uid.clone(), self.clock.now().seconds());
        self.readers.run(move |db| api_keys::of_account(db, &uid, now)).await
    }

    async fn revoke_key(&self, id: &KeyId) -> Result<bool> {
        let id = id.clone();
        self.writer.run(move |db, now| api_keys::revoke(db, &id, now.seconds())).await
    }

    async fn audit(&self, uid: &Uid) -> Result<Audit> {
        let uid = uid.clone();
        self.readers.run(move |db| ledger::audit(db, &uid)).await
    }

    async fn mend(&self, uid: &Uid, key: &str, value: i64, id: &OperationId) -> Result<()> {
        let (uid, key, id) = (uid.clone(), key.to_owned(), id.clone());
        self.writer.run(move |db, now| mend::mend(db, &uid, (&key, value), &id, now)).await
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
        self.writer.run(move |db, now| stripe::apply(db, &step, now)).await
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
