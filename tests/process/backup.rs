//! `store backup` under load makes a copy that a gateway can serve from; `ready` answers containers.

use crate::{form::Form, gateway::Installation, redis_backup::named, support::wait::until};
use std::{fs, os::unix::fs::PermissionsExt as _};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_taken_under_load_is_whole_and_serves_in_the_place_of_the_store() {
    let here = Installation::new().await;
    let key = here.customer("ann", 1000);
    here.json(&["credits", "grant", "ann", "100", "--id", "a-pack"]);
    let serving = here.serve();
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let person = serving.person(&key);
        callers.spawn(async move {
            for _ in 0..12 {
                assert_eq!(person.cut(&Form::with_picture()).await.status, 200);
            }
        });
    }
    here.backend.has_seen(20).await;
    let copied = here.json(&["store", "backup", "copy.db"]);
    let copy = here.temporary().with_file_name("copy.db");
    let file = fs::metadata(&copy).unwrap();
    assert_eq!((copied["bytes"].as_u64(), file.permissions().mode() & 0o777), (Some(file.len()), 0o600));
    callers.join_all().await;
    let counted = here.json(&["usage", "ann"])["api"].as_u64();
    assert_eq!(counted, Some(96), "nobody was disturbed");
    let log = serving.log.clone();
    until("the log names every picture", async || named(&log) == 96).await;
    serving.kill();

    let data = here.temporary().with_file_name("data");
    for name in ["gateway.db", "gateway.db-wal", "gateway.db-shm"] {
        let _ = fs::remove_file(data.join(name));
    }
    fs::rename(&copy, data.join("gateway.db")).unwrap();
    let restored = here.json(&["usage", "ann"])["api"].as_u64().unwrap();
    assert!((12..96).contains(&restored), "what was served after the copy is lost, {restored} of 96 are known");
    here.json(&["audit"]);
    // What the log has and the copy has not is lost, and can be charged by hand.
    let lost = format!("-{}", named(&log) as u64 - restored);
    here.json(&["credits", "grant", "ann", &lost, "--id", "lost-with-the-disk"]);
    let serving = here.serve();
    assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, 200);
    assert_eq!(here.json(&["usage", "ann"])["api"].as_u64(), Some(restored + 1));
    here.json(&["audit"]);
}

#[tokio::test]
async fn a_copy_takes_nobodys_place_and_makes_no_store() {
    let here = Installation::new().await;
    let refused = |arguments: &[&str]| {
        let output = here.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(
        refused(&["store", "backup", "copy.db"])
            .contains(&format!("there is no store at {}", here.folder().join("data/gateway.db").display()))
    );
    assert!(!here.temporary().with_file_name("data").exists());
    here.customer("ann", 1);
    fs::write(here.temporary().with_file_name("copy.db"), "mine").unwrap();
    assert!(refused(&["store", "backup", "copy.db"]).contains("copy.db is there already"));
    assert!(refused(&["store", "backup", "nowhere/copy.db"]).contains("No such file"));
    assert_eq!(fs::read_to_string(here.temporary().with_file_name("copy.db")).unwrap(), "mine");
    let left: Vec<_> =
        fs::read_dir(here.temporary().parent().unwrap()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("unfinished")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_says_what_readyz_does() {
    let here = Installation::new().await;
    let serving = here.serve();
    let admin = format!("listen = {{ admin = \"{}\" }}", serving.admin);
    let settings = here.temporary().with_file_name("ask.toml");
    fs::write(&settings, admin).unwrap();
    let ask = || here.run(&["ready", "--config", settings.to_str().unwrap()]);
    let answer = ask();
    let words = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.status.success() && words.ends_with("is ready.\n"), "{words}");
    serving.kill();
    let answer = ask();
    let words = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.status.code() == Some(1) && words.contains("cannot be asked"), "{words}");
}
