//! Real servers on free ports: one Redis, a master with replica and Sentinel, a Cluster. All end with the test.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// One process, killed when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One `redis-server`, and how it was started.
pub(crate) struct Redis {
    pub(crate) port: u16,
    folder: TempDir,
    settings: Vec<String>,
    process: Process,
}

impl Redis {
    pub(crate) async fn start(settings: &[&str]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let process = spawn(port, folder.path(), &settings);
        let server = Self { port, folder, settings, process };
        server.answers().await;
        server
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    pub(crate) async fn revive(&mut self) {
        self.process = spawn(self.port, self.folder.path(), &self.settings);
        self.answers().await;
    }

    pub(crate) fn say<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(("127.0.0.1", self.port))?.get_connection()?;
        redis::cmd(words[0]).arg(&words[1..]).query(&mut connection)
    }

    async fn answers(&self) {
        until("redis-server answers", async || self.say::<String>(&["PING"]).is_ok()).await;
    }
}

/// A master, its replica and the Sentinel that watches them.
pub(crate) struct Watched {
    pub(crate) master: Redis,
    _replica: Redis,
    sentinel: u16,
    _process: Process,
    _folder: TempDir,
}

impl Watched {
    pub(crate) async fn start() -> Self {
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

    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.sentinel)
    }
}

/// Three primaries, each with so many replicas.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Redis>,
}

impl Cluster {
    pub(crate) async fn start(replicas: usize) -> Self {
        Self::with(replicas, "yes").await
    }

    /// The same, whose servers keep an append-only file or not.
    pub(crate) async fn with(replicas: usize, appendonly: &str) -> Self {
        let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--appendonly", appendonly];
        let mut nodes = Vec::new();
        for _ in 0..3 * (1 + replicas) {
            nodes.push(Redis::start(&settings).await);
        }
        let places = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(places)
            .args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { nodes };
        let known = format!("cluster_known_nodes:{}", cluster.nodes.len());
        until("the Cluster is whole", async || {
            cluster.nodes.iter().all(|node| {
                let info = node.say::<String>(&["CLUSTER", "INFO"]).unwrap_or_default();
                let role = node.say::<String>(&["INFO", "replication"]).unwrap_or_default();
                let linked = role.contains("role:master") || role.contains("master_link_status:up");
                info.contains("cluster_state:ok") && info.contains(&known) && linked
            })
        })
        .await;
        cluster
    }

    pub(crate) fn url(&self) -> String {
        let places: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", places.join(","))
    }

    /// The primary that has a key.
    pub(crate) fn home_of(&mut self, key: &str) -> &mut Redis {
        let at_home = |node: &Redis| {
            let primary = node.say::<String>(&["INFO", "replication"]).is_ok_and(|info| info.contains("role:master"));
            primary && node.say::<u64>(&["EXISTS", key]).is_ok_and(|found| found == 1)
        };
        self.nodes.iter_mut().find(|node| at_home(node)).expect("some primary has it")
    }
}

/// Everything on disk before it is acknowledged.
pub(crate) const SAVED: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "it should become so that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A port that is free, and whose Cluster port, 10,000 further, exists.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}

fn spawn(port: u16, folder: &Path, settings: &[String]) -> Process {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--dir"])
        .arg(PathBuf::from(folder))
        .args(settings)
        .stdout(Stdio::null())
        .spawn();
    Process(child.unwrap_or_else(|error| {
        panic!("redis-server cannot be started ({error}); install it with: sudo apt-get install redis-server")
    }))
}
