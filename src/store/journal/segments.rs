//! The files that this process writes, one after another, and those that it has adopted.

use super::file::{self, Locked};
use crate::{
    domain::time::UnixMicros,
    failpoint::{self, Point},
};
use std::{
    fs::File,
    io::{self, Write as _},
    mem,
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::{error, info};

/// A file is closed at this length, or at this age (µs).
const LONG: u64 = 4 << 20;
const OLD: i64 = 60_000_000;

/// How long a closed file stays (µs): longer than any server goes without a sync to its disk or its replica.
pub(super) const STAYS: i64 = 600_000_000;

/// Where a line ends: in which file, and after how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u64,
    end: u64,
}

impl Place {
    /// Somewhere in a file that is written no longer.
    pub(super) fn in_file(file: u64) -> Self {
        Self { file, end: 0 }
    }
}

/// The files.
pub(super) struct Segments {
    current: Locked,
    number: u64,
    /// The number of the next file.
    next: u64,
    /// Bytes of whole lines in it, and how many of them are on the disk for certain.
    length: u64,
    synced: u64,
    since: UnixMicros,
    /// Lines that go with the next ones.
    waiting: Vec<u8>,
    /// Whether something that does not belong there may follow the last line.
    is_torn: bool,
    is_failing: bool,
    closed: Vec<Closed>,
}

/// A file that is written no longer.
struct Closed {
    number: u64,
    until: UnixMicros,
    file: Locked,
}

/// A file to be synced, and up to where that counts.
pub(super) struct Sync {
    file: Arc<File>,
    up_to: Place,
}

impl Sync {
    /// Blocks on the disk.
    pub(super) fn run(&self) -> io::Result<Place> {
        failpoint::fails(Point::InSync)?;
        self.file.sync_data()?;
        Ok(self.up_to)
    }
}

impl Segments {
    /// Begins a file. Blocks on the disk.
    pub(super) fn begin(folder: &Path, now: UnixMicros) -> io::Result<Self> {
        Ok(Self {
            current: file::make(folder, now)?,
            number: 0,
            next: 1,
            length: 0,
            synced: 0,
            since: now,
            waiting: Vec::new(),
            is_torn: false,
            is_failing: false,
            closed: Vec::new(),
        })
    }

    /// Lines to be written with the next [`flush`](Self::flush).
    pub(super) fn waiting(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Whether the disk has not taken the last lines.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Writes what waits, all of it or, on an error, nothing: then it goes on waiting. Gives where it ends.
    pub(super) fn flush(&mut self) -> io::Result<Place> {
        let written = self.write();
        match &written {
            Err(why) if !self.is_failing => error!(%why, "the journal cannot be written: nobody new is admitted"),
            Ok(_) if self.is_failing => info!("the journal can be written again"),
            _ => {}
        }
        self.is_failing = written.is_err();
        written
    }

    fn write(&mut self) -> io::Result<Place> {
        if self.is_failing && self.waiting.is_empty() {
            // An empty line, which shows whether the disk takes anything.
            self.waiting.push(b'\n');
        }
        if self.is_torn {
            self.current.file.set_len(self.length)?;
            self.is_torn = false;
        }
        if !self.waiting.is_empty() {
            let written =
                failpoint::fails(Point::InWrite).and_then(|()| (&*self.current.file).write_all(&self.waiting));
            if let Err(error) = written {
                self.is_torn = self.current.file.set_len(self.length).is_err();
                return Err(error);
            }
            self.length += self.waiting.len() as u64;
            self.waiting.clear();
        }
        Ok(Place { file: self.number, end: self.length })
    }

    /// Writes to something else from now on, such as a disk that is full.
    #[cfg(test)]
    pub(super) fn swap(&mut self, other: Arc<File>) -> Arc<File> {
        mem::replace(&mut self.current.file, other)
    }

    /// Whether a line is in the file that is being written.
    pub(super) fn is_current(&self, place: Place) -> bool {
        place.file == self.number
    }

    /// Whether a line is on the disk for certain.
    pub(super) fn is_synced(&self, place: Place) -> bool {
        self.is_current(place) && place.end <= self.synced
    }

    /// The sync of all lines so far.
    pub(super) fn sync(&self) -> Sync {
        Sync { file: Arc::clone(&self.current.file), up_to: Place { file: self.number, end: self.length } }
    }

    pub(super) fn was_synced(&mut self, up_to: Place) {
        if self.is_current(up_to) {
            self.synced = self.synced.max(up_to.end);
        }
    }

    /// Whether another file should be begun.
    pub(super) fn is_long(&self, now: UnixMicros) -> bool {
        self.length >= LONG || (self.length > 0 && now.0 - self.since.0 >= OLD)
    }

    /// Goes on in another file.
    pub(super) fn go_on_in(&mut self, other: Locked, now: UnixMicros) {
        let file = mem::replace(&mut self.current, other);
        self.closed.push(Closed { number: self.number, until: UnixMicros(now.0 + STAYS), file });
        (self.number, self.next) = (self.next, self.next + 1);
        (self.length, self.synced, self.since, self.is_torn) = (0, 0, now, false);
    }

    /// Keeps a file of a process that is gone, as one of ours. Gives its number.
    pub(super) fn adopt(&mut self, file: Locked, now: UnixMicros) -> u64 {
        let number = self.next;
        self.closed.push(Closed { number, until: UnixMicros(now.0 + STAYS), file });
        self.next += 1;
        number
    }

    /// The closed files whose time has come.
    pub(super) fn due(&self, now: UnixMicros) -> Vec<u64> {
        self.closed.iter().filter(|closed| closed.until <= now).map(|closed| closed.number).collect()
    }

    /// Removes a closed file. Blocks on the disk.
    pub(super) fn remove(&mut self, number: u64) -> io::Result<()> {
        let Some(at) = self.closed.iter().position(|closed| closed.number == number) else { return Ok(()) };
        file::remove(&self.closed[at].file.path)?;
        self.closed.swap_remove(at);
        Ok(())
    }

    /// Every file, oldest first.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let closed = self.closed.iter().map(|closed| &closed.file.path);
        let mut paths: Vec<PathBuf> = closed.chain([&self.current.path]).cloned().collect();
        paths.sort();
        paths
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        drop(self.flush());
        if self.length == 0 {
            drop(file::remove(&self.current.path));
        }
    }
}
