//! The journal's file: one JSON line for each keep, on the disk before the writer goes on. Lines that arrive together
//! share one sync.

use crate::{
    domain::{credit::Hold, time::UnixMicros},
    random::base62_text,
};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The longest that a journal gets (bytes): about a hundred thousand keeps.
const LONGEST: u64 = 32 << 20;

const ENDING: &str = "journal";

/// Where keeps go that no store may take any more, for a person to look at.
const SET_ASIDE: &str = "set-aside.jsonl";

/// One keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// When it was written down.
    pub(super) at: UnixMicros,
    /// What to keep.
    pub(super) hold: Hold,
}

/// This process's file, locked for as long as it is open.
pub(super) struct JournalFile {
    folder: PathBuf,
    file: File,
    length: AtomicU64,
    queue: Mutex<Queue>,
    synced: Condvar,
}

/// Lines on their way to the disk.
#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    /// The number of the batch that `lines` will be, and of the last that is on the disk.
    next: u64,
    done: u64,
    writing: bool,
    /// The last batch that could not be written.
    failed: Option<(u64, io::ErrorKind)>,
}

/// How many keeps are in the folder's files, whoever has them open.
pub(super) fn left(folder: &Path) -> io::Result<usize> {
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        found => found?,
    };
    let mut keeps = 0;
    for path in found {
        let path = path?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            keeps += read(&fs::read(&path)?, &path).len();
        }
    }
    Ok(keeps)
}

impl JournalFile {
    /// A new file in the folder, with the keeps that were left in the files of processes that are gone.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<Entry>)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let name = base62_text(16).map_err(io::Error::other)?;
        let path = folder.join(format!("{name}.{ENDING}"));
        let file = OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).open(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let journal = Self {
            folder: folder.to_owned(),
            file,
            length: AtomicU64::new(0),
            queue: Mutex::default(),
            synced: Condvar::new(),
        };
        let entries = journal.adopt(&path)?;
        File::open(folder)?.sync_all()?;
        Ok((journal, entries))
    }

    /// Takes over what unlocked files hold. They go when their keeps are safe in this one.
    fn adopt(&self, own: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.folder)? {
            let path = found?.path();
            if path == own || path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            let mut left = Vec::new();
            file.read_to_end(&mut left)?;
            for entry in read(&left, &path) {
                self.append(&entry)?;
                entries.push(entry);
            }
            fs::remove_file(&path)?;
        }
        Ok(entries)
    }

    /// Whether nothing more should be promised.
    pub(super) fn is_full(&self) -> bool {
        self.length.load(Ordering::Relaxed) >= LONGEST
    }

    /// Returns when the line is on the disk.
    pub(super) fn append(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut queue = self.queue();
        let batch = queue.next;
        queue.lines.extend_from_slice(&line);
        while queue.done <= batch {
            if queue.writing {
                queue = self.synced.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.writing = true;
            let (lines, number) = (std::mem::take(&mut queue.lines), queue.next);
            queue.next += 1;
            drop(queue);
            let written = (&self.file).write_all(&lines).and_then(|()| self.file.sync_data());
            queue = self.queue();
            queue.writing = false;
            queue.done = number + 1;
            match written {
                Ok(()) => drop(self.length.fetch_add(lines.len() as u64, Ordering::Relaxed)),
                Err(error) => {
                    queue.failed = Some((number, error.kind()));
                    self.cut_off();
                }
            }
            self.synced.notify_all();
        }
        match queue.failed {
            Some((number, kind)) if number == batch => Err(kind.into()),
            _ => Ok(()),
        }
    }

    /// Takes away what a failed write may have left, so that the next line begins a line. If not even that can be done,
    /// nothing more is promised.
    fn cut_off(&self) {
        if self.file.set_len(self.length.load(Ordering::Relaxed)).is_err() {
            self.length.store(LONGEST, Ordering::Relaxed);
        }
    }

    /// Nothing in it is needed any more, but for lines that arrive meanwhile: those stay.
    pub(super) fn empty(&self) -> io::Result<()> {
        let queue = self.queue();
        if queue.writing || !queue.lines.is_empty() {
            return Ok(());
        }
        self.file.set_len(0)?;
        self.length.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Writes a keep where a person finds it.
    pub(super) fn set_aside(&self, entry: &Entry) -> io::Result<()> {
        let path = self.folder.join(SET_ASIDE);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every whole line. A torn last one was never answered for; any other that cannot be read is reported.
fn read(left: &[u8], path: &Path) -> Vec<Entry> {
    let whole = left.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = left[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let read = lines.filter_map(|line| match serde_json::from_slice(line) {
        Ok(entry) => Some(entry),
        Err(error) => {
            let line = String::from_utf8_lossy(line);
            tracing::error!(%error, %line, file = %path.display(), "a line of a journal cannot be read: it is not counted");
            None
        }
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        caller::ClientAddress,
        credit::{Charge, OperationId},
        time::Day,
    };
    use std::thread;

    fn entry(id: &str) -> Entry {
        let charge =
            Charge::Client { client: ClientAddress("::/64".into()), day: Day { year: 2026, month: 3, day: 9 } };
        let hold = Hold { id: OperationId(id.into()), charge, taken: UnixMicros(1), expires: UnixMicros(2) };
        Entry { at: UnixMicros(5), hold }
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_a_process_leaves_the_next_one_finds_but_for_a_torn_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, found) = JournalFile::open(folder.path()).unwrap();
        assert_eq!(found, []);
        for id in ["a", "b"] {
            journal.append(&entry(id)).unwrap();
        }
        (&journal.file).write_all(b"{\"at\":5,\"hold\":{\"id\":\"torn").unwrap();
        drop(journal);
        let (journal, found) = JournalFile::open(folder.path()).unwrap();
        assert_eq!(found, [entry("a"), entry("b")]);
        assert_eq!(files(folder.path()).len(), 1, "the old file is gone");
        drop(journal);
        assert_eq!(JournalFile::open(folder.path()).unwrap().1.len(), 2, "and its keeps are safe in the new one");
    }

    #[test]
    fn a_file_that_another_process_has_open_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (running, _) = JournalFile::open(folder.path()).unwrap();
        running.append(&entry("a")).unwrap();
        let (_other, found) = JournalFile::open(folder.path()).unwrap();
        assert_eq!((found.len(), files(folder.path()).len()), (0, 2));
    }

    #[test]
    fn many_who_write_at_once_are_all_written() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = JournalFile::open(folder.path()).unwrap();
        thread::scope(|scope| {
            for hand in 0..16 {
                let journal = &journal;
                scope.spawn(move || journal.append(&entry(&format!("{hand}"))).unwrap());
            }
        });
        drop(journal);
        assert_eq!(JournalFile::open(folder.path()).unwrap().1.len(), 16);
    }

    #[test]
    fn an_emptied_journal_has_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = JournalFile::open(folder.path()).unwrap();
        journal.append(&entry("a")).unwrap();
        journal.length.store(LONGEST, Ordering::Relaxed);
        assert!(journal.is_full());
        journal.empty().unwrap();
        assert!(!journal.is_full());
        drop(journal);
        assert_eq!(JournalFile::open(folder.path()).unwrap().1, []);
    }
}
