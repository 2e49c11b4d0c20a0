//! A store that a newer version has written is refused in one sentence, and is not touched.

use crate::support::{
    form::Form,
    gateway::Installation,
    redis::{Redis, SAVED},
};

/// Everything that opens the store says the same, and ends with an error.
fn is_refused_everywhere(here: &Installation, sentence: &str) {
    for command in [&["serve"][..], &["doctor"], &["usage"], &["audit"], &["user", "add", "eve"]] {
        let output = here.run(command);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("newer version") && said.contains(sentence), "{command:?}: {said}");
    }
}

async fn serves_still(here: &Installation, key: &str) {
    let serving = here.serve();
    assert_eq!(serving.person(key).cut(&Form::with_picture()).await.status, 200);
    assert!(!here.json(&["usage"]).to_string().contains("eve"), "nobody was added meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_versions_file_is_refused_and_left_alone() {
    let here = Installation::new().await;
    let key = here.customer("ann", 5);
    let write = |version: u32| {
        let db = rusqlite::Connection::open(here.folder().join("data/gateway.db")).unwrap();
        let known: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        db.pragma_update(None, "user_version", version).unwrap();
        known
    };
    let known = write(99);
    is_refused_everywhere(&here, &format!("schema 99, this version knows {known}"));
    write(known);
    serves_still(&here, &key).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_versions_redis_is_refused_and_left_alone() {
    let (here, redis) = (Installation::new().await, Redis::start(&SAVED).await);
    here.set(&format!("store = {{ url = \"{}\" }}", redis.url()));
    here.set("auth.api_key.pepper = \"sixteen characters or more\"");
    let key = here.customer("ann", 5);
    redis.by_hand::<()>(&["SET", "gateway:format", "2"]);
    is_refused_everywhere(&here, "gateway:format is 2, this version knows 1");
    redis.by_hand::<()>(&["DEL", "gateway:format"]);
    serves_still(&here, &key).await;
}
