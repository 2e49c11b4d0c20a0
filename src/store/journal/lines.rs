//! Lines that many threads write to one file at once. Those that arrive together share one sync. Every writer learns
//! the outcome of its own lines, whatever becomes of others' meanwhile.

use std::{
    fs::File,
    io::{self, Write as _},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The medium that lines are written to.
pub(super) trait Disk {
    /// Appends. Returns when all of it is on the disk; on an error a part of it may be.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Removes everything after this many bytes.
    fn cut(&self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)?;
        self.sync_data()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// A file and its writers.
pub(super) struct Lines<D> {
    queue: Mutex<Queue<D>>,
    written: Condvar,
    /// Bytes of the lines that are on the disk.
    length: AtomicU64,
}

struct Queue<D> {
    disk: Arc<D>,
    /// The next batch, and the outcome that it will have. Every thread that adds to the batch keeps a clone.
    lines: Vec<u8>,
    outcome: Arc<Outcome>,
    writing: bool,
    /// Whether something that does not belong there may follow the last line.
    torn: bool,
}

type Outcome = OnceLock<Result<(), io::ErrorKind>>;

impl<D: Disk> Lines<D> {
    /// Starts with an empty file.
    pub(super) fn new(disk: D) -> Self {
        let (disk, outcome) = (Arc::new(disk), Arc::default());
        let queue = Queue { disk, lines: Vec::new(), outcome, writing: false, torn: false };
        Self { queue: Mutex::new(queue), written: Condvar::new(), length: AtomicU64::new(0) }
    }

    /// Bytes on the disk.
    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    /// Returns when the lines are on the disk, all of them or, on an error, none.
    pub(super) fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut queue = self.queue();
        queue.lines.extend_from_slice(lines);
        let outcome = Arc::clone(&queue.outcome);
        loop {
            if let Some(outcome) = outcome.get() {
                return outcome.map_err(io::Error::from);
            }
            queue = if queue.writing {
                self.written.wait(queue).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.write(queue)
            };
        }
    }

    /// Writes the queued lines. Each batch begins at the start of a line: the remains of a failed write are removed
    /// first.
    fn write<'a>(&'a self, mut queue: MutexGuard<'a, Queue<D>>) -> MutexGuard<'a, Queue<D>> {
        queue.writing = true;
        let (lines, outcome) = (mem::take(&mut queue.lines), mem::take(&mut queue.outcome));
        let (disk, torn, length) = (Arc::clone(&queue.disk), queue.torn, self.length());
        drop(queue);
        let mended = if torn { disk.cut(length) } else { Ok(()) };
        let written = mended.and_then(|()| disk.append(&lines));
        let torn = written.is_err() && disk.cut(length).is_err();
        let mut queue = self.queue();
        (queue.writing, queue.torn) = (false, torn);
        if written.is_ok() {
            self.length.store(length + lines.len() as u64, Ordering::Relaxed);
        }
        // No other thread has this batch to write.
        _ = outcome.set(written.map_err(|error| error.kind()));
        self.written.notify_all();
        queue
    }

    /// Empties the file, unless lines are on their way.
    pub(super) fn empty(&self) -> io::Result<()> {
        let mut queue = self.queue();
        if !queue.is_busy() {
            queue.disk.cut(0)?;
            self.length.store(0, Ordering::Relaxed);
            queue.torn = false;
        }
        Ok(())
    }

    /// Goes on in another file, which has this many bytes already, unless lines are on their way.
    pub(super) fn go_on_in(&self, other: impl FnOnce() -> io::Result<(D, u64)>) -> io::Result<()> {
        let mut queue = self.queue();
        if !queue.is_busy() {
            let (disk, length) = other()?;
            self.length.store(length, Ordering::Relaxed);
            (queue.disk, queue.torn) = (Arc::new(disk), false);
        }
        Ok(())
    }

    fn queue(&self) -> MutexGuard<'_, Queue<D>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D> Queue<D> {
    fn is_busy(&self) -> bool {
        self.writing || !self.lines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, sync::atomic::AtomicBool, thread};

    /// A disk that fails as a test says, and then leaves half of the bytes.
    struct Failing {
        bytes: Mutex<Vec<u8>>,
        writes: AtomicU64,
        fails: fn(u64) -> bool,
        cannot_cut: AtomicBool,
    }

    impl Disk for Failing {
        fn append(&self, bytes: &[u8]) -> io::Result<()> {
            let fails = (self.fails)(self.writes.fetch_add(1, Ordering::Relaxed));
            // Others queue up meanwhile, and are woken together.
            thread::yield_now();
            let part = if fails { &bytes[..bytes.len() / 2] } else { bytes };
            self.bytes.lock().unwrap().extend_from_slice(part);
            if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }

        fn cut(&self, length: u64) -> io::Result<()> {
            if self.cannot_cut.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            self.bytes.lock().unwrap().truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    fn lines(fails: fn(u64) -> bool) -> Lines<Failing> {
        let (bytes, writes, cannot_cut) = (Mutex::default(), AtomicU64::new(0), AtomicBool::new(false));
        Lines::new(Failing { bytes, writes, fails, cannot_cut })
    }

    fn on_disk(lines: &Lines<Failing>) -> Vec<String> {
        let bytes = lines.queue().disk.bytes.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    /// Many threads write many lines each. Exactly the lines whose writes succeeded must be there.
    fn told_is_written(fails: fn(u64) -> bool) {
        const HANDS: usize = 16;
        let lines = lines(fails);
        let told = Mutex::new(BTreeSet::new());
        thread::scope(|scope| {
            for hand in 0..HANDS {
                let (lines, told) = (&lines, &told);
                scope.spawn(move || {
                    for turn in 0..200 {
                        let line = format!("line {turn} of hand {hand}");
                        if lines.append(format!("{line}\n").as_bytes()).is_ok() {
                            assert!(told.lock().unwrap().insert(line));
                        }
                    }
                });
            }
        });
        let found = on_disk(&lines);
        assert_eq!(found.len() as u64, told.lock().unwrap().len() as u64);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), *told.lock().unwrap());
    }

    #[test]
    fn nobody_is_told_that_a_line_is_written_which_is_not() {
        told_is_written(|_| true);
        told_is_written(|write| write % 2 == 0);
        told_is_written(|write| write % 3 != 0);
        told_is_written(|_| false);
    }

    #[test]
    fn a_line_is_never_written_behind_half_of_another() {
        let lines = lines(|write| write == 1);
        lines.append(b"first\n").unwrap();
        lines.queue().disk.cannot_cut.store(true, Ordering::Relaxed);
        assert!(lines.append(b"second\n").is_err(), "the disk is full");
        assert!(lines.append(b"third\n").is_err(), "half of the second line is still there");
        lines.queue().disk.cannot_cut.store(false, Ordering::Relaxed);
        lines.append(b"fourth\n").unwrap();
        assert_eq!((on_disk(&lines), lines.length()), (vec!["first".into(), "fourth".into()], 13));
    }

    #[test]
    fn many_lines_at_once_are_one_write() {
        let lines = lines(|_| false);
        lines.append("a line\n".repeat(1_000).as_bytes()).unwrap();
        assert_eq!(lines.queue().disk.writes.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_file_that_takes_nothing_promises_nothing() {
        let full = Lines::new(File::options().append(true).open("/dev/full").unwrap());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| assert!(full.append(b"a line\n").is_err())));
            }
        });
        assert_eq!(full.length(), 0);
    }
}
