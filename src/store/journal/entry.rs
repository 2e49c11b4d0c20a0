//! One keep as a line of JSON.

use crate::domain::{
    credit::{Hold, OperationId},
    time::UnixMicros,
};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, path::Path};

/// One keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// When it was written down.
    pub(super) at: UnixMicros,
    /// The hold to keep.
    pub(super) hold: Hold,
}

impl Entry {
    /// Adds its line.
    pub(super) fn write_to(&self, lines: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(&mut *lines, self)?;
        lines.push(b'\n');
        Ok(())
    }
}

/// Keeps, each operation's once: a start that was killed half-way leaves a file and its copy.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) all: Vec<Entry>,
    /// Lines that cannot be read.
    pub(super) unreadable: Vec<u8>,
    seen: HashSet<OperationId>,
}

impl Entries {
    /// Adds every whole line. A torn last line was never answered for. Any other line that cannot be read is reported,
    /// and is for a person to look at.
    pub(super) fn read(&mut self, left: &[u8], path: &Path) {
        let whole = left.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in left[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Entry>(line) {
                Ok(entry) if self.seen.insert(entry.hold.id.clone()) => self.all.push(entry),
                Ok(_) => {}
                Err(error) => {
                    self.unreadable.extend(line.iter().chain(b"\n"));
                    let line = String::from_utf8_lossy(line);
                    tracing::error!(
                        %error, %line, file = %path.display(),
                        "a line of a journal cannot be read: it is not counted"
                    );
                }
            }
        }
    }
}
