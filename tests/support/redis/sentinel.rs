//! A master, its replica, and the Sentinel that watches them.

use super::{Redis, SAVED, free_port};
use crate::support::{process::Process, wait::until};
use std::{
    fs,
    process::{Command, Stdio},
};
use tempfile::TempDir;

pub struct Watched {
    pub master: Redis,
    _replica: Redis,
    sentinel: u16,
    _process: Process,
    _folder: TempDir,
}

impl Watched {
    pub async fn start() -> Self {
        let master = Redis::start(&SAVED).await;
        let of = master.port.to_string();
        let replica = Redis::start(&["--appendonly", "yes", "--replicaof", "127.0.0.1", &of]).await;
        until("the replica follows", async || {
            replica.say::<String>(&["INFO", "replication"]).is_ok_and(|info| info.contains("master_link_status:up"))
        })
        .await;
        let (sentinel, folder) = (free_port(), tempfile::tempdir().unwrap());
        let config = folder.path().join("sentinel.conf");
        let text = format!(
            "port {sentinel}\nsentinel monitor main 127.0.0.1 {of} 1\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 3000\n"
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("redis-server").arg(&config).arg("--sentinel").stdout(Stdio::null()).spawn().unwrap();
        let process = Process(child);
        until("Sentinel knows the replica", async || {
            let client = redis::Client::open(("127.0.0.1", sentinel)).unwrap();
            let known = client
                .get_connection()
                .and_then(|mut connection| redis::cmd("INFO").arg("sentinel").query::<String>(&mut connection));
            known.is_ok_and(|info| info.contains("slaves=1"))
        })
        .await;
        Self { master, _replica: replica, sentinel, _process: process, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.sentinel)
    }
}
