//! The one writer: a thread that takes all steps that are queued, does them in one transaction and answers after the
//! commit.
//!
//! A commit waits for the disk, some milliseconds; everything that arrives meanwhile shares the next one. A step that may
//! fail after it has written something has a savepoint, because the others are to stay.

use super::{housekeeping::Housekeeping, schema::File};
use crate::{
    clock::Clock,
    domain::{account::Uid, api_key::KeyHash, time::UnixMicros},
    store::{Fault, Result, callers::Callers},
    telemetry::{BatchSizes, flood},
};
use rusqlite::Connection;
use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::Level;

/// The most that one commit carries: bounds how long the first of them waits for the last.
const BATCH: usize = 256;

/// Commits in which every step has a savepoint, after one that was lost.
const CAREFUL: u32 = 256;

/// The most that may wait; after that, callers wait to be queued.
const QUEUE: usize = 4_096;

/// How long a caller waits for an answer. Work that has begun by then is done all the same: repeat it under the same id.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does a step on the connection, or is told why there is none, and says how to answer.
type Work = Box<dyn FnOnce(Result<&Connection>, UnixMicros) -> Outcome + Send>;

/// The part of the cache of callers that a step makes out of date.
#[derive(Default)]
pub(super) enum Outdates {
    #[default]
    Nothing,
    Key(KeyHash),
    Account(Uid),
    Anything,
}

/// A step that waits for its commit.
struct Job {
    work: Work,
    outdates: Outdates,
    /// Whether it may fail after it has written something, and therefore needs a savepoint.
    may_fail_late: bool,
}

/// What a job wants once its fate is known.
struct Outcome {
    /// Whether what it wrote is to stay.
    stays: bool,
    /// Answers the caller, given how the commit went.
    answer: Box<dyn FnOnce(Result<()>)>,
}

/// A handle on the writer thread. Dropping it waits until the queue is done and the file closed.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Alive while a [`look`](Writer::look) is queued.
    looking: Mutex<Weak<()>>,
    batches: Arc<OnceLock<BatchSizes>>,
}

impl Writer {
    pub(super) fn start(file: File, clock: Clock, callers: Arc<Callers>) -> Result<Self> {
        let db = file.connect()?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let batches = Arc::default();
        let observed = Arc::clone(&batches);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || Worker::new(db, file, (clock, callers)).observed_by(observed).work_off(jobs))
            .map_err(|error| Fault::Unavailable(format!("cannot start the writer: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), looking: Mutex::default(), batches })
    }

    /// Observes from now on how many operations go in one commit.
    pub(super) fn observe(&self, batches: BatchSizes) {
        // Only the first one counts, and there is only one.
        drop(self.batches.set(batches));
    }

    /// Does `work` as one atomic step, and answers when it is on disk. An `Err` of `work` leaves no trace.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, UnixMicros) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run_changing(Outdates::Nothing, work).await
    }

    /// The same for a step that changes keys or accounts.
    pub(super) async fn run_changing<T: Send + 'static>(
        &self,
        outdates: Outdates,
        work: impl FnOnce(&Connection, UnixMicros) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queued(work, outdates, true).await
    }

    /// The same without a savepoint, for a step that has checked everything when it begins to write. Should it fail after
    /// that, its whole commit is lost: nothing of it stays, and every step in it fails.
    pub(super) async fn run_checked<T: Send + 'static>(
        &self,
        outdates: Outdates,
        work: impl FnOnce(&Connection, UnixMicros) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queued(work, outdates, false).await
    }

    /// Queues an empty step, by which the writer finds out whether another process has written to the file.
    pub(super) fn look(&self) {
        let Some(queue) = &self.queue else { return };
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if looking.strong_count() > 0 {
            return;
        }
        let queued = Arc::new(());
        *looking = Arc::downgrade(&queued);
        let work: Work = Box::new(move |_, _| {
            drop(queued);
            Outcome { stays: true, answer: Box::new(|_| ()) }
        });
        // A full queue looks with its next commit.
        drop(queue.try_send(Job { work, outdates: Outdates::Nothing, may_fail_late: false }));
    }

    async fn queued<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, UnixMicros) -> Result<T> + Send + 'static,
        outdates: Outdates,
        may_fail_late: bool,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || Fault::Unavailable("the writer gave up on this step".into());
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let served = async {
            queue.send(Job { work: answering(work, reply), outdates, may_fail_late }).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        tokio::time::timeout(PATIENCE, served)
            .await
            .unwrap_or_else(|_| Err(Fault::Unavailable(format!("no answer within {PATIENCE:?}"))))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the store's writer had panicked");
        }
    }
}

fn answering<T: Send + 'static>(
    work: impl FnOnce(&Connection, UnixMicros) -> Result<T> + Send + 'static,
    reply: oneshot::Sender<Result<T>>,
) -> Work {
    Box::new(move |db, now| {
        // The caller has given up and may have been told that nothing happened: then nothing does.
        let wanted = if reply.is_closed() { Err(Fault::Unavailable("nobody waits for this step".into())) } else { db };
        let result = wanted.and_then(|db| work(db, now));
        let stays = result.is_ok();
        // A caller that has gone away has no use for the answer.
        Outcome { stays, answer: Box::new(move |committed| drop(reply.send(committed.and(result)))) }
    })
}

/// What the thread works with.
struct Worker {
    db: Connection,
    file: File,
    clock: Clock,
    callers: Arc<Callers>,
    /// `SQLite`'s `data_version`: another one after another process has committed.
    version: Option<i64>,
    housekeeping: Housekeeping,
    /// In how many more commits every step has a savepoint.
    careful: u32,
    batches: Arc<OnceLock<BatchSizes>>,
}

impl Worker {
    fn new(db: Connection, file: File, (clock, callers): (Clock, Arc<Callers>)) -> Self {
        let (housekeeping, batches) = (Housekeeping::default(), Arc::default());
        Self { db, file, clock, callers, version: None, housekeeping, careful: 0, batches }
    }

    fn observed_by(self, batches: Arc<OnceLock<BatchSizes>>) -> Self {
        Self { batches, ..self }
    }

    fn work_off(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            let taken = mem::replace(&mut batch, Vec::with_capacity(BATCH));
            // A panic between the steps drops the batch, which answers its callers; what it had written is rolled back by the
            // next.
            let panicked = catch_unwind(AssertUnwindSafe(|| self.commit_together(taken))).is_err();
            if panicked && flood::may_write("store_writer", Level::ERROR) {
                tracing::error!("the store's writer panicked; its batch was rolled back");
            }
        }
    }

    fn commit_together(&mut self, mut batch: Vec<Job>) {
        if let Some(batches) = self.batches.get() {
            batches.observe(batch.len());
        }
        let outdates: Vec<Outdates> = batch.iter_mut().map(|job| mem::take(&mut job.outdates)).collect();
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut jobs = batch.into_iter();
        let committed = self.begin().and_then(|()| {
            for job in jobs.by_ref() {
                self.take(job, &mut outcomes)?;
            }
            self.keep_house()?;
            self.execute("COMMIT")
        });
        let begun: Result<&Connection> = committed.clone().and(Ok(&self.db));
        outcomes.extend(jobs.map(|job| (job.work)(begun.clone(), self.clock.now())));
        if committed.is_err() {
            self.roll_back();
        }
        for part in outdates {
            self.forget(part);
        }
        // The steps of a lost commit are repeated: one that failed in it must not fail the others again.
        self.careful = if committed.is_err() { CAREFUL } else { self.careful.saturating_sub(1) };
        for outcome in outcomes {
            (outcome.answer)(committed.clone());
        }
    }

    fn begin(&mut self) -> Result<()> {
        self.file.check_in_place()?;
        self.roll_back();
        self.execute("BEGIN IMMEDIATE")?;
        self.notice_others()
    }

    /// The write lock is held: every commit of another process is visible, and there can be no further one now.
    fn notice_others(&mut self) -> Result<()> {
        let version = self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.version.replace(version) != Some(version) {
            self.callers.forget_all();
        }
        self.callers.confirm(Instant::now());
        Ok(())
    }

    fn forget(&self, outdates: Outdates) {
        match outdates {
            Outdates::Nothing => {}
            Outdates::Key(hash) => self.callers.forget_key(&hash),
            Outdates::Account(uid) => self.callers.forget_account(&uid),
            Outdates::Anything => self.callers.forget_all(),
        }
    }

    /// Fails only if the transaction as a whole is lost: `SQLite` may end it when the disk is full, and a step without a
    /// savepoint may have failed after it had written something.
    fn take(&self, job: Job, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let has_savepoint = job.may_fail_late || self.careful > 0;
        if has_savepoint {
            self.execute("SAVEPOINT step")?;
        }
        let written = self.db.total_changes();
        // A panic drops the job, which answers its caller; the others know nothing of it.
        let outcome = catch_unwind(AssertUnwindSafe(|| (job.work)(Ok(&self.db), self.clock.now()))).ok();
        let stays = outcome.as_ref().is_some_and(|outcome| outcome.stays);
        outcomes.extend(outcome);
        if self.db.is_autocommit() {
            return Err(Fault::Unavailable("the transaction was lost".into()));
        }
        if has_savepoint {
            return self.end_savepoint(stays);
        }
        if stays || self.db.total_changes() == written {
            return Ok(());
        }
        Err(Fault::Unavailable("another step of this commit failed".into()))
    }

    fn end_savepoint(&self, stays: bool) -> Result<()> {
        if !stays {
            self.execute("ROLLBACK TO step")?;
        }
        self.execute("RELEASE step")
    }

    /// Rows that cannot be deleted now are deleted later.
    fn keep_house(&mut self) -> Result<()> {
        let now = self.clock.now();
        if !self.housekeeping.is_due(now) {
            return Ok(());
        }
        self.execute("SAVEPOINT step")?;
        let trimmed = self.housekeeping.trim(&self.db, now);
        self.end_savepoint(trimmed.is_ok())
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit()
            && let Err(fault) = self.execute("ROLLBACK")
            && flood::may_write("store_writer", Level::ERROR)
        {
            tracing::error!(%fault, "cannot roll back");
        }
    }

    fn execute(&self, sql: &str) -> Result<()> {
        self.db.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
