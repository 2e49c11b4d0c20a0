//! The files of `deploy/` are read by the programs that will read them where they are used. No test runs an image engine
//! or a cluster.

mod compose;
mod documents;
mod examples;
mod rules;

use crate::support::programs::GATEWAY;
use std::{
    fs,
    process::{Command, Output},
};

/// One of the programs that `tests/deploy/install.sh` installs.
fn tool(name: &str) -> Command {
    Command::new(format!(".cache/deploy-venv/bin/{name}"))
}

fn must_succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{said}");
    output
}

#[test]
fn helm_and_kubernetes_take_the_chart_and_it_refuses_what_cannot_work() {
    must_succeed(tool("python3").arg("tests/deploy/chart.py"));
}

/// Otherwise a gateway with the chart's own values is killed when many large pictures come together.
#[test]
fn the_charts_memory_is_what_requests_may_take() {
    let folder = tempfile::tempdir().unwrap();
    let mut doctor = Command::new(GATEWAY);
    doctor.current_dir(folder.path()).args(["doctor", "--json"]);
    let findings: serde_json::Value = serde_json::from_slice(&doctor.output().unwrap().stdout).unwrap();
    let memory =
        findings["findings"].as_array().unwrap().iter().find(|finding| finding["subject"] == "memory").unwrap()["says"]
            .to_string();
    let most: u64 = memory.split(" MiB").next().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let values = fs::read_to_string("deploy/helm/rembg-gateway/values.yaml").unwrap();
    let limit: u64 = values.split("limits: { memory: ").nth(1).unwrap().split("Gi").next().unwrap().parse().unwrap();
    assert!((3 * 1024..=limit * 1024).contains(&most), "{memory} of {limit} GiB");
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    must_succeed(tool("hadolint").arg("Dockerfile"));
}

#[test]
fn the_image_names_folders_and_files_that_the_repository_has() {
    let dockerfile = fs::read_to_string("Dockerfile").unwrap();
    let ignored = fs::read_to_string(".dockerignore").unwrap();
    let mut copied = 0;
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        for source in &words[..words.len() - 1] {
            assert!(fs::exists(source).unwrap(), "{line}");
            assert!(ignored.lines().any(|kept| kept == format!("!{source}")), "{source} is in .dockerignore");
            copied += 1;
        }
    }
    assert!(copied >= 5, "{copied}");
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let listed = must_succeed(Command::new("git").args(["ls-files", "*.sh", ".ci/run"]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let scripts: Vec<&str> = listed.lines().filter(|script| fs::exists(script).unwrap()).collect();
    assert!(scripts.len() > 5, "{listed}");
    must_succeed(tool("shellcheck").args(["--exclude", "SC2329"]).args(scripts));
}

/// The unit names a binary that is installed later, so the test puts its own in.
#[test]
fn systemd_takes_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for name in ["rembg-gateway.service", "rembg-gateway.socket"] {
        let unit = fs::read_to_string(format!("deploy/systemd/{name}")).unwrap();
        let unit = unit.replace("/usr/local/bin/rembg-gateway", GATEWAY);
        units.push(folder.path().join(name));
        fs::write(units.last().unwrap(), unit).unwrap();
    }
    let unit = fs::read_to_string("deploy/systemd/rembg-gateway.service").unwrap();
    for setting in ["User=rembg-gateway", "ExecReload=/bin/kill -HUP $MAINPID", "Requires=rembg-gateway.socket"] {
        assert!(unit.lines().any(|line| line == setting), "{setting}");
    }
    assert!(fs::read_to_string("deploy/systemd/rembg-gateway.sysusers").unwrap().contains("\nu rembg-gateway "));
    let output = must_succeed(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("rembg-gateway")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

/// The chart computes its own; `tests/deploy/chart.py` compares that.
#[test]
fn a_stop_may_take_as_long_as_the_drain_delay_and_the_longest_request() {
    let defaults: toml::Table = fs::read_to_string("config/gateway.toml").unwrap().parse().unwrap();
    let seconds = |section: &str, name: &str| defaults[section][name].as_integer().unwrap();
    let longest = seconds("limits", "upload_timeout_s") + seconds("backend", "timeout_s") + 30;
    let least = seconds("listen", "drain_delay_s") + longest + 20;
    for (file, before) in
        [("deploy/systemd/rembg-gateway.service", "\nTimeoutStopSec="), ("compose.yaml", "\n  stop_grace_period: ")]
    {
        let text = fs::read_to_string(file).unwrap();
        let given = text.split(before).nth(1).unwrap().lines().next().unwrap().trim_end_matches('s');
        assert!((least..least + 30).contains(&given.parse().unwrap()), "{file}: {given} s, and {least} s are needed");
    }
}
