//! The user that `docs/redis.md` tells operators to make: it may do what the gateway does, and nothing else.

use crate::support::{
    form::Form,
    gateway::Installation,
    redis::{Redis, SAVED},
};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_serves_and_administers_and_may_do_nothing_else() {
    let page = fs::read_to_string("docs/redis.md").unwrap();
    let line = page.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER ")).unwrap();
    let line = line.replace("PASSWORD", "hush");
    let command: Vec<&str> = ["ACL", "SETUSER"].into_iter().chain(line.split(' ')).collect();
    let (here, redis) = (Installation::new().await, Redis::start(&SAVED).await);
    redis.say::<()>(&command).unwrap();
    redis.say::<()>(&["CONFIG", "SET", "requirepass", "the administrator's"]).unwrap();
    here.set(&format!("store = {{ url = \"redis://rembg-gateway:hush@127.0.0.1:{}\" }}", redis.port));
    here.set("auth.api_key.pepper = \"sixteen characters or more\"");

    let key = here.customer("ann", 5);
    here.json(&["credits", "grant", "ann", "2", "--id", "invoice-1"]);
    let serving = here.serve();
    for status in [200, 200, 200, 200, 200, 200, 200, 429] {
        assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, status);
    }
    let id = here.json(&["key", "list", "ann"])[0]["id"].as_str().unwrap().to_owned();
    here.json(&["key", "revoke", &id]);
    assert_eq!(here.json(&["usage", "ann"])["api"], 5);
    for command in [&["audit"][..], &["doctor"], &["stripe", "parked"], &["key", "list", "ann"]] {
        here.json(command);
    }
    assert!(serving.metric("rgw_store_up").await > 0.5);
    assert!(!serving.said().iter().any(|line| line.contains("NOPERM")), "{:#?}", serving.said());
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));

    let client = redis::Client::open(format!("redis://rembg-gateway:hush@127.0.0.1:{}", redis.port)).unwrap();
    let mut connection = client.get_connection().unwrap();
    for refused in
        [&["FLUSHALL"][..], &["GET", "somebody:elses"], &["CONFIG", "GET", "*"], &["ACL", "LIST"], &["KEYS", "*"]]
    {
        let mut command = redis::cmd(refused[0]);
        command.arg(&refused[1..]);
        let answer = command.query::<redis::Value>(&mut connection);
        assert_eq!(answer.unwrap_err().code(), Some("NOPERM"), "{refused:?}");
    }
}
