//! A Redis Cluster.

use super::Redis;
use crate::support::wait::until;
use std::process::Command;

/// Three primaries, each with so many replicas.
pub struct Cluster {
    pub nodes: Vec<Redis>,
}

impl Cluster {
    pub async fn start(replicas: usize) -> Self {
        Self::with(replicas, "yes").await
    }

    /// The same, whose servers keep an append-only file or not.
    pub async fn with(replicas: usize, appendonly: &str) -> Self {
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

    pub fn url(&self) -> String {
        let places: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", places.join(","))
    }

    /// The primary that has a key.
    pub fn home_of(&self, key: &str) -> &Redis {
        let at_home = |node: &Redis| {
            let primary = node.say::<String>(&["INFO", "replication"]).is_ok_and(|info| info.contains("role:master"));
            primary && node.say::<u64>(&["EXISTS", key]).is_ok_and(|found| found == 1)
        };
        self.nodes.iter().find(|node| at_home(node)).expect("some primary has it")
    }
}
