//! A `redis-server` of a test's own: on a socket in the test's folder, ended with the test.

use redis::{Client, Connection, FromRedisValue, cmd};
use rembg_gateway::{
    clock::Clock,
    config::StoreConfig,
    store::{self, Store},
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
    socket: PathBuf,
}

impl Server {
    pub(crate) async fn start(folder: &Path) -> Self {
        let socket = folder.join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder)
            .arg("--unixsocket")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}", missing(&error)));
        let server = Self { process, socket };
        let begun = Instant::now();
        while server.try_connect().is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket.display())
    }

    /// A store on it.
    pub(crate) async fn open(&self, clock: Clock) -> Arc<dyn Store> {
        store::open(&StoreConfig { url: self.url() }, clock).await.unwrap()
    }

    /// What another program asks of it.
    pub(crate) fn by_hand<T: FromRedisValue>(&self, words: &[&str]) -> T {
        cmd(words[0]).arg(&words[1..]).query(&mut self.try_connect().unwrap()).unwrap()
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        Client::open(format!("unix://{}", self.socket.display()))?.get_connection()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn missing(error: &io::Error) -> String {
    format!("redis-server cannot be started ({error}); install it with: sudo apt-get install redis-server")
}
