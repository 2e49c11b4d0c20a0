//! The store that a world runs on. Everything that the tests know of an engine stands here, so that the same tests run
//! on any.

use rusqlite::Connection;
use std::{env, fs, path::PathBuf, time::Duration};
use tempfile::TempDir;

/// Names the engine that all worlds of a run are made with.
const CHOICE: &str = "REMBG_GATEWAY_TEST_STORE";

/// A store of one world's own.
pub enum Engine {
    /// A file in a folder that goes with it.
    Sqlite(TempDir),
}

impl Engine {
    /// A fresh one of the kind that the environment names.
    pub fn start() -> Self {
        match env::var(CHOICE).as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite(tempfile::tempdir().unwrap()),
            Ok(other) => panic!("{CHOICE}: there is no engine {other}"),
        }
    }

    /// As `store.url` names it.
    pub fn url(&self) -> String {
        format!("sqlite:{}", self.file().display())
    }

    /// Counters under their documented names, as other software, or years of use, have left them.
    pub fn counted(&self, counters: impl IntoIterator<Item = (String, u64)>) {
        let mut db = Connection::open(self.file()).unwrap();
        db.busy_timeout(Duration::from_secs(5)).unwrap();
        let all = db.transaction().unwrap();
        for (name, value) in counters {
            let value = i64::try_from(value).unwrap();
            all.execute("INSERT INTO counters (name, value) VALUES (?1, ?2)", (name, value)).unwrap();
        }
        all.commit().unwrap();
    }

    /// From now on the store answers nothing, until [`Self::comes_back`].
    pub fn goes_away(&self) {
        fs::rename(self.file(), self.elsewhere()).unwrap();
    }

    pub fn comes_back(&self) {
        fs::rename(self.elsewhere(), self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        let Self::Sqlite(folder) = self;
        folder.path().join("gateway.db")
    }

    fn elsewhere(&self) -> PathBuf {
        self.file().with_extension("elsewhere")
    }
}
