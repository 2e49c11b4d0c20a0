//! The journal's file in its folder: one JSON line for each keep, on the disk before the writer goes on.
//!
//! A process that opens a journal, or puts another file in the place of its own, has the folder to itself meanwhile
//! (`lock`). Otherwise one gateway would remove the file that another has just made and not locked yet.

use super::{
    entry::{Entries, Entry},
    lines::{Disk as _, Lines},
};
use crate::random::base62_text;
use rustix::{
    fs::{FlockOperation, flock},
    io::retry_on_intr,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// The longest that a journal gets, in bytes: about a hundred thousand keeps.
const LONGEST: u64 = 32 << 20;

/// About how many keeps that is.
pub(super) const MOST_KEEPS: u64 = LONGEST / BYTES_OF_A_KEEP;

/// About how long a keep's line is.
const BYTES_OF_A_KEEP: u64 = 330;

const ENDING: &str = "journal";

/// The ending of a file that is to take the place of a journal.
const UNFINISHED: &str = "new";

/// Locked while the folder's files are being made, adopted or replaced. The file itself stays.
const LOCK: &str = "lock";

/// Keeps that no store may take any more go to this file, for a person to look at.
const QUARANTINE: &str = "quarantine.jsonl";

/// This process's file, locked for as long as it is open.
pub(super) struct JournalFile {
    folder: PathBuf,
    path: PathBuf,
    lines: Lines<File>,
}

/// How many keeps are in the folder's files, even in files that other processes have open.
pub(super) fn left(folder: &Path) -> io::Result<usize> {
    let mut entries = Entries::default();
    for path in with_ending(folder, ENDING)? {
        if let Some(left) = unless_gone(fs::read(&path))? {
            entries.read(&left, &path);
        }
    }
    Ok(entries.all.len())
}

/// How many lines are in the file for a person.
pub(super) fn set_aside(folder: &Path) -> io::Result<usize> {
    let text = unless_gone(fs::read(folder.join(QUARANTINE)))?.unwrap_or_default();
    Ok(text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count())
}

impl JournalFile {
    /// A new file in the folder, with the keeps that were left in the files of processes that are gone.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<Entry>)> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let _alone = alone(folder, FlockOperation::LockExclusive)?;
        for abandoned in with_ending(folder, UNFINISHED)? {
            unless_gone(fs::remove_file(abandoned))?;
        }
        let mut entries = Entries::default();
        let old = left_behind(folder, &mut entries)?;
        let name = base62_text(16).map_err(io::Error::other)?;
        let path = folder.join(format!("{name}.{ENDING}"));
        let journal = Self { folder: folder.to_owned(), lines: Lines::new(make(&path)?), path };
        if let Err(error) = journal.take_over(&entries) {
            drop(fs::remove_file(&journal.path));
            return Err(error);
        }
        for (path, _locked) in &old {
            unless_gone(fs::remove_file(path))?;
        }
        sync(folder)?;
        Ok((journal, entries.all))
    }

    /// Writes all keeps at once, and makes the file's name safe too, before the old files are removed. A start that is
    /// killed meanwhile leaves the old files and a part of a copy, which the next start merges into one.
    fn take_over(&self, entries: &Entries) -> io::Result<()> {
        if !entries.all.is_empty() {
            self.lines.append(&written(&entries.all)?)?;
        }
        if !entries.unreadable.is_empty() {
            self.quarantine_lines(&entries.unreadable)?;
        }
        sync(&self.folder)
    }

    /// Whether the file is full, so that nothing more may be promised.
    pub(super) fn is_full(&self) -> bool {
        self.lines.length() >= LONGEST
    }

    /// Returns when the line is on the disk.
    pub(super) fn append(&self, entry: &Entry) -> io::Result<()> {
        self.lines.append(&written([entry])?)
    }

    /// Empties the file, of which nothing is needed any more. Lines that arrive meanwhile stay.
    pub(super) fn empty(&self) -> io::Result<()> {
        self.lines.empty()
    }

    /// Shrinks the file to these entries and the lines that arrive meanwhile. Does nothing while another process opens
    /// a journal.
    pub(super) fn shrink_to<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<()> {
        self.lines.go_on_in(|| {
            let _alone = alone(&self.folder, FlockOperation::NonBlockingLockExclusive)?;
            let unfinished = self.path.with_extension(UNFINISHED);
            unless_gone(fs::remove_file(&unfinished))?;
            let (file, lines) = (make(&unfinished)?, written(entries)?);
            file.append(&lines)?;
            fs::rename(&unfinished, &self.path)?;
            // From here on the old file has no name any more.
            if let Err(error) = sync(&self.folder) {
                tracing::warn!(%error, folder = %self.folder.display(), "the journal's folder cannot be synced");
            }
            Ok((file, lines.len() as u64))
        })
    }

    /// Writes a keep to the file for a person.
    pub(super) fn quarantine(&self, entry: &Entry) -> io::Result<()> {
        self.quarantine_lines(&written([entry])?)
    }

    fn quarantine_lines(&self, lines: &[u8]) -> io::Result<()> {
        let path = self.folder.join(QUARANTINE);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        // Half a line would spoil the next one; and gateways may share the folder.
        flock(&file, FlockOperation::LockExclusive)?;
        let length = file.metadata()?.len();
        file.append(lines).inspect_err(|_| drop(file.cut(length)))
    }
}

fn written<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        entry.write_to(&mut lines)?;
    }
    Ok(lines)
}

/// Reads the keeps in unlocked files, and locks those files.
fn left_behind(folder: &Path, entries: &mut Entries) -> io::Result<Vec<(PathBuf, File)>> {
    let mut old = Vec::new();
    for path in with_ending(folder, ENDING)? {
        let Some(mut file) = unless_gone(OpenOptions::new().read(true).write(true).open(&path))? else { continue };
        // A file without a name was replaced in between.
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() || file.metadata()?.nlink() == 0 {
            continue;
        }
        let mut left = Vec::new();
        file.read_to_end(&mut left)?;
        entries.read(&left, &path);
        old.push((path, file));
    }
    Ok(old)
}

/// A new file, locked.
fn make(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).read(true).create_new(true).mode(0o600).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// The folder's lock, which is released when dropped.
fn alone(folder: &Path, how: FlockOperation) -> io::Result<File> {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join(LOCK))?;
    retry_on_intr(|| flock(&lock, how))?;
    Ok(lock)
}

/// Makes sure that names that were made or removed in the folder are on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder's files with an ending; none without the folder.
fn with_ending(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for found in unless_gone(fs::read_dir(folder))?.into_iter().flatten() {
        paths.push(found?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|its| its == ending));
    Ok(paths)
}

fn unless_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

#[cfg(test)]
mod tests;
