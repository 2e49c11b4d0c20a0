//! Real Redis servers: one, a [Cluster](cluster), a master that a [Sentinel](sentinel) watches. All end with the test.

pub mod cluster;
pub mod sentinel;

use super::{process::Process, wait::PATIENCE};
use redis::{Cmd, Connection, FromRedisValue, RedisResult, cmd};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Everything is on the disk before it is acknowledged.
pub const SAVED: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// One `redis-server`, and how it was started.
pub struct Redis {
    /// The port that it listens on; 0 if it has none and is reached by its socket.
    pub port: u16,
    folder: TempDir,
    settings: Vec<String>,
    process: Mutex<Process>,
}

impl Redis {
    /// On a free port, with settings as on the command line.
    pub async fn start(settings: &[&str]) -> Self {
        loop {
            if let Some(server) = Self::on(free_port(), settings).await {
                return server;
            }
            // Another test has taken the port since.
        }
    }

    /// On a socket in its folder, and on no port.
    pub async fn on_socket(settings: &[&str]) -> Self {
        Self::on(0, settings).await.expect("redis-server starts")
    }

    async fn on(port: u16, settings: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let process = Mutex::new(spawn(port, folder.path(), &settings));
        let server = Self { port, folder, settings, process };
        server.answers().await.then_some(server)
    }

    /// Ends it as a crash does.
    pub fn kill(&self) {
        self.process.lock().unwrap().kill();
    }

    /// Starts it again after [`Self::kill`].
    pub async fn start_again(&self) {
        *self.process.lock().unwrap() = spawn(self.port, self.folder.path(), &self.settings);
        assert!(self.answers().await, "redis-server does not start again");
    }

    /// As `store.url` names it.
    pub fn url(&self) -> String {
        match self.port {
            0 => format!("redis+unix://{}", self.socket().display()),
            port => format!("redis://127.0.0.1:{port}"),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn socket(&self) -> PathBuf {
        socket_in(self.folder.path())
    }

    pub fn connect(&self) -> RedisResult<Connection> {
        redis::Client::open(format!("unix://{}", self.socket().display()))?.get_connection()
    }

    /// Asks it something, as another program would, and may get an error.
    pub fn say<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        cmd(words[0]).arg(&words[1..]).query(&mut self.connect()?)
    }

    /// Asks it something, as another program would, and must get an answer.
    pub fn by_hand<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.say(words).unwrap()
    }

    /// The same with words that are no text.
    pub fn by_hand_in_bytes(&self, words: &[&[u8]]) {
        let mut command = Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query::<()>(&mut self.connect().unwrap()).unwrap();
    }

    /// Waits until it answers, or has ended. Answers whether it answers.
    async fn answers(&self) -> bool {
        let begun = Instant::now();
        while self.say::<String>(&["PING"]).is_err() {
            if self.process.lock().unwrap().0.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }
}

/// A port that is free, and whose Cluster port, 10,000 further, exists.
pub fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

fn spawn(port: u16, folder: &Path, settings: &[String]) -> Process {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--dir"])
        .arg(folder)
        .arg("--unixsocket")
        .arg(socket_in(folder))
        .args(settings)
        .stdout(Stdio::null())
        .spawn();
    Process(child.unwrap_or_else(|error| {
        panic!("redis-server cannot be started ({error}); install it with: sudo apt-get install redis-server")
    }))
}
