//! `compose.yaml` as Docker's own program reads it. No test starts an image.

use super::{must_succeed, tool};
use serde_json::Value;
use std::{collections::BTreeSet, fs, process::Command};

const SECRETS: [(&str, &str); 3] =
    [("PEPPER", "the-pepper"), ("REDIS_PASSWORD", "the-redis-password"), ("GRAFANA_PASSWORD", "the-grafana-password")];

fn compose() -> Command {
    let mut command = tool("docker-compose");
    command.args(["--env-file", "/dev/null", "--profile", "*", "config", "--format", "json"]);
    for (name, _) in SECRETS {
        command.env_remove(name);
    }
    command
}

fn read() -> Value {
    let output = must_succeed(compose().envs(SECRETS));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn each<'a>(of: &'a Value, part: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    of[part].as_object().unwrap_or_else(|| panic!("no {part}")).iter()
}

#[test]
fn docker_compose_takes_the_file_only_with_all_its_secrets() {
    read();
    for (missing, _) in SECRETS {
        let output = compose().envs(SECRETS.into_iter().filter(|(name, _)| *name != missing)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(missing), "without {missing}: {said}");
    }
    let example = fs::read_to_string(".env.example").unwrap();
    let asked: Vec<&str> = example.lines().filter_map(|line| line.strip_suffix('=')).collect();
    assert_eq!(BTreeSet::from_iter(asked), SECRETS.map(|(name, _)| name).into());
    assert!(fs::read_to_string(".gitignore").unwrap().lines().any(|line| line.trim_start_matches('/') == ".env"));
}

#[test]
fn no_secret_is_written_down_or_on_a_command_line() {
    let text = fs::read_to_string("compose.yaml").unwrap();
    for line in text.lines().filter(|line| line.contains("PASSWORD") || line.contains("PEPPER")) {
        assert!(line.contains(":?see .env.example}"), "{line}");
    }
    for (name, service) in each(&read(), "services") {
        for part in ["command", "entrypoint", "healthcheck", "labels"] {
            let said = service[part].to_string();
            assert!(SECRETS.iter().all(|(_, secret)| !said.contains(secret)), "{name}: {said}");
        }
    }
}

#[test]
fn every_image_is_a_named_version_and_every_volume_has_a_name() {
    let file = read();
    let volumes: BTreeSet<&String> = each(&file, "volumes").map(|(name, _)| name).collect();
    for (name, service) in each(&file, "services") {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(tag.matches('.').count() >= 2, "{name}: {image} changes under us");
        for volume in service["volumes"].as_array().unwrap() {
            let source = volume["source"].as_str().unwrap();
            match volume["type"].as_str().unwrap() {
                "volume" => assert!(volumes.contains(&source.to_owned()), "{name}: {source}"),
                _ => assert!(fs::exists(source).unwrap() && volume["read_only"] == true, "{name}: {source}"),
            }
        }
        let data = service["volumes"].as_array().unwrap().iter().any(|volume| volume["type"] == "volume");
        assert!(data, "{name} forgets everything");
    }
}

#[test]
fn only_prometheus_reaches_the_admin_listener() {
    let file = read();
    let mut beside = BTreeSet::new();
    for (name, service) in each(&file, "services") {
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
            assert_ne!(port["target"], 8081, "{name}: {port}");
        }
        if let Some(place) = service["networks"].get("metrics") {
            beside.insert(name.as_str());
            if name.starts_with("gateway") {
                let admin = format!("{}:8081", place["ipv4_address"].as_str().unwrap());
                assert_eq!(service["environment"]["REMBG_GATEWAY__LISTEN__ADMIN"], admin, "{name}");
                let asked = fs::read_to_string("deploy/prometheus/prometheus-compose.yaml").unwrap();
                assert!(asked.contains(&format!("[\"{admin}\"]")), "Prometheus asks {admin}");
            }
        }
    }
    assert_eq!(beside, ["gateway", "gateway-sqlite", "prometheus"].into());
    assert_eq!(file["networks"]["metrics"]["internal"], true);
}

#[test]
fn prometheus_grafana_and_redis_are_told_what_the_rules_and_the_ledger_need() {
    let file = read();
    let says = |service: &str, word: &str| {
        let command = file["services"][service]["command"].to_string();
        assert!(command.contains(word), "{service}: {command} has no {word}");
    };
    says("prometheus", "retention.time=35d");
    says("prometheus", "/etc/prometheus/prometheus-compose.yaml");
    let redis = file["configs"]["redis"]["content"].as_str().unwrap();
    for setting in ["appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction"] {
        assert!(redis.lines().any(|line| line == setting), "{redis}");
    }
    let provider = fs::read_to_string("grafana/provisioning/dashboards/rembg-gateway.yaml").unwrap();
    let mounts = file["services"]["grafana"]["volumes"].as_array().unwrap();
    let at =
        |end: &str| mounts.iter().find(|one| one["source"].as_str().unwrap().ends_with(end)).unwrap()["target"].clone();
    assert!(provider.contains(&format!("path: {}", at("/grafana/dashboards").as_str().unwrap())));
    let source = fs::read_to_string("grafana/provisioning/datasources/prometheus.yaml").unwrap();
    assert!(source.contains("url: http://prometheus:9090"), "{source}");
}
