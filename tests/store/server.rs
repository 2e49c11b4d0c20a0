//! A `redis-server` of a test's own: on a socket in the test's folder, ended with the test.

use crate::world::terms;
use redis::{Client, Connection, FromRedisValue, cmd};
use rembg_gateway::{
    clock::Clock,
    config::{Config, StoreConfig},
    store::{
        Store,
        redis::{RedisStore, Role},
    },
};
use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
}

impl Server {
    /// With settings, as on the command line.
    pub(crate) async fn with(folder: &Path, settings: &[&str]) -> Self {
        let server = Self { process: spawn(folder, settings), folder: folder.to_owned() };
        server.answers().await;
        server
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again after [`Server::kill`].
    pub(crate) async fn revive(&mut self, settings: &[&str]) {
        self.process = spawn(&self.folder, settings);
        self.answers().await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The configuration of a gateway on it.
    pub(crate) fn config(&self) -> Config {
        Config { store: StoreConfig { url: self.url(), ..StoreConfig::default() }, ..Config::default() }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.folder)
    }

    async fn answers(&self) {
        let begun = Instant::now();
        while self.try_connect().is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A store on it.
    pub(crate) async fn open(&self, clock: Clock) -> Arc<dyn Store> {
        let url = self.config().store.redis_url().unwrap().unwrap();
        Arc::new(RedisStore::open(&url, clock, terms(), Role::Command).await.unwrap())
    }

    /// What another program asks of it.
    pub(crate) fn by_hand<T: FromRedisValue>(&self, words: &[&str]) -> T {
        cmd(words[0]).arg(&words[1..]).query(&mut self.try_connect().unwrap()).unwrap()
    }

    /// The same with words that are no text.
    pub(crate) fn by_hand_in_bytes(&self, words: &[&[u8]]) {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query::<()>(&mut self.try_connect().unwrap()).unwrap();
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        Client::open(format!("unix://{}", self.socket().display()))?.get_connection()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

fn spawn(folder: &Path, settings: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--dir"])
        .arg(folder)
        .arg("--unixsocket")
        .arg(socket_in(folder))
        .args(settings)
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}", missing(&error)))
}

fn missing(error: &io::Error) -> String {
    format!("redis-server cannot be started ({error}); install it with: sudo apt-get install redis-server")
}
