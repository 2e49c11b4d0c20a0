//! The store that a test's gateway runs on. Everything that the tests know of an engine stands here, so that the same
//! tests run on any.

use super::redis::{Redis, SAVED};
use rusqlite::Connection;
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// Names the engine that all gateways of a run are started with.
const CHOICE: &str = "REMBG_GATEWAY_TEST_STORE";

/// Set by a gateway once it has indexed the cycles that other software had counted.
const INDEXED: &str = "gateway:cycles_indexed";

/// A store of one test's own.
pub enum Engine {
    /// A file in a folder that goes with it.
    Sqlite(TempDir),
    /// A server on a socket. What it acknowledges is on the disk.
    Redis(Redis),
}

impl Engine {
    /// A fresh one of the kind that the environment names.
    pub async fn start() -> Self {
        match env::var(CHOICE).as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite(tempfile::tempdir().unwrap()),
            Ok("redis") => Self::Redis(Redis::on_socket(&SAVED).await),
            Ok(other) => panic!("{CHOICE}: there is no engine {other}"),
        }
    }

    /// As `store.url` names it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", file(folder).display()),
            Self::Redis(server) => server.url(),
        }
    }

    /// A folder for a gateway on it to keep its own files in.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Sqlite(folder) => folder.path(),
            Self::Redis(server) => server.folder(),
        }
    }

    /// Counters under their documented names, as other software, or years of use, have left them. A Redis must be opened
    /// once more afterwards, as by a gateway that starts: that one indexes them ([`Self::has_indexed`]).
    pub fn counted(&self, counters: impl IntoIterator<Item = (String, u64)>) {
        match self {
            Self::Sqlite(folder) => count_in_file(&file(folder), counters),
            Self::Redis(server) => {
                let mut pipe = redis::pipe();
                for (name, value) in counters {
                    pipe.set(name, value).ignore();
                }
                pipe.del(INDEXED).ignore().query::<()>(&mut server.connect().unwrap()).unwrap();
            }
        }
    }

    /// Whether a gateway has seen everything that was [counted](Self::counted).
    pub fn has_indexed(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Redis(server) => server.by_hand(&["EXISTS", INDEXED]),
        }
    }

    /// Makes the store unavailable until [`Self::comes_back`].
    pub fn goes_away(&self) {
        match self {
            Self::Sqlite(folder) => fs::rename(file(folder), elsewhere(folder)).unwrap(),
            Self::Redis(server) => server.kill(),
        }
    }

    pub async fn comes_back(&self) {
        match self {
            Self::Sqlite(folder) => fs::rename(elsewhere(folder), file(folder)).unwrap(),
            Self::Redis(server) => server.start_again().await,
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("gateway.db")
}

fn elsewhere(folder: &TempDir) -> PathBuf {
    file(folder).with_extension("elsewhere")
}

fn count_in_file(file: &Path, counters: impl IntoIterator<Item = (String, u64)>) {
    let mut db = Connection::open(file).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    let all = db.transaction().unwrap();
    for (name, value) in counters {
        let value = i64::try_from(value).unwrap();
        all.execute("INSERT INTO counters (name, value) VALUES (?1, ?2)", (name, value)).unwrap();
    }
    all.commit().unwrap();
}
