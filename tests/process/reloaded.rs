//! SIGHUP takes up what has changed in the file, or nothing at all. SIGTERM sends callers elsewhere before it ends anything.

use crate::{
    backend::Manner,
    form::Form,
    gateway::{Installation, Serving},
    people::Person,
    support::{
        certificate::certify_between,
        process::{Log, Process},
        programs::GATEWAY,
        wait::until,
    },
};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

const TAKEN: &str = "the configuration was reloaded";
const REFUSED: &str = "the configuration was not reloaded";

/// The fields of the latest line with these words.
fn line(serving: &Serving, words: &str) -> Value {
    let lines = serving.said();
    let line =
        lines.iter().rev().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words} in {lines:?}"));
    serde_json::from_str(line).unwrap()
}

/// Sends SIGHUP and waits for the word on it.
async fn reloads(serving: &Serving, words: &str) -> Value {
    let before = serving.log.count(words);
    serving.signal("HUP");
    until(words, async || serving.log.count(words) > before).await;
    line(serving, words)
}

async fn readyz(serving: &Serving) -> (u16, Value) {
    let reply = Person::stranger(serving.admin).get("/readyz").await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn a_plan_changed_in_the_file_counts_after_sighup_and_the_log_names_it() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve();
    let ann = serving.person(&key);
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    here.change("credits = 1000,", "credits = 1000, max_pixels = 1,");
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "not yet");
    assert_eq!(reloads(&serving, TAKEN).await["changed"], "plans.Test.max_pixels");
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 413);
    assert_eq!(here.json(&["usage", "ann"])["api"], 2);
    assert!(serving.metric("rgw_config_last_reload_successful").await > 0.5);

    here.set("plans.Gold = { credits = 9, burst = { per_minute = 60, size = 9 } }");
    assert_eq!(reloads(&serving, TAKEN).await["changed"], "plans.Gold");
    let metrics = Person::stranger(serving.admin).get("/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(metrics.contains("plan=\"Gold\""), "its series exist from now on");
}

#[tokio::test]
async fn a_file_with_mistakes_or_with_another_address_changes_nothing_and_the_log_says_why() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve();
    let ann = serving.person(&key);
    let good = std::fs::read_to_string(here.folder().join("gateway.toml")).unwrap();
    let strict = good.replace("credits = 1000,", "credits = 1000, max_pixels = 1,");
    for (broken, named) in [
        (strict.replace("127.0.0.1:0", "127.0.0.1:9"), "listen.public"),
        (strict.replace("per_minute = 60000", "per_minute = 0"), "plans.Test.burst.per_minute"),
        (strict.replace("kind = \"rmbg\"", "kind = \"rembg\""), "backend.kind"),
        (format!("{strict}\n[[["), "line"),
        (format!("{strict}\ncolour = 1"), "colour"),
    ] {
        std::fs::write(here.folder().join("gateway.toml"), &broken).unwrap();
        let said = reloads(&serving, REFUSED).await;
        assert!(said["error"].as_str().unwrap().contains(named), "{named}: {said}");
        assert_eq!(said["level"], "ERROR");
        assert!(serving.metric("rgw_config_last_reload_successful").await < 0.5, "{named}");
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "{named}");
    }
    std::fs::remove_file(here.folder().join("gateway.toml")).unwrap();
    reloads(&serving, REFUSED).await;
    std::fs::write(here.folder().join("gateway.toml"), &strict).unwrap();
    reloads(&serving, TAKEN).await;
    assert!(serving.metric("rgw_config_last_reload_successful").await > 0.5);
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 413, "a good file is taken up all the same");
}

#[tokio::test]
async fn many_sighups_at_once_end_with_what_the_file_says() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve();
    here.change("credits = 1000,", "credits = 1000, max_pixels = 1,");
    let id = serving.process.0.id().to_string();
    let sent: Vec<_> = (0..8).map(|_| Command::new("kill").args(["-s", "HUP", &id]).spawn().unwrap()).collect();
    for mut kill in sent {
        assert!(kill.wait().unwrap().success());
    }
    until("it is reloaded", async || serving.log.count(TAKEN) > 0).await;
    assert_eq!(serving.person(&key).cut(&Form::with_picture()).await.status, 413);
    assert_eq!((readyz(&serving).await.0, serving.log.count(REFUSED)), (200, 0));
}

#[tokio::test]
async fn the_log_changes_its_level_and_form() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    let serving = here.serve();
    let ann = serving.person(&key);
    let told_of_usage = || serving.log.count("membership_usage");
    ann.get("/api/membership-usage").await;
    until("the request is logged", async || told_of_usage() == 1).await;
    here.change("format = \"json\"", "format = \"json\", level = \"warn\"");
    here.change("credits = 1000,", "credits = 1000, max_pixels = 1,");
    serving.signal("HUP");
    until("it is reloaded", async || ann.cut(&Form::with_picture()).await.status == 413).await;
    ann.get("/api/membership-usage").await;
    here.backend.will(Manner::Close);
    here.change("credits = 1000, max_pixels = 1,", "credits = 1000,");
    serving.signal("HUP");
    until("it is reloaded again", async || ann.cut(&Form::with_picture()).await.status == 502).await;
    until("warnings are logged", async || serving.said().iter().any(|line| line.contains("\"WARN\""))).await;
    assert_eq!(told_of_usage(), 1, "and nothing below");

    here.change("format = \"json\", level = \"warn\"", "format = \"text\"");
    serving.signal("HUP");
    let as_text = |line: &String| line.contains(TAKEN) && !line.starts_with('{');
    until("lines are text", async || serving.said().iter().any(as_text)).await;
}

#[tokio::test]
async fn without_a_file_sighup_does_nothing_and_says_so() {
    let here = Installation::new().await;
    let mut command = Command::new(GATEWAY);
    command
        .current_dir(here.temporary())
        .env("REMBG_GATEWAY__LISTEN__PUBLIC", "127.0.0.1:0")
        .env("REMBG_GATEWAY__LISTEN__ADMIN", "127.0.0.1:0")
        .env("REMBG_GATEWAY__BACKEND__KIND", "rmbg")
        .env("REMBG_GATEWAY__BACKEND__URLS", here.backend.url())
        .env("REMBG_GATEWAY__LOG__FORMAT", "json")
        .arg("serve")
        .stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let (serving, log) = Log::after("\"serving\"", process.0.stderr.take().unwrap());
    let serving: Value = serde_json::from_str(&serving.expect("the gateway serves")).unwrap();
    let at = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
    let serving = Serving { process, public: at("public"), admin: at("admin"), log };
    serving.signal("HUP");
    until("it says so", async || serving.log.count("there is no configuration file") == 1).await;
    assert_eq!(readyz(&serving).await.0, 200, "and serves on");
}

#[tokio::test]
async fn a_certificate_is_replaced_by_sighup_and_readyz_knows_its_dates() {
    let here = Installation::new().await;
    certify_between(here.folder(), "old", &["localhost"], [(2020, 1, 1), (2021, 1, 1)]);
    certify_between(here.folder(), "new", &["localhost"], [(2020, 1, 1), (2999, 1, 1)]);
    here.change("drain_delay_s", "tls_cert = \"old.pem\", tls_key = \"old-key.pem\", drain_delay_s");
    let serving = here.serve();
    let (status, body) = readyz(&serving).await;
    assert_eq!((status, &body["obstacles"]), (503, &json!(["certificate_expired"])));
    here.change("old", "new");
    assert_eq!(reloads(&serving, TAKEN).await["changed"], "listen.tls_cert, listen.tls_key");
    let (status, body) = readyz(&serving).await;
    assert_eq!((status, &body["obstacles"], &body["warnings"]), (200, &json!([]), &json!([])));
    here.change("new-key", "old-key");
    let said = reloads(&serving, REFUSED).await;
    assert!(said["error"].as_str().unwrap().starts_with("listen.tls_cert"), "{said}");
    assert_eq!(readyz(&serving).await.0, 200);
}

/// The delay is far longer than anything that a test waits for.
async fn draining(here: &Installation) -> Serving {
    here.change("drain_delay_s = 0", "drain_delay_s = 3600");
    let serving = here.serve();
    until("it is ready", async || readyz(&serving).await.0 == 200).await;
    serving.signal("TERM");
    until("it is not ready", async || readyz(&serving).await.0 == 503).await;
    serving
}

#[tokio::test]
async fn sigterm_sends_callers_elsewhere_serves_those_that_come_and_a_second_signal_ends_the_wait() {
    let here = Installation::new().await;
    let key = here.customer("ann", 9);
    for (second, served) in [("TERM", 1), ("INT", 3)] {
        here.backend.will(Manner::picture());
        let serving = draining(&here).await;
        here.change("drain_delay_s = 3600", "drain_delay_s = 0");
        assert_eq!(readyz(&serving).await.1["obstacles"], json!(["draining"]));
        let ann = serving.person(&key);
        assert_eq!(ann.clone().cut(&Form::with_picture()).await.status, 200, "new callers are served");
        here.backend.will(Manner::Wait);
        let asking = tokio::spawn(async move { ann.cut(&Form::with_picture()).await });
        here.backend.has_seen(served + 1).await;
        serving.signal(second);
        serving.accepts_no_more().await;
        here.backend.let_one_go();
        assert_eq!(asking.await.unwrap().status, 200, "what is under way still ends");
        assert_eq!(serving.exit_code().await, Some(0));
        assert_eq!(here.json(&["usage", "ann"])["api"], served + 1);
    }
}

#[tokio::test]
async fn the_drain_delay_ends_by_itself_and_ctrl_c_has_none() {
    let here = Installation::new().await;
    here.change("drain_delay_s = 0", "drain_delay_s = 1");
    let serving = here.serve();
    until("it is ready", async || readyz(&serving).await.0 == 200).await;
    let log = serving.log.clone();
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
    until("it says that it waits", async || log.count("until load balancers know it") == 1).await;

    here.change("drain_delay_s = 1", "drain_delay_s = 3600");
    let serving = here.serve();
    let log = serving.log.clone();
    serving.signal("INT");
    assert_eq!(serving.exit_code().await, Some(0));
    assert_eq!(log.count("until load balancers know it"), 0);
}
