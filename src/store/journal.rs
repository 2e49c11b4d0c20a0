//! What a Redis may lose although it has acknowledged it, and what it has not acknowledged, on this machine's disk.
//!
//! Every keep is a line here before the Redis is asked. A sync is awaited only where the Redis does not acknowledge: then the keep
//! is *owed*, and sent until it is taken. What operators and Stripe have done is a line too, synced before they hear of it. Files
//! stay for ten minutes; the lines of a process that is gone are another's.

mod beside;
mod file;
mod lifecycle;
mod line;
mod segments;
mod state;

use super::{Fault, Result};
use crate::{
    clock::Clock,
    domain::credit::{Hold, OperationId, Payer, Settlement},
    failpoint::{self, Point},
    telemetry::StoreGauges,
};
pub(super) use beside::note_beside;
pub use beside::{keeps_left, keeps_set_aside, keeps_waiting};
pub(super) use line::{Change, JournalLine, Revocation};
use segments::{Place, Segments};
use state::{Entry, Progress, State};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    task::spawn_blocking,
};
use tracing::error;

/// The most keeps that may be without an acknowledgement; beyond that, nobody new is admitted.
const MOST: usize = 100_000;

/// A keep is set aside when the day in its id began this long ago (µs): a store forgets operations after a week, and would count it
/// twice.
const TOO_OLD: i64 = 6 * DAY;
const DAY: i64 = 86_400_000_000;

/// The journal of a gateway.
pub(super) struct Journal {
    folder: PathBuf,
    clock: Clock,
    state: Mutex<State>,
    /// Held by whoever syncs: those who come meanwhile find their lines synced, or sync them together.
    turn: AsyncMutex<()>,
    owes: Notify,
    late: AtomicU64,
    set_aside: AtomicU64,
    replays: AtomicU64,
}

/// What became of a keep that cannot be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// No line tells of it: it may be tried again.
    Unwritten,
    /// The journal says that nothing is charged.
    Void,
    /// The journal cannot say so. It will be counted.
    Stands,
}

impl Journal {
    /// Begins a file in a folder, which is made if it is missing. Blocks on the disk.
    pub(super) fn open(folder: &Path, clock: Clock) -> Result<Self> {
        let begun = file::make_folder(folder).and_then(|()| Segments::begin(folder, clock.now()));
        let segments = begun.map_err(|error| fault(folder, &error))?;
        let journal = Self {
            folder: folder.to_owned(),
            clock,
            state: Mutex::new(State { segments, entries: HashMap::new(), unwritten: Vec::new(), void_meanwhile: None }),
            turn: AsyncMutex::default(),
            owes: Notify::new(),
            late: AtomicU64::new(0),
            set_aside: AtomicU64::new(0),
            replays: AtomicU64::new(0),
        };
        journal.adopt().map_err(|error| fault(folder, &error))?;
        Ok(journal)
    }

    /// Writes these keeps down before the store is asked. If the disk does not take them, the store is asked all the same.
    pub(super) fn begin<'a>(&self, holds: impl Iterator<Item = &'a Hold>) {
        let (at, mut state) = (self.clock.now(), self.state());
        for hold in holds {
            // A keep that is repeated has its line.
            if !state.entries.contains_key(&hold.id) {
                state.begin(hold, at);
            }
        }
        if !state.unwritten.is_empty() {
            state.flush();
            drop(state);
            failpoint::reach(Point::AfterLine);
        }
    }

    /// The store has said how operations ended, each of this payer's.
    pub(super) fn ended<'a>(&self, ends: impl Iterator<Item = (&'a OperationId, Payer, Settlement)>) {
        let (mut state, mut has_void) = (self.state(), false);
        for (id, payer, settlement) in ends {
            let had_line = state.entries.remove(id).is_some();
            match settlement {
                Settlement::Kept if had_line => JournalLine::Kept(id.clone()).write_to(state.segments.waiting()),
                Settlement::Kept => {}
                Settlement::Released => {
                    has_void |= had_line;
                    JournalLine::Void(id.clone(), payer).write_to(state.segments.waiting());
                }
            }
        }
        if has_void {
            state.flush();
        }
    }

    /// Returns when a keep that the store has not acknowledged is on the disk. From then on it is owed.
    pub(super) async fn promise(&self, hold: &Hold) -> io::Result<()> {
        let done = self.synced(|state| state.placed(hold, self.clock.now())).await;
        if done.is_err() {
            failpoint::reach(Point::AfterFailedSync);
            return done;
        }
        failpoint::reach(Point::AfterSync);
        if let Some(entry) = self.state().entries.get_mut(&hold.id) {
            entry.progress = Progress::Owed { refused: false };
        }
        self.owes.notify_one();
        Ok(())
    }

    /// A caller is to be told that nothing is charged, or is gone.
    pub(super) fn give_up(&self, id: &OperationId) -> GivenUp {
        let mut state = self.state();
        let Some(entry) = state.entries.remove(id) else { return GivenUp::Unwritten };
        if entry.progress == Progress::Asked {
            if entry.place.is_none() {
                state.forget_line(id);
                return GivenUp::Unwritten;
            }
            let before = state.segments.waiting().len();
            JournalLine::Void(id.clone(), entry.hold.charge.payer()).write_to(state.segments.waiting());
            if state.flush() {
                if let Some(void) = &mut state.void_meanwhile {
                    void.insert(id.clone());
                }
                return GivenUp::Void;
            }
            state.segments.waiting().truncate(before);
            error!(
                operation = id.0.as_str(),
                "a picture was refused, but the journal cannot say so: it will be counted"
            );
        }
        state.entries.insert(id.clone(), Entry { progress: Progress::Owed { refused: false }, ..entry });
        self.owes.notify_one();
        GivenUp::Stands
    }

    /// Whether a replay may send this keep: nobody waits for the store's answer to it, and it has not become void since the replay
    /// read the files.
    pub(super) fn may_replay(&self, id: &OperationId) -> bool {
        let state = self.state();
        let is_void = state.void_meanwhile.as_ref().is_some_and(|void| void.contains(id));
        !is_void && state.entries.get(id).is_none_or(Entry::is_owed)
    }

    /// Returns when something that was done is on the disk.
    pub(super) async fn note(&self, change: Change) -> io::Result<()> {
        let line = JournalLine::Done(self.clock.now(), change);
        let mut is_written = false;
        self.synced(|state| {
            if !is_written {
                line.write_to(state.segments.waiting());
            }
            is_written = true;
            state.segments.flush()
        })
        .await
    }

    /// Syncs, unless another's sync has done it meanwhile. The file is replaced after a sync that failed: nobody knows what is in it.
    async fn synced(&self, mut place: impl FnMut(&mut State) -> io::Result<Place>) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let sync = {
            let mut state = self.state();
            let place = place(&mut state)?;
            if state.segments.is_synced(place) {
                return Ok(());
            }
            state.segments.sync()
        };
        let synced = spawn_blocking(move || sync.run()).await.unwrap_or_else(|gave_up| Err(io::Error::other(gave_up)));
        match synced {
            Ok(up_to) => {
                self.state().segments.was_synced(up_to);
                Ok(())
            }
            Err(error) => {
                error!(%error, "the journal cannot be synced: its file is replaced");
                let (folder, now) = (self.folder.clone(), self.clock.now());
                if let Ok(Ok(other)) = spawn_blocking(move || file::make(&folder, now)).await {
                    self.state().segments.go_on_in(other, now);
                }
                Err(error)
            }
        }
    }

    /// Every file, oldest first, with all lines so far.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut state = self.state();
        state.flush();
        state.segments.paths()
    }

    /// The lines of a file. Blocks on the disk.
    pub(super) fn lines(path: &Path) -> io::Result<Vec<JournalLine>> {
        Ok(line::read(&file::bytes(path)?).0)
    }

    /// Waits until a keep is owed that was not owed before.
    pub(super) async fn owes(&self) {
        self.owes.notified().await;
    }

    /// The keeps that are owed, oldest first, and whether each was refused before.
    pub(super) fn owed(&self) -> Vec<OperationId> {
        let state = self.state();
        let owed = state.entries.iter().filter(|(_, entry)| entry.is_owed());
        let mut ids: Vec<OperationId> = owed.map(|(id, _)| id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// The hold of a keep that is still owed.
    pub(super) fn hold(&self, id: &OperationId) -> Option<Hold> {
        self.state().entries.get(id).map(|entry| entry.hold.clone())
    }

    /// Notes that the store has refused a keep. Gives whether it had before.
    pub(super) fn was_refused(&self, id: &OperationId) -> bool {
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(id) else { return true };
        std::mem::replace(&mut entry.progress, Progress::Owed { refused: true }) == Progress::Owed { refused: true }
    }

    /// Whether the day in a keep's id began too long ago.
    pub(super) fn is_too_old(&self, hold: &Hold) -> bool {
        let began = hold.id.stamp().unwrap_or(hold.taken);
        self.clock.now().0 - (began.0 - began.0.rem_euclid(DAY)) > TOO_OLD
    }

    /// Puts a keep aside for a person. Blocks on the disk.
    pub(super) fn set_aside(&self, hold: &Hold, why: &str) -> io::Result<()> {
        let mut text = Vec::new();
        line::begin(&mut text, hold);
        file::set_aside(&self.folder, &text)?;
        let mut state = self.state();
        state.entries.remove(&hold.id);
        JournalLine::Kept(hold.id.clone()).write_to(state.segments.waiting());
        state.flush();
        error!(operation = hold.id.0.as_str(), why, "a picture was served and is not counted; its keep is set aside");
        self.set_aside.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A keep has come after its lease.
    pub(super) fn was_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// What a server may have lost has been written again: at the start, and whenever another server was found.
    pub(super) fn was_replayed(&self) {
        self.state().void_meanwhile = None;
        self.replays.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nobody new may be admitted: everything that is admitted must be countable.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state();
        state.entries.len() >= MOST || state.segments.is_failing()
    }

    /// For the metrics.
    pub(super) fn gauges(&self) -> StoreGauges {
        let state = self.state();
        let now = self.clock.now();
        let owed = || state.entries.values().filter(|entry| entry.is_owed()).map(|entry| entry.at);
        StoreGauges {
            journal_waiting: owed().count() as u64,
            journal_limit: MOST as u64,
            journal_oldest: owed().min().map(|at| at.until(now)),
            journal_full: state.entries.len() >= MOST || state.segments.is_failing(),
            late: self.late.load(Ordering::Relaxed),
            quarantined: self.set_aside.load(Ordering::Relaxed),
            // Every start replays, which says nothing of the server.
            replays: self.replays.load(Ordering::Relaxed).saturating_sub(1),
            ..StoreGauges::default()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fault(folder: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable(format!("the journal in {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests;
