//! A folder of journals as commands see it, which have none of their own.

use super::{
    Journal, fault, file,
    line::{Change, JournalLine, Unanswered},
};
use crate::{
    domain::{credit::OperationId, time::UnixMicros},
    store::Result,
};
use std::{
    collections::HashSet,
    io::{self, Write as _},
    path::Path,
    thread,
    time::Duration,
};

/// Longer than it takes until a gateway has written down what the store has answered.
const A_MOMENT: Duration = Duration::from_secs(1);

/// How many keeps are in a folder's journals that no store has acknowledged; none without the folder. Blocks on the disk.
pub fn keeps_left(folder: &Path) -> Result<usize> {
    unanswered(folder).map(|ids| ids.len()).map_err(|error| fault(folder, &error))
}

/// The same without those that a gateway is just asking for. Blocks for a moment if there are any.
pub fn keeps_waiting(folder: &Path) -> Result<usize> {
    let twice = unanswered(folder).and_then(|before| {
        if before.is_empty() {
            return Ok(0);
        }
        thread::sleep(A_MOMENT);
        Ok(unanswered(folder)?.intersection(&before).count())
    });
    twice.map_err(|error| fault(folder, &error))
}

fn unanswered(folder: &Path) -> io::Result<HashSet<OperationId>> {
    let mut unanswered = Unanswered::default();
    for path in file::all(folder)? {
        unanswered.add(Journal::lines(&path)?);
    }
    Ok(unanswered.holds().map(|hold| hold.id).collect())
}

/// How many lines were set aside in a folder for a person to look at. Blocks on the disk.
pub fn keeps_set_aside(folder: &Path) -> Result<usize> {
    file::lines_set_aside(folder).map_err(|error| fault(folder, &error))
}

/// Writes down what a command has done, for the gateways that have this journal, if any have: in a file of its own, synced. Blocks
/// on the disk.
pub(in crate::store) fn note_beside(folder: &Path, now: UnixMicros, change: Change) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let made = file::make(folder, now)?;
    let mut text = Vec::new();
    JournalLine::Done(now, change).write_to(&mut text);
    (&*made.file).write_all(&text)?;
    made.file.sync_data()
}
