//! The journal's files are adopted from processes that are gone, closed when they are long, and removed when they are old.

use super::{
    Journal, file,
    line::{self, Unanswered},
    state::Entry,
};
use crate::domain::time::UnixMicros;
use std::{collections::HashSet, io, path::PathBuf};
use tracing::{error, info};

impl Journal {
    /// Keeps the files of processes that are gone: their keeps without an end are owed. Blocks on the disk.
    pub(in crate::store) fn adopt(&self) -> io::Result<()> {
        let (now, mut unanswered, mut adopted) = (self.clock.now(), Unanswered::default(), Vec::new());
        // All that can fail comes first: a file becomes ours together with its keeps.
        for found in file::adopt(&self.folder)? {
            let (lines, unreadable) = line::read(&file::bytes(&found.path)?);
            if !unreadable.is_empty() {
                error!(file = %found.path.display(), "lines of the journal cannot be read: they are set aside, and not counted");
                file::set_aside(&self.folder, &unreadable)?;
            }
            if lines.is_empty() {
                file::remove(&found.path)?;
            } else {
                unanswered.add(lines);
                adopted.push(found);
            }
        }
        if unanswered.has_any() {
            // Their ends may be in files that another gateway has adopted.
            for path in file::all(&self.folder)? {
                unanswered.add_ends(Self::lines(&path)?);
            }
        }
        let (mut state, mut last) = (self.state(), None);
        for found in adopted {
            last = Some(state.segments.adopt(found, now));
        }
        let Some(file) = last else { return Ok(()) };
        let mut keeps = 0;
        for hold in unanswered.holds() {
            let id = hold.id.clone();
            keeps += usize::from(state.entries.insert(id, Entry::adopted(hold, now, file)).is_none());
        }
        if keeps > 0 {
            info!(keeps, "the journal has keeps that the store has not acknowledged yet");
            self.owes.notify_one();
        }
        Ok(())
    }

    /// What is to be done from time to time: lines that wait are written, a long file is closed, and closed ones are removed. Blocks
    /// on the disk.
    pub(in crate::store) fn tidy(&self) -> io::Result<()> {
        let now = self.clock.now();
        let is_written = self.state().flush();
        if self.state().segments.is_long(now) {
            self.go_on_in_another_file(now)?;
        }
        let due = self.state().segments.due(now);
        // Only one of two who sync at once would hear of an error.
        let Ok(_turn) = self.turn.try_lock() else { return Ok(()) };
        // While the disk takes nothing, copies would pile up in memory.
        if due.is_empty() || !is_written {
            return Ok(());
        }
        self.copy_from(&due)?;
        due.into_iter().try_for_each(|number| self.state().segments.remove(number))
    }

    /// Copies what is not acknowledged from files that are to be removed. Nobody else may sync meanwhile.
    fn copy_from(&self, files: &[u64]) -> io::Result<()> {
        let sync = {
            let mut state = self.state();
            if !state.copy_from(files)? {
                return Ok(());
            }
            state.segments.sync()
        };
        match sync.run() {
            Ok(up_to) => {
                let mut state = self.state();
                state.segments.was_synced(up_to);
                state.move_to(up_to, files);
                Ok(())
            }
            Err(error) => {
                error!(%error, "the journal cannot be synced: its file is replaced");
                self.go_on_in_another_file(self.clock.now())?;
                Err(error)
            }
        }
    }

    /// Begins another file. Blocks on the disk.
    fn go_on_in_another_file(&self, now: UnixMicros) -> io::Result<()> {
        let other = file::make(&self.folder, now)?;
        self.state().segments.go_on_in(other, now);
        Ok(())
    }

    /// Begins a replay. Gives every file of ours, as [`files`](Self::files) does, and those that other gateways have in this folder.
    /// Blocks on the disk.
    pub(in crate::store) fn begin_replay(&self) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        self.adopt()?;
        self.state().void_meanwhile = Some(HashSet::new());
        let (own, mut others) = (self.files(), file::all(&self.folder)?);
        others.retain(|path| !own.contains(path));
        Ok((own, others))
    }
}
