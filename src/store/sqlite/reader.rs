//! Reads: on connections of their own, off the async threads, so that none ever waits for a commit.

use super::schema::File;
use crate::store::{Fault, Result};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Reads at once; the next ones wait for their turn.
const READERS: usize = 4;

/// Connections to read from, opened as they are needed. Clones share them.
#[derive(Clone)]
pub(super) struct Readers {
    turns: Arc<Semaphore>,
    pool: Arc<Pool>,
}

struct Pool {
    file: File,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(file: File) -> Self {
        let pool = Pool { file, idle: Mutex::new(Vec::with_capacity(READERS)) };
        Self { turns: Arc::new(Semaphore::new(READERS)), pool: Arc::new(pool) }
    }

    /// Device and inode of the file.
    pub(super) fn identity(&self) -> (u64, u64) {
        self.pool.file.identity()
    }

    /// Runs `look` on one snapshot of everything committed so far.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let gone = || Fault::Unavailable("the reader gave up".into());
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| gone())?;
        let pool = Arc::clone(&self.pool);
        let reading = spawn_blocking(move || {
            let seen = pool.snapshot(look);
            drop(turn);
            seen
        });
        reading.await.map_err(|_| gone())?
    }
}

impl Readers {
    /// The same, at once and on this thread, which it blocks.
    pub(super) fn snapshot<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.pool.snapshot(look)
    }
}

impl Pool {
    fn snapshot<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let db = match self.idle().pop() {
            Some(db) => db,
            None => self.open()?,
        };
        let snapshot = db.unchecked_transaction()?;
        let seen = look(&snapshot);
        if snapshot.finish().is_ok() {
            self.idle().push(db);
        }
        seen
    }

    fn open(&self) -> Result<Connection> {
        let db = self.file.connect()?;
        db.pragma_update(None, "query_only", true)?;
        Ok(db)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
