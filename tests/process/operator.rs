//! What an operator mistypes or overlooks at three in the morning, with the real binary: where it is, and what to do.

use crate::{
    form::Form,
    gateway::Installation,
    support::{
        certificate::certify,
        programs::GATEWAY,
        redis::{Redis, SAVED},
        wait::until,
    },
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs the binary in a folder, without any variable of ours in its environment.
fn gateway(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(GATEWAY);
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// The findings of `check` or `doctor`, by their subjects, with verdict and words.
fn findings(output: &Output) -> Vec<(String, String, String)> {
    let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", words(output)));
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let all = value["findings"].as_array().unwrap();
    for one in all {
        let verdict = text(one, "verdict");
        assert_eq!(one["do"].is_string(), verdict != "ok", "what is bad says what to do: {one}");
    }
    all.iter().map(|one| (text(one, "subject"), text(one, "verdict"), text(one, "says"))).collect()
}

#[test]
fn a_command_in_the_wrong_folder_makes_nothing_and_names_the_store_that_it_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let here = fs::canonicalize(folder.path()).unwrap();
    for arguments in [
        &["usage"][..],
        &["audit"],
        &["audit", "--mend", "ann", "prepaid", "5"],
        &["key", "list", "ann"],
        &["key", "create", "ann"],
        &["credits", "grant", "ann", "5", "--id", "a"],
        &["stripe", "parked"],
        &["store", "backup", "copy.db"],
        &["store", "migrate", "--from", "sqlite:data/gateway.db", "--to", "sqlite:new/gateway.db"],
    ] {
        let output = gateway(&here, arguments).output().unwrap();
        let said = words(&output);
        let path = here.join("data/gateway.db");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(&format!("there is no store at {}", path.display())), "{arguments:?}: {said}");
        assert!(said.contains("--config"), "it says what to do: {said}");
    }
    for command in ["check", "config", "doctor"] {
        gateway(&here, &[command]).output().unwrap();
    }
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "something was made");
}

#[tokio::test]
async fn a_file_works_from_any_folder_because_its_paths_are_relative_to_it() {
    let here = Installation::new().await;
    here.set("store.url = \"sqlite:books/gateway.db\"\nauth.api_key.pepper_file = \"books/pepper\"");
    fs::create_dir(here.folder().join("books")).unwrap();
    fs::write(here.folder().join("books/pepper"), "sixteen characters or more\n").unwrap();
    let key = here.customer("ann", 5);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = here.folder().join("gateway.toml");
    let file = file.to_str().unwrap();
    let usage = gateway(elsewhere.path(), &["usage", "ann", "--json", "--config", file]).output().unwrap();
    let usage: Value = serde_json::from_slice(&usage.stdout).unwrap();
    assert_eq!(usage["remaining"], 5);
    let check = words(&gateway(elsewhere.path(), &["check", "--config", file]).output().unwrap());
    let store = here.folder().join("books/gateway.db");
    assert!(check.contains(&format!("url = \"sqlite:{}\"", store.display())), "{check}");

    // The start line names the store, too. A variable's path is relative to the working directory.
    let serving = here.serve_with(&[("REMBG_GATEWAY__STORE__URL", "sqlite:books/../books/gateway.db")]);
    assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, 200);
    drop(serving);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn mistakes_of_a_tired_operator_are_told_with_file_line_and_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("team.toml");
    fs::write(
        &file,
        "default_plan = \"Team\"\n\n[lisen]\npublic = \"0.0.0.0:8080\"\n\n[backend]\nkind = \"rmbg\"\n\
         url = [\"https://api.rembg.com/rmbg\"]\napi_keys = \"sk-very-secret\"\nconcurrency = 0\n\n\
         [store]\nurl = \"postgres://me:sk-very-secret@db/gateway\"\n\n[plans.Team]\ncredits = 5\n\
         burst = { per_minuet = 60, size = 20 }\n",
    )
    .unwrap();
    let mut command = gateway(folder.path(), &["check", "--config", "team.toml"]);
    command.env("REMBG_GATEWAY__LOG__LEVLE", "debug").env("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", "sk-short");
    let output = command.output().unwrap();
    let said = words(&output);
    assert_eq!(output.status.code(), Some(64), "{said}");
    let at = |line: usize, rest: &str| format!("{}, line {line}: {rest}", file.display());
    for line in [
        at(3, "lisen: unknown setting; did you mean listen?"),
        at(8, "backend.url: unknown setting; did you mean backend.urls?"),
        at(9, "backend.api_keys: invalid type, expected a list"),
        at(10, "backend.concurrency: must be between 1 and 65536, is 0"),
        at(13, "store.url: unknown kind \"postgres\"; write sqlite:PATH"),
        at(17, "plans.Team.burst.per_minuet: unknown setting; did you mean plans.Team.burst.per_minute?"),
        "REMBG_GATEWAY__LOG__LEVLE: log.levle: unknown setting; did you mean REMBG_GATEWAY__LOG__LEVEL?".into(),
        "REMBG_GATEWAY__AUTH__API_KEY__PEPPER: auth.api_key.pepper: must have at least 16 characters".into(),
    ] {
        assert!(said.lines().any(|found| found.starts_with(&line)), "{line}\nis not in\n{said}");
    }
    assert!(!said.contains("secret") && !said.contains("sk-short"), "{said}");
    let line_of_syntax = "[listen]\npublic = 127.0.0.1:8080\n";
    fs::write(&file, line_of_syntax).unwrap();
    let said = words(&gateway(folder.path(), &["serve", "--config", "team.toml"]).output().unwrap());
    assert!(said.contains(&at(2, "")), "{said}");
}

#[test]
fn a_variable_with_one_underscore_is_warned_of_and_kubernetes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = gateway(folder.path(), &["check"]);
    command.env("REMBG_GATEWAY_STORE_URL", "sqlite:x").env("REMBG_GATEWAY_SERVICE_HOST", "10.0.0.1");
    command.env("REMBG_GATEWAY_PORT_8080_TCP_ADDR", "10.0.0.1");
    let said = words(&command.output().unwrap());
    let warned: Vec<_> = said.lines().filter(|line| line.starts_with("# Warning: REMBG")).collect();
    let meant = "# Warning: REMBG_GATEWAY_STORE_URL: is not read; did you mean REMBG_GATEWAY__STORE__URL?";
    assert_eq!(warned, [meant], "{said}");
}

#[tokio::test]
async fn config_shows_where_each_value_was_written_and_no_secret() {
    let here = Installation::new().await;
    here.set("auth.api_key.pepper = \"sk-very-secret-0123\"");
    let output = here.run(&["config"]);
    let said = words(&output);
    assert!(output.status.success() && !said.contains("very-secret"), "{said}");
    assert!(said.contains("# Where callers send pictures"), "with the file's words: {said}");
    assert!(said.contains("gateway.toml, line 4; the default is 4\n"), "{said}");
    let settings = here.json(&["config"]);
    let find = |path: &str| settings.as_array().unwrap().iter().find(|one| one["path"] == path).unwrap().clone();
    assert_eq!(
        (find("backend.concurrency")["source"].as_str(), find("backend.concurrency")["default"].as_i64()),
        (Some("file"), Some(4))
    );
    assert_eq!(
        (find("auth.api_key.pepper")["value"].as_str(), find("log.level")["source"].as_str()),
        (Some("***"), Some("default"))
    );
}

#[tokio::test]
async fn check_and_doctor_look_at_certificates_folders_and_the_model() {
    let here = Installation::new().await;
    let ours = certify(here.folder(), "cert", &["localhost"]);
    certify(here.folder(), "other", &["localhost"]);
    here.set("pages.public_url = \"https://gw.example\"");
    let check = || {
        let mut command = gateway(here.folder(), &["check", "--json", "--config", "gateway.toml"]);
        command
            .env("REMBG_GATEWAY__LISTEN__TLS_CERT", "cert.pem")
            .env("REMBG_GATEWAY__LISTEN__TLS_KEY", "other-key.pem");
        command.output().unwrap()
    };
    let output = check();
    let found = findings(&output);
    let pair = found.iter().find(|(_, verdict, _)| verdict == "fail").unwrap();
    assert!(pair.0 == "certificate" && pair.2.contains("are no pair"), "{found:?}");
    assert!(found.iter().any(|(_, verdict, says)| verdict == "warn" && says.contains("names gw.example")), "{found:?}");
    assert_eq!(output.status.code(), Some(1), "it would not start");
    fs::copy(&ours.key_file, here.folder().join("other-key.pem")).unwrap();
    assert_eq!(check().status.code(), Some(0), "a warning keeps nothing from starting");

    let folder = tempfile::tempdir().unwrap();
    let mut command = gateway(folder.path(), &["check", "--json"]);
    command.env("REMBG_GATEWAY__STORE__URL", "sqlite:file/gateway.db").env("REMBG_GATEWAY__BACKEND__MODEL", "no.onnx");
    fs::write(folder.path().join("file"), "").unwrap();
    let found = findings(&command.output().unwrap());
    for subject in ["data folder", "model"] {
        assert!(found.iter().any(|(of, verdict, _)| of == subject && verdict == "fail"), "{subject}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_asks_the_gateway_that_runs_and_finds_what_the_accounts_lack() {
    let here = Installation::new().await;
    here.customer("ann", 5);
    let serving = here.serve();
    let admin = serving.admin.to_string();
    let doctor = |pepper: Option<&str>| {
        let mut command = gateway(here.folder(), &["doctor", "--json", "--config", "gateway.toml"]);
        command.env("REMBG_GATEWAY__LISTEN__ADMIN", &admin);
        if let Some(pepper) = pepper {
            command.env("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", pepper);
        }
        findings(&command.output().unwrap())
    };
    let found = doctor(None);
    assert!(found.iter().any(|(of, verdict, _)| of == "gateway" && verdict == "ok"), "{found:?}");
    assert!(!found.iter().any(|(_, _, says)| says.contains("another pepper")), "{found:?}");
    let found = doctor(Some("another pepper of sixteen"));
    assert!(found.iter().any(|(of, verdict, _)| of == "pepper" && verdict == "fail"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_not_moved_while_a_gateway_serves_at_either_store() {
    let (here, redis) = (Installation::new().await, Redis::start(&SAVED).await);
    let key = here.customer("ann", 5);
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let migrate = |from: &str, to: &str| here.run(&["store", "migrate", "--from", from, "--to", to]);
    let file = "sqlite:data/gateway.db";
    let serving = here.serve();
    for (from, to) in [(file, url.as_str()), (url.as_str(), file)] {
        let output = migrate(from, to);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("a gateway serves from") && said.contains("stop every gateway on it"), "{said}");
    }
    assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, 200, "it goes on serving");
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
    assert!(migrate(file, &url).status.success());

    here.set(&format!("store.url = {url:?}\nauth.api_key.pepper_file = \"data/pepper\""));
    let serving = here.serve();
    let output = migrate(&url, "sqlite:copy/gateway.db");
    assert!(words(&output).contains("a gateway serves from redis://127.0.0.1"), "{}", words(&output));
    serving.kill();
    until("the killed one is known to be gone", async || migrate(&url, "sqlite:copy/gateway.db").status.success())
        .await;
}
