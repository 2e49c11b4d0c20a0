//! A real Prometheus that reads a gateway every second, with the rules as they are and with alerts for short faults.

use crate::support::{
    people::Person,
    process::Process,
    programs::program,
    redis::free_port,
    wait::{PATIENCE, until},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path, process::Stdio, time::Instant};
use tempfile::TempDir;

/// Before the names of alerts that fire within seconds.
const SHORT: &str = "Short";

pub(super) struct Prometheus {
    pub(super) address: SocketAddr,
    /// When it was started, in unix seconds.
    pub(super) started: f64,
    _folder: TempDir,
    _process: Process,
}

/// A rule as Prometheus has read it.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) query: String,
    pub(super) is_alert: bool,
    pub(super) health: String,
    pub(super) problem: String,
}

impl Prometheus {
    /// Reads the gateway with this address for operators.
    pub(super) async fn start(gateway: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_rules(folder.path());
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [recording.yaml, alerts.yaml, short.yaml]\n\
             scrape_configs:\n- job_name: rembg-gateway\n  static_configs: [{{targets: ['{gateway}']}}]\n"
        );
        fs::write(folder.path().join("prometheus.yaml"), config).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = program("prometheus");
        command.current_dir(folder.path()).args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data"]);
        command.args(["--log.level=error", &format!("--web.listen-address={address}")]);
        let child = command.stdout(Stdio::null()).spawn().expect("prometheus; run tests/tools.sh");
        let mut prometheus = Self { address, started: now(), _folder: folder, _process: Process(child) };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "Prometheus does not answer");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        until("Prometheus is ready", async || Person::stranger(address).get("/-/ready").await.status == 200).await;
        until("Prometheus has read the gateway", async || prometheus.value("up").await == Some(1.0)).await;
        prometheus.started = now();
        prometheus
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let reply = Person::stranger(self.address).get(&format!("/api/v1/{path}?{}", query.finish())).await;
        assert_eq!(reply.status, 200, "{parameters:?}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()["data"].take()
    }

    /// The first present value of a query.
    pub(super) async fn value(&self, query: &str) -> Option<f64> {
        let found = self.ask("query", &[("query", query)]).await;
        found["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// The values of a label in the answer to a query.
    pub(super) async fn labels(&self, query: &str, label: &str) -> Vec<String> {
        let found = self.ask("query", &[("query", query)]).await;
        let series = found["result"].as_array().unwrap().iter();
        series.map(|one| one["metric"][label].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Whether a query has had a number at any moment since the start.
    pub(super) async fn has_data(&self, query: &str) -> bool {
        let (start, end) = (self.started.to_string(), now().to_string());
        let times = [("query", query), ("start", &start), ("end", &end), ("step", "1")];
        let found = self.ask("query_range", &times).await;
        let series = found["result"].as_array().unwrap();
        let numbers = series.iter().flat_map(|one| one["values"].as_array().unwrap());
        numbers.filter_map(|pair| pair[1].as_str()).any(|text| text != "NaN")
    }

    pub(super) async fn rules(&self) -> Vec<Rule> {
        let found = self.ask("rules", &[]).await;
        let groups = found["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let read = rules.map(|rule| Rule {
            name: text(rule, "name"),
            query: text(rule, "query"),
            is_alert: rule["type"] == "alerting",
            health: text(rule, "health"),
            problem: text(rule, "lastError"),
        });
        read.filter(|rule| !rule.name.starts_with(SHORT)).collect()
    }

    /// The names of all that it has stored.
    pub(super) async fn names(&self) -> BTreeSet<String> {
        let found = self.ask("label/__name__/values", &[]).await;
        found.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// The alerts of short faults that fire now, each with what it says.
    pub(super) async fn firing(&self) -> Vec<(String, Value)> {
        let found = self.ask("alerts", &[]).await;
        let alerts = found["alerts"].as_array().unwrap().iter().filter(|alert| alert["state"] == "firing");
        let named = alerts.filter_map(|alert| {
            let name = alert["labels"]["alertname"].as_str().unwrap().strip_prefix(SHORT)?;
            Some((name.to_owned(), alert["annotations"].clone()))
        });
        named.collect()
    }

    pub(super) async fn fires(&self, name: &str) -> bool {
        self.firing().await.iter().any(|(firing, _)| firing == name)
    }
}

/// Now, in unix seconds.
pub(super) fn now() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

/// The rules as they are, but evaluated every second; and the alerts again under other names, with every window and delay cut to
/// seconds.
fn write_rules(folder: &Path) {
    let rules = |name: &str| fs::read_to_string(format!("deploy/prometheus/{name}")).unwrap();
    let recording = rules("recording.yaml");
    assert!(recording.contains("interval: 1m"));
    fs::write(folder.join("recording.yaml"), recording.replace("interval: 1m", "interval: 1s")).unwrap();
    let alerts = rules("alerts.yaml");
    fs::write(folder.join("alerts.yaml"), &alerts).unwrap();
    let short: Vec<_> = alerts.lines().map(shortened).collect();
    fs::write(folder.join("short.yaml"), short.join("\n")).unwrap();
}

fn shortened(line: &str) -> String {
    let mut line =
        line.replace("- name: rgw-", "- name: short-rgw-").replace("- alert: ", &format!("- alert: {SHORT}"));
    line = line.replace("rgw_journal_oldest_age_seconds > 300", "rgw_journal_oldest_age_seconds > 2");
    if let Some((head, _)) = line.split_once("for: ") {
        line = format!("{head}for: 1s");
    }
    for window in ["[5m]", "[15m]", "[1h]", "[1d]", "[14d]"] {
        line = line.replace(window, "[5s]");
    }
    line
}
