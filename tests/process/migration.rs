//! `store migrate` moves everything from the embedded store to Redis, and back.

use crate::{
    form::Form,
    gateway::Installation,
    support::redis::{Redis, SAVED},
};
use serde_json::json;
use std::process::Output;

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_moves_to_redis_and_back_and_its_callers_notice_nothing() {
    let (here, redis) = (Installation::new().await, Redis::start(&SAVED).await);
    let _: String = redis.say(&["CONFIG", "SET", "requirepass", "hush"]).unwrap();
    let url = format!("redis://:hush@127.0.0.1:{}", redis.port);
    let key = here.customer("ann", 5);
    here.json(&["credits", "grant", "ann", "2", "--id", "invoice-1"]);
    here.customer("bob", 5);
    let serving = here.serve();
    for _ in 0..3 {
        assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, 200);
    }
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));

    let there = here.run(&["store", "migrate", "--from", "sqlite:data/gateway.db", "--to", &url]);
    let said = words(&there);
    assert!(there.status.success(), "{said}");
    assert_eq!(
        said.trim().lines().last(),
        Some("2 accounts, 2 keys, 4 ledger entries moved; audit: everything agrees"),
        "{said}"
    );
    let pepper = here.temporary().with_file_name("data").join("pepper");
    assert!(said.contains(&format!("auth.api_key.pepper_file = \"{}\"", pepper.display())), "{said}");
    assert!(said.contains("redis://:***@127.0.0.1") && !said.contains("hush"), "{said}");

    here.set(&format!("store = {{ url = {url:?} }}"));
    here.set(&format!("auth.api_key.pepper_file = {pepper:?}"));
    let serving = here.serve();
    for status in [200, 200, 200, 200, 429] {
        assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, status);
    }
    assert_eq!(here.json(&["credits", "grant", "ann", "2", "--id", "invoice-1"])["repeated"], true);
    here.json(&["audit"]);
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));

    let back = here.json(&["store", "migrate", "--from", &url, "--to", "sqlite:again/gateway.db"]);
    assert_eq!(
        back["moved"],
        json!({"accounts": 2, "keys": 2, "ledger_entries": 8, "parked_events": 0, "problems": []}),
        "{back}"
    );
    assert_eq!((&back["good"], back["from"].as_str().unwrap().contains("hush")), (&json!(true), false));
    // The old file has stayed as it was, and Redis has changed since.
    let stale = here.run(&["store", "migrate", "--from", &url, "--to", "sqlite:data/gateway.db"]);
    let said = words(&stale);
    assert_eq!(stale.status.code(), Some(1), "{said}");
    assert!(said.contains("account ann is there already, with other contents: its ledger"), "{said}");
    assert!(said.contains("1 accounts, 1 keys, 0 ledger entries moved; audit: 1 thing does not agree"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_moved_is_said_in_one_sentence_without_a_password() {
    let here = Installation::new().await;
    here.customer("ann", 5);
    for (from, to, code, says) in [
        ("sqlite:data/gateway.db", "sqlite:./data/../data/gateway.db", 1, "source and target are the same store"),
        ("sqlite:nowhere.db", "sqlite:data/gateway.db", 1, "/nowhere.db"),
        ("sqlite:data/gateway.db", "redis://ann:hu/sh@nowhere:1", 64, "--to has no port number"),
        ("redis:ann:hush@nowhere", "sqlite:data/gateway.db", 64, "--from must look like"),
        ("sqlite:data/gateway.db", "carrier:pigeon", 64, "--to must look like"),
    ] {
        let output = here.run(&["store", "migrate", "--from", from, "--to", to]);
        let said = words(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says) && !said.contains("hu/sh") && !said.contains("hush"), "{said}");
    }
    assert!(!here.temporary().with_file_name("nowhere.db").exists(), "looking made nothing");
}

#[tokio::test]
async fn keeps_that_a_journal_still_has_forbid_to_leave_the_store() {
    let (here, redis) = (Installation::new().await, Redis::start(&SAVED).await);
    let journal = here.temporary().with_file_name("data").join("journal");
    std::fs::create_dir_all(&journal).unwrap();
    let keep = json!({"begun": {"id": "o", "taken": 1, "expires": 2,
        "charge": {"client": {"client": "203.0.113.7", "day": {"year": 2026, "month": 3, "day": 9}}}}});
    std::fs::write(journal.join("left.journal"), format!("{keep}\n")).unwrap();
    let from = redis.url();
    let output = here.run(&["store", "migrate", "--from", &from, "--to", "sqlite:data/gateway.db"]);
    let said = words(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/data/journal has keeps (1) that"), "{said}");
}
