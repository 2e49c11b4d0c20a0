//! The rules for Prometheus, the example for Alertmanager, and the dashboards: their own programs read them. That a real
//! Prometheus has data for all of them is tested in `process::observed`.

use super::{must_succeed, tool};
use std::{fs, process::Command, thread};

fn promtool(arguments: &[&str]) {
    must_succeed(Command::new("promtool").args(arguments).current_dir("deploy/prometheus"));
}

#[test]
fn promtool_takes_the_rules_and_the_examples() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "recording.yaml", "alerts.yaml"]);
    promtool(&["check", "config", "prometheus.yaml"]);
    promtool(&["check", "config", "prometheus-compose.yaml"]);
}

#[test]
fn amtool_takes_the_example_and_sends_pages_and_tickets_to_different_people() {
    must_succeed(Command::new("amtool").args(["check-config", "deploy/prometheus/alertmanager.yaml"]));
    for (severity, receiver) in [("page", "pager"), ("ticket", "tickets")] {
        let mut amtool = Command::new("amtool");
        amtool.args(["config", "routes", "test", "--config.file=deploy/prometheus/alertmanager.yaml"]);
        let output =
            must_succeed(amtool.args([&format!("--verify.receivers={receiver}"), &format!("severity={severity}")]));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), receiver);
    }
}

/// That each alert has such a test, with a moment when it is silent, is judged by `tests/deploy/observability.py`.
#[test]
fn every_alert_fires_when_it_should_and_is_silent_when_it_should() {
    let files: Vec<_> = fs::read_dir("deploy/prometheus/tests").unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 5, "{files:?}");
    thread::scope(|scope| {
        for file in &files {
            scope.spawn(move || must_succeed(Command::new("promtool").args(["test", "rules"]).arg(file)));
        }
    });
}

#[test]
fn the_dashboards_are_what_their_generator_makes() {
    must_succeed(Command::new("python3").args(["grafana/generate.py", "--check"]));
}

#[test]
fn grafanas_types_take_the_dashboards_and_every_alert_has_its_section() {
    must_succeed(tool("python3").arg("tests/deploy/observability.py"));
}
