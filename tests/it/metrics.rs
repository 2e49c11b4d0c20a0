//! Prometheus's own tool accepts our metrics, and they name no caller.

use crate::{form::Form, world::World};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

#[tokio::test]
async fn promtool_has_nothing_to_say_about_the_metrics() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    ann.cut(&Form::with_picture()).await;
    let metrics = world.operator().get("/metrics").await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there; tests/tools.sh installs it");
    promtool.stdin.take().unwrap().write_all(&metrics.body).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && words.is_empty(), "{words}");
}

#[tokio::test]
async fn no_label_tells_who_called() {
    let world = World::start().await;
    let ann = world.customer("ann-of-the-tests", 10).await;
    ann.cut(&Form::with_picture()).await;
    let text = String::from_utf8(world.operator().get("/metrics").await.body.to_vec()).unwrap();
    // The backend's own address is the operator's, from the configuration.
    let text = text.replace(&world.backend.url(), "");
    assert!(!text.contains("ann-of-the-tests") && !text.contains("rgw_live") && !text.contains("127.0.0.1"), "{text}");
}
