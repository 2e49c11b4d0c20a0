//! The keeps in the journal that the store has not taken yet, and the task that drains them.

use super::{entry::Entry, file::JournalFile};
use crate::{
    clock::Clock,
    domain::credit::{Hold, Settlement},
    failpoint::{self, Point},
    store::{Fault, Metering, Result},
};
use futures_util::future::join_all;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tracing::{error, warn};

/// Keeps that are sent to the store at once.
const AT_ONCE: usize = 16;

/// The pause between two attempts while the store is unavailable.
const PAUSE: Duration = Duration::from_millis(200);

/// The shortest and the longest pause before refused keeps are tried again.
const SOON: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);

/// An older keep is quarantined: the store forgets operations after a week, and would count it twice (µs).
const TOO_OLD: i64 = 6 * 86_400 * 1_000_000;

/// How many dead lines are accepted before the file is written anew without them.
const MOST_DEAD: usize = 1_024;

/// The file, and the keeps in it that the store has not taken yet.
pub(super) struct Journal {
    pub(super) clock: Clock,
    file: JournalFile,
    waiting: Mutex<Waiting>,
    written: Notify,
    late: AtomicU64,
    quarantined: AtomicU64,
}

struct Waiting {
    keeps: VecDeque<Pending>,
    /// How many more keeps are on their way to the disk. Until they are counted here, the file must not be emptied.
    coming: usize,
    /// Lines of the file that are no longer needed.
    dead: usize,
}

#[derive(Clone)]
struct Pending {
    entry: Entry,
    /// Whether the store has refused it before.
    refused: bool,
}

/// The outcome of one attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The keep needs nothing more.
    Done,
    /// The store is unavailable.
    Unavailable,
    /// The store is available and refuses. Perhaps an operator has made a mistake, which can be mended.
    Refused,
}

/// The outcomes of a round through all keeps.
#[derive(Default)]
struct Round {
    done: usize,
    unavailable: usize,
    refused: usize,
}

impl Journal {
    pub(super) fn new(file: JournalFile, left: Vec<Entry>, clock: Clock) -> Self {
        let keeps = left.into_iter().map(Pending::new).collect();
        Self {
            clock,
            file,
            waiting: Mutex::new(Waiting { keeps, coming: 0, dead: 0 }),
            written: Notify::new(),
            late: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
        }
    }

    /// Whether the journal is full, so that nothing more may be promised.
    pub(super) fn is_full(&self) -> bool {
        self.file.is_full()
    }

    pub(super) fn waiting_keeps(&self) -> u64 {
        self.waiting().keeps.len() as u64
    }

    /// The age of the oldest keep that waits; `None` if none does.
    pub(super) fn oldest_age(&self) -> Option<Duration> {
        let oldest = self.waiting().keeps.iter().map(|keep| keep.entry.at).min()?;
        let age = self.clock.now().0.saturating_sub(oldest.0);
        Some(Duration::from_micros(u64::try_from(age).unwrap_or(0)))
    }

    /// How many keeps came after their lease.
    pub(super) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// How many keeps were quarantined.
    pub(super) fn quarantined(&self) -> u64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// Returns when the keep is on the disk.
    pub(super) async fn write(self: &Arc<Self>, hold: &Hold) -> Result<()> {
        let (journal, entry) = (Arc::clone(self), Entry { at: self.clock.now(), hold: hold.clone() });
        let written = spawn_blocking(move || {
            journal.waiting().coming += 1;
            let written = journal.file.append(&entry);
            failpoint::reach(Point::AfterSync);
            let mut waiting = journal.waiting();
            waiting.coming -= 1;
            written.map(|()| waiting.keeps.push_back(Pending::new(entry)))
        });
        let written = written.await.map_err(|_| Fault::Unavailable("the journal gave up".into()))?;
        // A write that failed notifies too: perhaps this keep was the only reason why the file could not be emptied.
        self.written.notify_one();
        written.map_err(|error| Fault::Unavailable(format!("the journal cannot be written: {error}")))
    }

    pub(super) async fn drain_for_ever(self: Arc<Self>, store: Arc<dyn Metering>) {
        let mut pause = SOON;
        loop {
            let round = self.drain_all(&*store).await;
            pause = if round.done > 0 || round.refused == 0 { SOON } else { (pause * 2).min(LATEST) };
            if round.unavailable > 0 {
                sleep(PAUSE).await;
            } else if round.refused > 0 {
                // The pause or the notification, whichever comes first.
                drop(timeout(pause, self.written.notified()).await);
            } else {
                self.written.notified().await;
            }
        }
    }

    /// Tries every keep once, except those that come meanwhile. Stops if the store is unavailable for all that are
    /// tried at once.
    async fn drain_all(self: &Arc<Self>, store: &dyn Metering) -> Round {
        let (mut round, mut left) = (Round::default(), self.waiting().keeps.len());
        while left > 0 {
            let some: Vec<Pending> = self.waiting().keeps.iter().take(AT_ONCE.min(left)).cloned().collect();
            left -= some.len();
            let mut under_way = Vec::with_capacity(some.len());
            for keep in &some {
                under_way.push(self.drain(store, keep));
            }
            let outcomes = join_all(under_way).await;
            self.sort(&outcomes);
            let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
            round.done += count(Outcome::Done);
            round.refused += count(Outcome::Refused);
            round.unavailable += count(Outcome::Unavailable);
            if count(Outcome::Unavailable) == outcomes.len() {
                break;
            }
        }
        let journal = Arc::clone(self);
        if spawn_blocking(move || journal.make_room()).await.is_err() {
            warn!("the journal gave up making room");
        }
        round
    }

    async fn drain(self: &Arc<Self>, store: &dyn Metering, keep: &Pending) -> Outcome {
        let hold = &keep.entry.hold;
        if self.clock.now().0 - keep.entry.at.0 > TOO_OLD {
            return self.quarantine(keep, "it is older than six days").await;
        }
        match store.keep(hold).await {
            Ok(kept) if kept.settlement == Settlement::Kept => {
                let late = self.clock.now() >= hold.expires;
                self.late.fetch_add(u64::from(late), Ordering::Relaxed);
                Outcome::Done
            }
            Ok(_) => self.quarantine(keep, "it had been released").await,
            Err(Fault::Unavailable(_)) => Outcome::Unavailable,
            Err(
                Fault::NotFound(why)
                | Fault::Insufficient(why)
                | Fault::TooLarge(why)
                | Fault::Taken(why)
                | Fault::Unusable(why)
                | Fault::Conflict(why),
            ) => self.quarantine(keep, &why).await,
            Err(Fault::Unexpected(why)) => {
                if !keep.refused {
                    error!(
                        operation = hold.id.0,
                        why, "the store refuses a keep: it stays in the journal for six days"
                    );
                }
                Outcome::Refused
            }
        }
    }

    async fn quarantine(self: &Arc<Self>, keep: &Pending, why: &str) -> Outcome {
        let (journal, entry) = (Arc::clone(self), keep.entry.clone());
        let put = spawn_blocking(move || journal.file.quarantine(&entry).map_err(|error| error.to_string())).await;
        match put.unwrap_or_else(|gave_up| Err(gave_up.to_string())) {
            Ok(()) => {
                let operation = &keep.entry.hold.id.0;
                error!(operation, why, "a picture was served and is not counted; its keep is quarantined");
                self.quarantined.fetch_add(1, Ordering::Relaxed);
                Outcome::Done
            }
            Err(error) => {
                if !keep.refused {
                    warn!(error, why, "a keep cannot be quarantined: it stays in the journal");
                }
                Outcome::Refused
            }
        }
    }

    /// Takes the first keeps from their place: those that are done are removed, the others go to the end.
    fn sort(&self, outcomes: &[Outcome]) {
        let mut waiting = self.waiting();
        for outcome in outcomes {
            let Some(mut keep) = waiting.keeps.pop_front() else { return };
            if *outcome == Outcome::Done {
                waiting.dead += 1;
            } else {
                keep.refused |= *outcome == Outcome::Refused;
                waiting.keeps.push_back(keep);
            }
        }
    }

    /// Empties the file if nothing in it is needed, and writes it anew if most of it is dead. Blocks on the disk.
    fn make_room(&self) {
        let mut waiting = self.waiting();
        let Waiting { keeps, coming: 0, dead: 1.. } = &*waiting else { return };
        let made = match keeps.len() {
            0 => self.file.empty(),
            needed if waiting.dead < MOST_DEAD.max(needed) => return,
            _ => self.file.shrink_to(keeps.iter().map(|keep| &keep.entry)),
        };
        match made {
            Ok(()) => waiting.dead = 0,
            Err(error) => warn!(%error, "the journal cannot be made shorter"),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn new(entry: Entry) -> Self {
        Self { entry, refused: false }
    }
}
