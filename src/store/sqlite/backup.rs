//! A copy of the whole file, taken while the gateway writes.

use super::{super::Result, schema::File};
use crate::store::Fault;
use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Copies the store at `path` to a new file, as it is at one moment. Answers with the copy's bytes. Blocks on the disk.
///
/// The copy is one file, readable by its owner only, complete and on disk when this returns, and can be put in the store's
/// place. [`Fault::NotFound`] without a store, [`Fault::Taken`] if something is at `copy` already.
pub(in crate::store) fn backup(path: &Path, copy: &Path) -> Result<u64> {
    if !path.exists() {
        return Err(Fault::NotFound(format!("there is no store at {}", path.display())));
    }
    let told = |error: io::Error| Fault::Unusable(format!("{}: {error}", copy.display()));
    if copy.exists() {
        return Err(Fault::Taken(format!("{} is there already", copy.display())));
    }
    let unfinished = Unfinished::beside(copy).map_err(told)?;
    let db = File::prepare(path)?.connect()?;
    let name = unfinished.0.to_str().ok_or_else(|| Fault::Unusable(format!("{} is no text", copy.display())))?;
    db.execute("VACUUM INTO ?1", [name])?;
    unfinished.become_final(copy).map_err(told)
}

/// A file that is removed unless it becomes the copy.
struct Unfinished(PathBuf);

impl Unfinished {
    /// Made here, so that nobody else may read it: SQLite would make it with the process's own rights.
    fn beside(copy: &Path) -> io::Result<Self> {
        let mut name = copy.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}.unfinished", std::process::id()));
        let path = copy.with_file_name(name);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self(path))
    }

    /// Puts it on disk, then under its name, which nobody else's file may have taken meanwhile.
    fn become_final(self, copy: &Path) -> io::Result<u64> {
        let file = fs::File::open(&self.0)?;
        file.sync_all()?;
        fs::hard_link(&self.0, copy)?;
        let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = fs::remove_file(&self.0);
    }
}
