//! The keeps that are not acknowledged, and where their lines are.

use super::{
    line::{self, JournalLine},
    segments::{Place, Segments},
};
use crate::domain::{
    credit::{Hold, OperationId},
    time::UnixMicros,
};
use std::{
    collections::{HashMap, HashSet},
    io, mem,
};

/// The files, and what is in them.
pub(super) struct State {
    pub(super) segments: Segments,
    /// Keeps that are not acknowledged.
    pub(super) entries: HashMap<OperationId, Entry>,
    /// Those whose line waits to be written.
    pub(super) unwritten: Vec<OperationId>,
    /// Keeps that were given up since the replay under way has read the files; `None` while there is none.
    pub(super) void_meanwhile: Option<HashSet<OperationId>>,
}

/// A keep that is not acknowledged.
pub(super) struct Entry {
    pub(super) hold: Hold,
    pub(super) at: UnixMicros,
    /// Where its line ends; `None` until that could be written.
    pub(super) place: Option<Place>,
    pub(super) progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The store was asked, and somebody waits for its answer.
    Asked,
    /// The picture is served, or was served by a process that is gone. It is sent until the store takes it.
    Owed {
        /// Whether the store has refused it before.
        refused: bool,
    },
}

impl Entry {
    /// One that somebody is asked to keep now.
    fn asked(hold: &Hold, at: UnixMicros) -> Self {
        Self { hold: hold.clone(), at, place: None, progress: Progress::Asked }
    }

    /// One of a process that is gone.
    pub(super) fn adopted(hold: Hold, at: UnixMicros, file: u64) -> Self {
        Self { hold, at, place: Some(Place::in_file(file)), progress: Progress::Owed { refused: false } }
    }

    fn is_in(&self, files: &[u64]) -> bool {
        self.place.is_some_and(|place| files.contains(&place.file))
    }

    /// Whether it will be counted whatever happens.
    pub(super) fn is_owed(&self) -> bool {
        self.progress != Progress::Asked
    }
}

impl State {
    pub(super) fn begin(&mut self, hold: &Hold, at: UnixMicros) {
        line::begin(self.segments.waiting(), hold);
        self.unwritten.push(hold.id.clone());
        self.entries.insert(hold.id.clone(), Entry::asked(hold, at));
    }

    /// Where a keep's line ends in the file that is being written; it is written there if it is not.
    pub(super) fn placed(&mut self, hold: &Hold, at: UnixMicros) -> io::Result<Place> {
        match self.entries.get(&hold.id).map(|entry| entry.place) {
            Some(Some(place)) if self.segments.is_current(place) => Ok(place),
            Some(None) => self.write(),
            // Its line in another file stays: until there is one here, the keep is where it was.
            Some(Some(_)) => {
                line::begin(self.segments.waiting(), hold);
                self.unwritten.push(hold.id.clone());
                self.write()
            }
            None => {
                self.begin(hold, at);
                self.write()
            }
        }
    }

    /// Writes what waits.
    pub(super) fn write(&mut self) -> io::Result<Place> {
        let place = self.segments.flush()?;
        for id in self.unwritten.drain(..) {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.place = Some(place);
            }
        }
        Ok(place)
    }

    /// Whether that went well; else it goes on waiting.
    pub(super) fn flush(&mut self) -> bool {
        self.write().is_ok()
    }

    /// Takes a line back that waits to be written.
    pub(super) fn forget_line(&mut self, id: &OperationId) {
        self.unwritten.retain(|unwritten| unwritten != id);
        let waiting = mem::take(self.segments.waiting());
        let lines = waiting.split_inclusive(|byte| *byte == b'\n');
        let others =
            lines.filter(|text| !matches!(&line::read(text).0[..], [JournalLine::Begun(hold)] if hold.id == *id));
        *self.segments.waiting() = others.collect::<Vec<_>>().concat();
    }

    /// Copies the lines of keeps that are not acknowledged from files that are to be removed; gives whether there are any. Until
    /// that is synced, these files have them.
    pub(super) fn copy_from(&mut self, files: &[u64]) -> io::Result<bool> {
        let mut has_any = false;
        for entry in self.entries.values().filter(|entry| entry.is_in(files)) {
            line::begin(self.segments.waiting(), &entry.hold);
            has_any = true;
        }
        self.write().map(|_| has_any)
    }

    /// The copies of these files' lines are synced up to there.
    pub(super) fn move_to(&mut self, to: Place, files: &[u64]) {
        for entry in self.entries.values_mut().filter(|entry| entry.is_in(files)) {
            entry.place = Some(to);
        }
    }
}
