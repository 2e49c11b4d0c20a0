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
    let output = must_succeed(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("rembg-gateway")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}
