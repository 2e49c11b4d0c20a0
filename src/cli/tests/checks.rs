//! What `check` and `doctor` tell.

use super::*;

#[tokio::test]
async fn the_doctor_knows_plans_that_are_gone_and_peppers_that_have_changed() {
    let mut operator = Operator::new();
    operator.types("user add 42 --plan Premium-20000").await;
    operator.types("key create 42").await;
    let fine = operator.types("doctor").await;
    assert!(!fine.words.contains("another pepper") && !fine.words.contains("Premium-20000"), "{}", fine.words);
    operator.session.config.plans.remove("Premium-20000");
    operator.session.config.auth.api_key.pepper = vec!["sixteen characters or more".into()];
    let report = operator.types("doctor").await;
    assert!(report.words.contains("1 account is on the plan \"Premium-20000\""), "{}", report.words);
    assert!(
        !report.good && report.words.contains("FAIL  pepper         1 key was made under another"),
        "{}",
        report.words
    );
    operator.types("key create 42").await;
    let mixed = operator.types("doctor").await;
    assert!(mixed.words.contains("warn  pepper         1 key was made under another"), "{}", mixed.words);
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_to_do() {
    let operator = Operator::new();
    operator.session.store_or_new().await.unwrap();
    for (line, words) in [
        ("key create 42", "there is no account 42"),
        ("key revoke key_x", "there is no key with the id key_x"),
        ("user add 42 --plan Gold", "there is no plan \"Gold\"; there are: Free, Premium-20000"),
    ] {
        let failure = operator.tries(line, "").await.unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.exit_code()), (words, 1));
        assert!(failure.hint().is_some(), "{line}");
    }
}

#[tokio::test]
async fn check_shows_what_is_in_effect_as_toml_without_secrets() {
    let mut operator = Operator::new();
    operator.session.config.auth.api_key.pepper = vec!["hush-hush-hush-hush".into()];
    let shown = operator.types("check").await.words;
    assert!(shown.contains("pepper = \"***\"") && !shown.contains("hush"), "{shown}");
    let settings: toml::Table = shown.parse().unwrap();
    assert_eq!(settings["backend"]["timeout_s"].as_integer(), Some(120));
}

#[tokio::test]
async fn check_warns_of_a_proxy_that_is_not_named_and_finds_no_mistake_in_it() {
    let mut operator = Operator::new();
    operator.session.config.listen.public = ([0, 0, 0, 0], 8080).into();
    let report = operator.types("check").await;
    assert!(report.good && report.words.contains("# Warning: limits.trusted_proxies: is empty"), "{}", report.words);
    assert!(report.words.parse::<toml::Table>().is_ok());
    let value = report.value.unwrap();
    assert_eq!(value["warnings"][0]["path"], "limits.trusted_proxies");
    assert_eq!(value["backend"]["timeout_s"], 120);
    operator.session.config.limits.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let report = operator.types("check").await;
    assert!(!report.words.contains("Warning"));
    assert_eq!(report.value.unwrap()["warnings"], json!([]));
}

#[tokio::test]
async fn doctor_changes_nothing_and_tells_what_is_missing() {
    let mut operator = Operator::new();
    operator.session.config.backend.model = "/no/such/model".into();
    let report = operator.types("doctor").await;
    assert!(!report.good);
    assert_eq!(verdict_of(&report, "store"), "warn");
    assert_eq!(verdict_of(&report, "model"), "fail");
    assert_eq!(std::fs::read_dir(operator.folder.path()).unwrap().count(), 0, "doctor made something");

    operator.types("user add 42").await;
    assert_eq!(verdict_of(&operator.types("doctor").await, "pepper"), "ok");
    operator.types("key create 42").await;
    let report = operator.types("doctor").await;
    assert_eq!((verdict_of(&report, "store"), verdict_of(&report, "pepper")), ("ok".into(), "ok".into()));
    std::fs::remove_file(operator.folder.path().join("pepper")).unwrap();
    assert_eq!(verdict_of(&operator.types("doctor").await, "pepper"), "fail", "keys without their pepper");
}
