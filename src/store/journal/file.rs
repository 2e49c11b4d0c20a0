//! The journal's files in their folder.
//!
//! A file gets its name once its process has locked it. So a file that can be locked belongs to nobody: its process is gone. Names
//! begin with the moment at which the file was made, and so are in its order.

use crate::{domain::time::UnixMicros, random::base62_text};
use rustix::{
    fs::{FlockOperation, flock},
    io::retry_on_intr,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown},
    path::{Path, PathBuf},
    sync::Arc,
};

const ENDING: &str = "journal";

/// The ending of a file that nobody has locked yet.
const UNFINISHED: &str = "new";

/// Keeps that no store may take any more go to this file, for a person to look at.
const SET_ASIDE: &str = "quarantine.jsonl";

/// How often another name is tried.
const TRIES: usize = 8;

/// A file that is locked for as long as it is open.
pub(super) struct Locked {
    pub(super) path: PathBuf,
    pub(super) file: Arc<File>,
}

pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A new file, whose name is on the disk too.
pub(super) fn make(folder: &Path, now: UnixMicros) -> io::Result<Locked> {
    let owner = fs::metadata(folder)?;
    for _ in 0..TRIES {
        let name = format!("{:016}-{}", now.0.max(0), base62_text(10).map_err(io::Error::other)?);
        let (unfinished, path) =
            (folder.join(&name).with_extension(UNFINISHED), folder.join(&name).with_extension(ENDING));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&unfinished)?;
        // A command of root's writes here too, and the gateway must be able to adopt its file. Nobody but root may give a file away.
        drop(fchown(&file, Some(owner.uid()), Some(owner.gid())));
        // Somebody may take the file for abandoned in between.
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
            && unless_gone(fs::rename(&unfinished, &path))?.is_some()
        {
            sync(folder)?;
            return Ok(Locked { path, file: Arc::new(file) });
        }
    }
    Err(io::Error::other("its new files are always taken away"))
}

/// The files of processes that are gone, locked, in their order.
pub(super) fn adopt(folder: &Path) -> io::Result<Vec<Locked>> {
    for path in with_ending(folder, UNFINISHED)? {
        if lock(&path)?.is_some() {
            unless_gone(fs::remove_file(path))?;
        }
    }
    let mut adopted = Vec::new();
    for path in with_ending(folder, ENDING)? {
        adopted.extend(lock(&path)?.map(|file| Locked { path, file: Arc::new(file) }));
    }
    Ok(adopted)
}

/// All files in the folder, whoever has them, in their order; none without the folder.
pub(super) fn all(folder: &Path) -> io::Result<Vec<PathBuf>> {
    with_ending(folder, ENDING)
}

/// Removes a file.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    unless_gone(fs::remove_file(path)).map(drop)
}

/// A file's bytes; none if it is gone.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    Ok(unless_gone(fs::read(path))?.unwrap_or_default())
}

/// Writes lines to the file for a person.
pub(super) fn set_aside(folder: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join(SET_ASIDE))?;
    // Half a line would spoil the next one; and gateways may share the folder.
    retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
    let length = file.metadata()?.len();
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    written.inspect_err(|_| drop(file.set_len(length)))
}

/// How many lines are in the file for a person.
pub(super) fn lines_set_aside(folder: &Path) -> io::Result<usize> {
    let text = bytes(&folder.join(SET_ASIDE))?;
    Ok(text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count())
}

/// The file, if nobody has it and it still has its name.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let Some(file) = unless_gone(OpenOptions::new().append(true).open(path))? else { return Ok(None) };
    let is_ours = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && file.metadata()?.nlink() > 0;
    Ok(is_ours.then_some(file))
}

/// Makes sure that names that were made in the folder are on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn with_ending(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for found in unless_gone(fs::read_dir(folder))?.into_iter().flatten() {
        paths.push(found?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|its| its == ending));
    paths.sort();
    Ok(paths)
}

fn unless_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}
