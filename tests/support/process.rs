//! Processes that end with the test.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::Child,
    sync::{Arc, Mutex},
    thread,
};

/// A process that is killed when dropped.
pub struct Process(pub Child);

impl Process {
    /// Ends it as a crash does, if it has not ended already.
    pub fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The lines that a process writes. They are read until it ends, or it would wait for room in the pipe.
#[derive(Clone)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Reads up to the first line with these words. Answers with that line, or with all lines if there is none, and with the
    /// log of what follows.
    pub fn after(words: &str, pipe: impl Read + Send + 'static) -> (Result<String, Vec<String>>, Self) {
        let mut lines = BufReader::new(pipe).lines().map_while(Result::ok);
        let mut before = Vec::new();
        let found = lines.by_ref().find(|line| {
            before.push(line.clone());
            line.contains(words)
        });
        let log = Self(Arc::default());
        let written = Arc::clone(&log.0);
        thread::spawn(move || lines.for_each(|line| written.lock().unwrap().push(line)));
        (found.ok_or(before), log)
    }

    /// The lines that have been read so far; more may have been written.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// How many lines have these words.
    pub fn count(&self, words: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }
}
