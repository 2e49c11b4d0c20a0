//! The store that a world runs on. Everything that the tests know of an engine stands here, so that the same tests run
//! on any.

use rusqlite::Connection;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Names the engine that all worlds of a run are made with.
const CHOICE: &str = "REMBG_GATEWAY_TEST_STORE";

/// Set by a gateway once it has indexed the cycles that other software had counted.
const INDEXED: &str = "gateway:cycles_indexed";

/// A store of one world's own.
pub enum Engine {
    /// A file in a folder that goes with it.
    Sqlite(TempDir),
    /// A server that ends with it.
    Redis(Server),
}

impl Engine {
    /// A fresh one of the kind that the environment names.
    pub fn start() -> Self {
        match env::var(CHOICE).as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite(tempfile::tempdir().unwrap()),
            Ok("redis") => Self::Redis(Server::start()),
            Ok(other) => panic!("{CHOICE}: there is no engine {other}"),
        }
    }

    /// As `store.url` names it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", file(folder).display()),
            Self::Redis(server) => format!("redis+unix://{}", server.socket().display()),
        }
    }

    /// Where a gateway on it may keep what is its own.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Sqlite(folder) | Self::Redis(Server { folder, .. }) => folder.path(),
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
            Self::Redis(server) => redis::cmd("EXISTS").arg(INDEXED).query(&mut server.connect().unwrap()).unwrap(),
        }
    }

    /// From now on the store answers nothing, until [`Self::comes_back`].
    pub fn goes_away(&self) {
        match self {
            Self::Sqlite(folder) => fs::rename(file(folder), elsewhere(folder)).unwrap(),
            Self::Redis(server) => server.end(),
        }
    }

    pub fn comes_back(&self) {
        match self {
            Self::Sqlite(folder) => fs::rename(elsewhere(folder), file(folder)).unwrap(),
            Self::Redis(server) => server.start_again(),
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

/// A `redis-server` on a socket in a folder of its own. What it acknowledges is on the disk.
pub struct Server {
    folder: TempDir,
    process: Mutex<Child>,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Self { process: Mutex::new(spawn(folder.path())), folder };
        server.wait_until_it_answers();
        server
    }

    fn start_again(&self) {
        *self.process.lock().unwrap() = spawn(self.folder.path());
        self.wait_until_it_answers();
    }

    /// As a crash does.
    fn end(&self) {
        let mut process = self.process.lock().unwrap();
        // It may have been ended already.
        drop(process.kill());
        drop(process.wait());
    }

    fn socket(&self) -> PathBuf {
        socket_in(self.folder.path())
    }

    fn connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("unix://{}", self.socket().display()))?.get_connection()
    }

    fn wait_until_it_answers(&self) {
        let begun = Instant::now();
        while self.connect().is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

fn spawn(folder: &Path) -> Child {
    let spawned = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir"])
        .arg(folder)
        .arg("--unixsocket")
        .arg(socket_in(folder))
        .stdout(Stdio::null())
        .spawn();
    spawned.unwrap_or_else(|error| {
        panic!("redis-server cannot be started ({error}); install it with: sudo apt-get install redis-server")
    })
}
