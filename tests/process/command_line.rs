//! Every command works while the gateway serves, and scripts can read what it says.

use crate::{
    form::Form,
    gateway::Installation,
    support::{programs::GATEWAY, wait::until},
};
use serde_json::json;
use std::{io::Write as _, process::Stdio};

#[tokio::test]
async fn an_operator_runs_accounts_keys_and_credits_beside_the_serving_gateway() {
    let here = Installation::new().await;
    let serving = here.serve();
    let made = here.json(&["user", "add", "ann", "--plan", "Test", "--credits", "2", "--prepaid", "1"]);
    assert_eq!((made["credits"].as_u64(), made["prepaid"].as_i64()), (Some(2), Some(1)));
    let key = here.json(&["key", "create", "ann", "--name", "laptop"]);
    let ann = serving.person(key["key"].as_str().unwrap());
    for status in [200, 200, 200, 429] {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, status);
    }
    let id = key["id"].as_str().unwrap();
    for _ in 0..2 {
        here.json(&["credits", "grant", "ann", "5", "--id", "invoice-1"]);
    }
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "granted credits count at once, and once");
    let usage = here.json(&["usage", "ann"]);
    assert_eq!(usage["api"], 2, "{usage}");
    let listed = here.json(&["key", "list", "ann"]);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["name"], &listed[0]["used_this_month"]),
        (&json!(id), &json!("laptop"), &json!(4))
    );
    here.json(&["key", "revoke", id]);
    until("the key is refused", async || ann.get("/api/membership-usage").await.status == 401).await;
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 401, "it is revoked");
    here.json(&["audit"]);
    let ready = crate::people::Person::stranger(serving.admin).get("/readyz").await;
    assert_eq!(ready.status, 200);
}

#[tokio::test]
async fn a_key_of_another_service_is_imported_from_standard_input() {
    let here = Installation::new().await;
    here.json(&["user", "add", "ann"]);
    let key = "7b1ff8b0-6f2c-4f47-9d6e-6a2a8ff0c0de";
    let mut import = std::process::Command::new(GATEWAY)
        .current_dir(here.folder())
        .args(["--config", "gateway.toml", "key", "import", "ann"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(format!("{key}\n").as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    let serving = here.serve();
    assert_eq!(serving.person(key).cut(&Form::with_picture()).await.status, 200);
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_all_named_and_nothing_starts() {
    let here = Installation::new().await;
    let file = here.temporary().join("bad.toml");
    std::fs::write(&file, "default_plan = \"None\"\n[backend]\nkind = \"carrier pigeon\"\n[limits]\nspeed = 5\n")
        .unwrap();
    for command in ["check", "serve"] {
        let output =
            std::process::Command::new(GATEWAY).args([command, "--config", file.to_str().unwrap()]).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{words}");
        for path in ["default_plan", "backend.kind", "limits.speed"] {
            assert!(words.contains(path), "{path} is not named in {words}");
        }
    }
    assert!(here.run(&["check"]).status.success());
}
