//! A gateway that is told to stop finishes what is under way, and one that cannot start says why in one sentence.

use crate::{
    backend::{Manner, PICTURE},
    form::Form,
    gateway::Installation,
    support::programs::GATEWAY,
};
use std::process::Command;

#[tokio::test]
async fn sigterm_and_ctrl_c_let_requests_under_way_end_settle_every_hold_and_exit_0() {
    let here = Installation::new().await;
    let key = here.customer("ann", 2);
    for (signal, pictures) in [("TERM", 1), ("INT", 2)] {
        let serving = here.serve();
        here.backend.will(Manner::Wait);
        let person = serving.person(&key);
        let asking = tokio::spawn(async move { person.cut(&Form::with_picture()).await });
        here.backend.has_seen(pictures).await;
        serving.signal(signal);
        serving.accepts_no_more().await;
        here.backend.let_one_go();
        let reply = asking.await.unwrap();
        assert_eq!((reply.status, &reply.body[..]), (200, PICTURE), "{signal}");
        assert_eq!(serving.exit_code().await, Some(0), "{signal}");
        assert_eq!(here.json(&["usage", "ann"])["api"], pictures, "{signal}");
    }
}

#[tokio::test]
async fn what_fails_while_it_stops_is_released_before_it_exits() {
    let here = Installation::new().await;
    let key = here.customer("ann", 1);
    let serving = here.serve();
    here.backend.will(Manner::Hang);
    let person = serving.person(&key);
    let asking = tokio::spawn(async move { person.cut(&Form::with_picture()).await });
    here.backend.has_seen(1).await;
    serving.signal("TERM");
    assert_eq!(asking.await.unwrap().status, 504);
    assert_eq!(serving.exit_code().await, Some(0));
    assert_eq!(here.json(&["usage", "ann"])["api"], 0);

    here.backend.will(Manner::picture());
    let again = here.serve();
    assert_eq!(again.person(&key).cut(&Form::with_picture()).await.status, 200, "the only credit is free again");
}

#[tokio::test]
async fn a_busy_port_is_one_sentence_and_exit_1() {
    let here = Installation::new().await;
    let serving = here.serve();
    let second = Command::new(GATEWAY)
        .current_dir(here.folder())
        .env("REMBG_GATEWAY__LISTEN__ADMIN", serving.admin.to_string())
        .args(["--config", "gateway.toml", "serve"])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{words}");
    assert!(words.contains(&format!("cannot listen on {}", serving.admin)), "{words}");
    assert_eq!(words.trim().lines().count(), 1, "{words}");
}

#[tokio::test]
async fn an_unreadable_model_is_one_sentence_that_names_the_way_out() {
    let here = Installation::new().await;
    let output = Command::new(GATEWAY)
        .current_dir(here.temporary())
        .env("REMBG_GATEWAY__BACKEND__MODEL", "nowhere.onnx")
        .arg("serve")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("nowhere.onnx") && words.contains("deploy/fetch-model.sh"), "{words}");
    assert_eq!(words.trim().lines().count(), 1, "{words}");
}
