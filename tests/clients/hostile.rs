//! Forms that are made to be read differently by the gateway and by a backend: a Python server's parser reads what was judged.

use crate::secured::{Secured, output};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn werkzeug_finds_exactly_what_was_judged() {
    let gateway = Secured::start().await;
    let key = gateway.key("ann", 1_000).await;
    let hostile = |arguments: &[&str]| -> Value {
        let said = output(gateway.python("hostile_forms.py").args(arguments), "");
        let json: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert_eq!(json["wrong"], serde_json::json!([]));
        json
    };
    let sent = hostile(&["send", &gateway.url(""), &key]);
    let accepted = sent["accepted"].as_u64().unwrap();
    assert!(accepted > 100 && sent["refused"].as_u64().unwrap() > 50, "both kinds are among them: {sent}");
    let seen = gateway.world.backend.seen();
    assert_eq!(seen.len() as u64, accepted, "a refused form reaches nobody, and any other does so once");
    assert_eq!(sent["used"], accepted, "a refused form costs nothing");
    for (at, seen) in seen.iter().enumerate() {
        let kind = seen.head.lines().find_map(|line| line.strip_prefix("content-type: ")).expect("a type");
        gateway.file(&format!("{at}.type"), kind.as_bytes());
        gateway.file(&format!("{at}.body"), &seen.body);
    }
    let read = hostile(&["read", gateway.folder.path().to_str().unwrap()]);
    assert_eq!(read["read"], accepted);
}
