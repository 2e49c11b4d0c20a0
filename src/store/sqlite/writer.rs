//! The one writer: a thread that takes whatever is queued, does it in one transaction and answers after the commit.
//!
//! A commit waits for the disk, some milliseconds; everything that arrives meanwhile shares the next one.

use super::{housekeeping, schema::File};
use crate::{
    clock::Clock,
    domain::time::UnixMicros,
    store::{Fault, Result},
};
use rusqlite::Connection;
use std::{
    iter, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// The most that one commit carries: bounds how long the first of them waits for the last.
const BATCH: usize = 256;

/// Rows of one kind that are forgotten with one commit: twice what a full one can add, so that a backlog shrinks.
const FORGOTTEN_AT_ONCE: isize = 2 * BATCH.cast_signed();

/// The most that may wait; after that, callers wait to be queued.
const QUEUE: usize = 4_096;

/// How long a caller waits for an answer. Work that has begun by then is done all the same: repeat it under the same id.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does its work on the connection, or is told why there is none, and says how to answer.
type Job = Box<dyn FnOnce(Result<&Connection>, UnixMicros) -> Outcome + Send>;

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
}

impl Writer {
    pub(super) fn start(file: File, clock: Clock) -> Result<Self> {
        let db = file.connect()?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || Worker { db, file, clock }.work_off(jobs))
            .map_err(|error| Fault::Unavailable(format!("cannot start the writer: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does `work` as one atomic step, and answers when it is on disk. An `Err` of `work` leaves no trace.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, UnixMicros) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || Fault::Unavailable("the writer gave up on this step".into());
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        let served = async {
            queue.send(job(work, reply)).await.map_err(|_| gone())?;
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

fn job<T: Send + 'static>(
    work: impl FnOnce(&Connection, UnixMicros) -> Result<T> + Send + 'static,
    reply: oneshot::Sender<Result<T>>,
) -> Job {
    Box::new(move |db, now| {
        // Whoever asked has given up and may have been told that nothing happened: then nothing does.
        let wanted = if reply.is_closed() { Err(Fault::Unavailable("nobody waits for this step".into())) } else { db };
        let result = wanted.and_then(|db| work(db, now));
        let stays = result.is_ok();
        // A caller that has gone away has no use for the answer.
        Outcome { stays, answer: Box::new(move |committed| drop(reply.send(committed.and(result)))) }
    })
}

/// What the thread has before it.
struct Worker {
    db: Connection,
    file: File,
    clock: Clock,
}

impl Worker {
    fn work_off(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            let taken = mem::take(&mut batch);
            // A panic between the steps drops the batch, which answers its callers; what it had written is rolled back by the
            // next.
            if catch_unwind(AssertUnwindSafe(|| self.commit_together(taken))).is_err() {
                tracing::error!("the store's writer panicked; its batch was rolled back");
            }
        }
    }

    fn commit_together(&mut self, batch: Vec<Job>) {
        let mut jobs = batch.into_iter().chain(iter::once(housekeeping()));
        let mut outcomes = Vec::new();
        let committed = self.begin().and_then(|()| {
            for job in jobs.by_ref() {
                self.in_savepoint(job, &mut outcomes)?;
            }
            self.execute("COMMIT")
        });
        let never_begun: Vec<_> = jobs.map(|job| job(committed.clone().and(Ok(&self.db)), self.clock.now())).collect();
        if committed.is_err() {
            self.roll_back();
        }
        for outcome in outcomes.into_iter().chain(never_begun) {
            (outcome.answer)(committed.clone());
        }
    }

    fn begin(&self) -> Result<()> {
        self.file.check_in_place()?;
        self.roll_back();
        self.execute("BEGIN IMMEDIATE")
    }

    /// Fails only if the transaction as a whole is lost, as `SQLite` may do when the disk is full.
    fn in_savepoint(&self, job: Job, outcomes: &mut Vec<Outcome>) -> Result<()> {
        self.execute("SAVEPOINT job")?;
        // A panic drops the job, which answers its caller; the others know nothing of it.
        let outcome = catch_unwind(AssertUnwindSafe(|| job(Ok(&self.db), self.clock.now()))).ok();
        let stays = outcome.as_ref().is_some_and(|outcome| outcome.stays);
        outcomes.extend(outcome);
        if self.db.is_autocommit() {
            return Err(Fault::Unavailable("the transaction was lost".into()));
        }
        if !stays {
            self.execute("ROLLBACK TO job")?;
        }
        self.execute("RELEASE job")
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit()
            && let Err(fault) = self.execute("ROLLBACK")
        {
            tracing::error!(%fault, "cannot roll back");
        }
    }

    fn execute(&self, sql: &str) -> Result<()> {
        self.db.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

fn housekeeping() -> Job {
    Box::new(|db, now| Outcome {
        stays: db.and_then(|db| housekeeping::trim(db, now, FORGOTTEN_AT_ONCE)).is_ok(),
        answer: Box::new(|_| ()),
    })
}

#[cfg(test)]
mod tests;
