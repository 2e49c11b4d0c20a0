use super::*;
use crate::config::{BackendKind, IssuerConfig, shown::SECRETS};
use std::fs;

fn with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

fn differences(change: impl FnOnce(&mut Config)) -> Differences {
    Config::default().differences(&with(change))
}

#[test]
fn the_same_settings_do_not_differ() {
    assert_eq!(differences(|_| {}), Differences::default());
}

/// The paths of all values.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(members) = value else { return found.push(path.to_owned()) };
    for (key, value) in members {
        leaves(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, found);
    }
}

#[test]
fn the_settings_that_a_reload_takes_up_are_these_and_no_others() {
    let all = serde_json::to_value(Config::default()).unwrap();
    let mut paths = Vec::new();
    leaves(&all, "", &mut paths);
    let part = |path: &String| match path.split_once('.') {
        Some(("limits" | "backend", _)) => path.clone(),
        _ => path.split('.').next().unwrap_or_default().to_owned(),
    };
    let sections: BTreeSet<String> =
        paths.iter().filter(|path| within(path, &LIVE) && !within(path, &FIXED)).map(part).collect();
    let live = [
        "anonymous",
        "backend.api_key",
        "backend.api_key_file",
        "backend.api_keys",
        "cors",
        "default_plan",
        "limits.bad_credentials_per_minute",
        "limits.client_ip_header",
        "limits.in_flight_per_client",
        "limits.max_answer",
        "limits.transfer_grace_s",
        "limits.transfer_min_rate",
        "limits.trusted_proxies",
        "limits.upload_timeout_s",
        "log",
        "plans",
    ];
    assert_eq!(sections.iter().map(String::as_str).collect::<Vec<_>>(), live);
}

#[test]
fn a_difference_is_named_by_its_path_whatever_may_be_done_about_it() {
    let differences = differences(|config| {
        config.plans.remove("Premium-20000");
        config.plans.get_mut("Free").unwrap().burst.size = 7;
        config.limits.connections = 9;
        config.limits.upload_timeout_s = 9;
        config.listen.public.set_port(9);
        config.stripe.prices.insert("price_1".into(), "Free".into());
        config.backend.kind = BackendKind::Rmbg;
        config.backend.api_key_file = Some("key".into());
    });
    assert_eq!(
        differences.live,
        ["backend.api_key_file", "limits.upload_timeout_s", "plans.Free.burst.size", "plans.Premium-20000"]
    );
    assert_eq!(differences.fixed, ["backend.kind", "limits.connections", "listen.public", "stripe.prices.price_1"]);
}

#[test]
fn secrets_are_compared_though_they_are_shown_alike() {
    type Change = fn(&mut Config, &'static str);
    let changes: [(&str, Change); 9] = [
        ("auth.api_key.pepper", |config, secret| config.auth.api_key.pepper = vec![secret.into()]),
        ("auth.user_token.hs256_secret", |config, secret| config.auth.user_token.hs256_secret = Some(secret.into())),
        ("auth.user_token.more", |config, secret| {
            let issuer = IssuerConfig { hs256_secret: Some(secret.into()), ..IssuerConfig::default() };
            config.auth.user_token.more = vec![issuer];
        }),
        ("stripe.webhook_secrets", |config, secret| config.stripe.webhook_secrets = vec![secret.into()]),
        ("store.url", |config, secret| config.store.url = format!("redis://user:{secret}@localhost")),
        ("backend.urls", |config, secret| config.backend.urls = vec![format!("http://a/?key={secret}")]),
        ("backend.reconcile.url", |config, secret| {
            config.backend.reconcile.url = Some(format!("http://a/?key={secret}"));
        }),
        ("backend.api_key", |config, secret| config.backend.api_key = Some(secret.into())),
        ("backend.api_keys", |config, secret| config.backend.api_keys = vec![secret.into()]),
    ];
    for (path, change) in changes {
        let [old, same, new] = ["one", "one", "two"].map(|secret| with(|config| change(config, secret)));
        assert_eq!(serde_json::to_value(&old).unwrap(), serde_json::to_value(&new).unwrap(), "{path} is shown");
        assert_eq!(old.differences(&same), Differences::default(), "{path}");
        let Differences { live, fixed } = old.differences(&new);
        let (found, other) = if within(path, &LIVE) { (live, fixed) } else { (fixed, live) };
        assert_eq!((found, other.len()), (vec![path.to_owned()], 0));
    }
}

#[test]
fn a_file_of_secrets_with_other_contents_differs() {
    let folder = tempfile::tempdir().unwrap();
    let [pepper_file, key_file, file] = ["pepper", "key", "gateway.toml"].map(|name| folder.path().join(name));
    fs::write(&file, "auth.api_key.pepper_file = \"pepper\"\nbackend.api_key_file = \"key\"\n").unwrap();
    let load = |pepper: &str, key: &str| {
        fs::write(&pepper_file, pepper).unwrap();
        fs::write(&key_file, key).unwrap();
        Config::load(Some(&file), std::iter::empty()).unwrap()
    };
    let before = load("sixteen or longer", "one");
    assert_eq!(before.differences(&load("sixteen or longer", "one")), Differences::default());
    let Differences { live, fixed } = before.differences(&load("another of sixteen", "two"));
    assert_eq!((live, fixed), (vec!["backend.api_key_file".into()], vec!["auth.api_key.pepper_file".into()]));
}

#[test]
fn tls_is_not_turned_on_or_off_but_its_files_may_be_others() {
    let pair = |config: &mut Config, name: &str| {
        (config.listen.tls_cert, config.listen.tls_key) = (Some(name.into()), Some(name.into()));
    };
    let [none, one, other] = [None, Some("one"), Some("other")].map(|name| {
        with(|config| {
            if let Some(name) = name {
                pair(config, name);
            }
        })
    });
    let both = ["listen.tls_cert", "listen.tls_key"];
    assert_eq!(one.differences(&other).live, both);
    assert_eq!(one.differences(&other).fixed.len(), 0);
    for (before, after) in [(&none, &one), (&one, &none)] {
        assert_eq!(before.differences(after).fixed, both);
    }
}

#[test]
fn no_secret_setting_is_forgotten() {
    let is_secret =
        |line: &str| line.starts_with("    pub ") && line.contains("<SecretString>,") && !line.contains(" fn ");
    let mut found = 0;
    for entry in fs::read_dir("src/config").unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap_or_default();
        found += source.lines().filter(|line| is_secret(line)).count();
    }
    let own = fs::read_to_string("src/config.rs").unwrap();
    found += own.lines().filter(|line| is_secret(line)).count();
    // The password in `store.url` is compared with the whole address.
    assert_eq!(found, Config::default().secrets().len() + 1, "say in `secrets` how a new one is compared");
    assert_eq!(Config::default().secrets().map(|(path, _)| path), SECRETS, "none of them is shown");
}
