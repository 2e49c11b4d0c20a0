//! A disk that takes nothing more: what needs it is refused and not charged, and all else is served.

use crate::{
    backend::{Manner, PICTURE},
    form::{Form, png},
    gateway::Installation,
    people::Person,
    support::wait::until,
};
use std::process::Command;

const BUSY: &str = "The service is busy. Please retry shortly.";

#[tokio::test]
async fn a_disk_that_takes_nothing_is_503_and_costs_nothing() {
    let here = Installation::new().await;
    let key = here.customer("ann", 2);
    let serving = here.serve();
    let person = serving.person(&key);
    std::fs::remove_dir(here.temporary()).unwrap();

    let mut file = png(4, 4);
    file.resize(3 << 20, 0);
    let upload = person.cut(&Form::empty().image("a.png", &file)).await;
    assert!(here.backend.seen().is_empty(), "the upload could not be held, and yet it was sent on");
    here.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: file });
    let answer = person.cut(&Form::with_picture()).await;
    for refused in [upload, answer] {
        assert_eq!((refused.status, refused.error().as_str()), (503, BUSY));
        assert_eq!(refused.json()["code"], "no_room");
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(here.json(&["usage", "ann"])["api"], 0);

    here.backend.will(Manner::picture());
    for _ in 0..2 {
        let small = person.cut(&Form::with_picture()).await;
        assert_eq!((small.status, &small.body[..]), (200, PICTURE), "what fits in memory needs no disk");
    }
    here.json(&["audit", "ann"]);
}

/// The kernel refuses to let any file of the gateway grow beyond this, in KiB, as a full disk would.
const FULL_AT: &str = "128";

#[tokio::test]
async fn a_store_on_a_full_disk_is_unavailable_everywhere_alike_and_serves_again_when_there_is_room() {
    let here = Installation::new().await;
    let key = here.customer("ann", 1_000);
    let serving = here.serve_under(&format!("trap '' XFSZ; ulimit -S -f {FULL_AT}; exec \"$@\""));
    let (ann, operator) = (serving.person(&key), Person::stranger(serving.admin));
    let mut served = 0;
    let refused = loop {
        let reply = ann.cut(&Form::with_picture()).await;
        if reply.status != 200 {
            break reply;
        }
        served += 1;
        assert!(served < 500, "the disk never filled up");
    };
    assert_eq!((refused.status, refused.error().as_str()), (503, BUSY));
    assert_eq!(refused.json()["code"], "store_unavailable");
    assert!(refused.header("retry-after").is_some());
    let ready = operator.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["obstacles"]), (503, &serde_json::json!(["store_unavailable"])));
    assert!(serving.metric("rgw_store_up").await < 0.5);
    let logged = |line: &String| line.contains("store_unavailable") && line.contains("\"WARN\"");
    until("the log says so", async || serving.said().iter().any(logged)).await;

    let id = serving.process.0.id().to_string();
    let room = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited:"]).status().unwrap();
    assert!(room.success());
    until("pictures are served again", async || ann.cut(&Form::with_picture()).await.status == 200).await;
    assert_eq!(operator.get("/readyz").await.status, 200);
    assert!(serving.metric("rgw_store_up").await > 0.5);
    until("everything is settled", async || serving.metric("rgw_credits_held").await < 0.5).await;
    let used = here.json(&["usage", "ann"])["api"].as_u64().unwrap();
    assert!(used > served, "{used} pictures, of which {served} came first");
    here.json(&["audit", "ann"]);
}
