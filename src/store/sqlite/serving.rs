//! Who uses the file as a gateway: each gateway that serves holds a lock, and a move of accounts needs it alone.
//!
//! The lock is on a file of its own, because closing any other handle of the database would end SQLite's own locks.

use crate::store::{Fault, Result};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// A lock on a store; it ends when it is dropped, and with the process.
#[derive(Debug)]
pub(in crate::store) struct Lock {
    _file: File,
}

impl Lock {
    /// The lock of a gateway that serves; several may have it.
    pub(in crate::store) fn to_serve(path: &Path) -> Result<Self> {
        Self::take(path, FlockOperation::NonBlockingLockShared)?.ok_or_else(|| {
            let says = format!("{} is being moved to or from another store; wait until that has ended", path.display());
            Fault::Unusable(says)
        })
    }

    /// The lock of a move. [`Fault::Unusable`] while a gateway serves.
    pub(in crate::store) fn to_move(path: &Path) -> Result<Self> {
        Self::take(path, FlockOperation::NonBlockingLockExclusive)?.ok_or_else(|| Fault::in_service(path.display()))
    }

    fn take(path: &Path, how: FlockOperation) -> Result<Option<Self>> {
        // A link to the file is the same store.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push("-serving");
        let beside = path.with_file_name(name);
        let told = |error: std::io::Error| Fault::Unavailable(format!("cannot lock {}: {error}", beside.display()));
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).clone();
        let file = options.open(&beside).map_err(told)?;
        match flock(&file, how) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(told(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_share_the_store_and_a_move_has_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let (one, two) = (Lock::to_serve(&path).unwrap(), Lock::to_serve(&path).unwrap());
        assert!(Lock::to_move(&path).unwrap_err().to_string().contains("serves from"));
        drop((one, two));
        let moving = Lock::to_move(&path).unwrap();
        assert!(Lock::to_serve(&path).unwrap_err().to_string().contains("is being moved"));
        assert!(Lock::to_serve(&folder.path().join("other.db")).is_ok());
        drop(moving);
        assert!(Lock::to_serve(&path).is_ok());
    }
}
