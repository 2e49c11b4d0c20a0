//! Layers, mistakes, and the file that shows every setting.

mod table;

use super::*;
use proptest::prelude::*;
use serde_json::Value;
use std::{io::Write as _, path::Path};
use table::MISTAKES;

const SHOWN: &str = include_str!("../../config/gateway.toml");

fn load(file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    on_disk.write_all(file.as_bytes()).unwrap();
    Config::load(Some(on_disk.path()), variables(env))
}

fn variables(env: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

/// The mistakes without their lines and their values.
fn mistakes(file: &str, env: &[(&str, &str)]) -> String {
    let line = |Mistake { path, fault, place, .. }: Mistake| match place {
        Some(Place::Variable(name)) => format!("{name}: {path}: {fault}"),
        Some(Place::File { .. }) | None => format!("{path}: {fault}"),
    };
    let found = load(file, env).expect_err("there is a mistake").0;
    found.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The defaults as they are loaded.
fn defaults() -> Config {
    let mut config = Config::default();
    config.make_paths_absolute();
    config
}

fn shown(config: &Config) -> Value {
    serde_json::to_value(config).unwrap()
}

/// The file with one of its commented examples, `# key = value`, taken at its word.
fn uncommented() -> impl Iterator<Item = (String, String)> {
    let is_example = |line: &&str| {
        let setting = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = "));
        setting.is_some_and(|(key, _)| {
            key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
    };
    SHOWN.lines().filter(is_example).map(|line| (line.to_owned(), SHOWN.replace(line, &line[2..])))
}

#[test]
fn the_file_that_shows_every_setting_says_what_is_so_without_it() {
    let without = Config::load(None, std::iter::empty()).unwrap();
    assert_eq!(shown(&without), shown(&defaults()));
    assert_eq!(shown(&load(SHOWN, &[]).unwrap()), shown(&defaults()), "no line of it holds a path");
}

#[test]
fn the_file_shows_every_setting_that_there_is() {
    let mut seen = vec![serde_json::to_value(SHOWN.parse::<toml::Table>().unwrap()).unwrap()];
    seen.extend(uncommented().map(|(_, file)| serde_json::to_value(file.parse::<toml::Table>().unwrap()).unwrap()));
    let mut paths = Vec::new();
    leaves(&shown(&Config::default()), String::new(), &mut paths);
    assert!(paths.contains(&"/auth/api_key/pepper".to_owned()), "{paths:?}");
    for path in paths {
        assert!(seen.iter().any(|file| file.pointer(&path).is_some()), "config/gateway.toml does not show {path}");
    }
}

fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(keys) => keys.iter().for_each(|(key, value)| leaves(value, format!("{path}/{key}"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => found.push(path),
    }
}

#[test]
fn the_examples_in_its_comments_are_settings_too() {
    let mut examples = 0;
    for (line, file) in uncommented() {
        let errors = load(&file, &[]).err().map(|errors| errors.0).unwrap_or_default();
        // A file is not on this machine, and some settings mean nothing without another.
        let known = ["cannot ", "needs "];
        let excused =
            |fault: &str| known.iter().any(|start| fault.starts_with(start)) || fault.ends_with("user tokens stay off");
        let wrong: Vec<_> = errors.iter().filter(|mistake| !excused(&mistake.fault)).collect();
        assert!(wrong.is_empty(), "{line}: {wrong:?}");
        examples += 1;
    }
    assert!(examples >= 5, "{examples}");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[backend]\nkind = \"rmbg\"\nurls = [\"http://a/\"]\nconcurrency = 7\n[log]\nlevel = \"warn\"";
    let env = [
        ("REMBG_GATEWAY__BACKEND__CONCURRENCY", "9"),
        ("REMBG_GATEWAY__BACKEND__URLS", "http://b/rmbg, https://c/rmbg"),
        ("REMBG_GATEWAY__PLANS__FREE__CREDITS", "70"),
        ("REMBG_GATEWAY__PLANS__TEAM", "{credits = 5, burst = {per_minute = 6, size = 7}}"),
        ("REMBG_GATEWAY__LIMITS__MEMORY_BUDGET", "1 GiB"),
        ("REMBG_GATEWAY__LIMITS__SPOOL_BUDGET", "536870912"),
        ("REMBG_GATEWAY_CONFIG", "not ours to read"),
        ("PATH", "/bin"),
    ];
    let config = load(file, &env).unwrap();
    assert_eq!(config.backend.urls, ["http://b/rmbg", "https://c/rmbg"]);
    assert_eq!((config.backend.concurrency, config.backend.timeout_s), (9, 120));
    assert_eq!(config.log.level, LogLevel::Warn);
    assert_eq!((config.plans["Free"].credits, config.plans["team"].burst.size), (70, 7));
    assert_eq!((config.limits.memory_budget, config.limits.spool_budget), (Bytes(1 << 30), Bytes(512 << 20)));
}

#[test]
fn a_text_setting_takes_text_that_looks_like_something_else() {
    for text in ["1234567890123456", "2026-01-01T00:00:00Z", "[not, really, toml", "a,b,c,d,e,f,g,h,i"] {
        let config = load("", &[("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", text)]).unwrap();
        let pepper = config.auth.api_key.given_peppers().unwrap().remove(0);
        assert_eq!(secrecy::ExposeSecret::expose_secret(&pepper), text);
    }
    for urls in ["http://a/", "[\"http://a/\"]", "\"http://a/\"", "http://a/,"] {
        let env = [("REMBG_GATEWAY__BACKEND__URLS", urls), ("REMBG_GATEWAY__BACKEND__KIND", "rmbg")];
        assert_eq!(load("", &env).unwrap().backend.urls, ["http://a/"], "{urls}");
    }
}

#[test]
fn plans_in_the_file_replace_the_built_in_ones() {
    let config = load("default_plan = \"A\"\n[plans.A]\ncredits = 1\nburst = {per_minute = 1, size = 1}", &[]).unwrap();
    assert_eq!(config.plans.keys().collect::<Vec<_>>(), ["A"]);
}

#[test]
fn each_mistake_is_named_with_its_path() {
    for (file, expected) in MISTAKES {
        assert_eq!(&mistakes(file, &[]), expected, "{file}");
    }
}

#[test]
fn all_mistakes_are_named_at_once_and_none_because_of_another() {
    let file = r#"
        default_plan = "Gold"
        [plans.Gold]
        credit = 7
        burst = { per_minute = 0, size = "x", sise = 1 }
        [backend]
        kind = "magic"
        urls = ["http://a/"]
        concurrency = []
        [limits]
        connections = 0
    "#;
    let env = [("REMBG_GATEWAY__LOG__LEVEL", "loud"), ("REMBG_GATEWAY__LOG__COLOUR", "red")];
    let found = mistakes(file, &env);
    let mut lines: Vec<_> = found.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "REMBG_GATEWAY__LOG__COLOUR: log.colour: unknown setting",
            "REMBG_GATEWAY__LOG__LEVEL: log.level: unknown variant `loud`, expected one of `error`, `warn`, `info`, `debug`, \
             `trace`",
            "backend.concurrency: invalid type: a list, expected a whole number",
            "backend.kind: unknown variant `magic`, expected one of `builtin`, `rmbg`, `rembg`",
            "limits.connections: must be between 1 and 1000000, is 0",
            "plans.Gold.burst.per_minute: must be between 1 and 1000000, is 0",
            "plans.Gold.burst.sise: unknown setting; did you mean plans.Gold.burst.size?",
            "plans.Gold.burst.size: invalid type: string \"x\", expected a whole number up to 4294967295",
            "plans.Gold.credit: unknown setting; did you mean plans.Gold.credits?",
            "plans.Gold.credits: is missing",
        ]
    );
}

#[test]
fn a_variable_that_sets_nothing_is_a_mistake() {
    let table = [
        (
            "REMBG_GATEWAY__STORE__URI",
            "x",
            "REMBG_GATEWAY__STORE__URI: store.uri: unknown setting; did you mean REMBG_GATEWAY__STORE__URL?",
        ),
        (
            "REMBG_GATEWAY__PLANS__FREE__CREDIT",
            "5",
            "REMBG_GATEWAY__PLANS__FREE__CREDIT: plans.Free.credit: unknown setting; did you mean \
             REMBG_GATEWAY__PLANS__FREE__CREDITS?",
        ),
        (
            "REMBG_GATEWAY__DEFAULT_PLAN__X",
            "x",
            "REMBG_GATEWAY__DEFAULT_PLAN__X: default_plan.x: cannot be set, because the setting above it is not a section",
        ),
        (
            "REMBG_GATEWAY__PLANS__TEAM",
            "{credits = 7, burst = {}}",
            "REMBG_GATEWAY__PLANS__TEAM: plans.team.burst.per_minute: is missing\n\
             REMBG_GATEWAY__PLANS__TEAM: plans.team.burst.size: is missing",
        ),
        ("REMBG_GATEWAY__", "x", "REMBG_GATEWAY__: : unknown setting"),
        (
            "REMBG_GATEWAY__BACKEND__CONCURRENCY",
            "lots",
            "REMBG_GATEWAY__BACKEND__CONCURRENCY: backend.concurrency: invalid type: string \"lots\", expected a whole number",
        ),
    ];
    for (name, value, expected) in table {
        assert_eq!(mistakes("default_plan = \"Free\"", &[(name, value)]), expected);
    }
}

#[test]
fn a_mistake_names_its_line_and_its_value_unless_that_is_secret() {
    let file = "default_plan = \"Free\"\n[backend]\nkind = \"rmbg\"\nurls = [\n  \"http://a/\",\n  \"ftp://me:pw@a/?k=1\",\n]\n\
                health_path = \"healthz\"\napi_key = \"a b\"\ntimout_s = 5\ntimeout_s = 0\n[limits]\n[pages]\n\
                accent = \"blue\"\n";
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    on_disk.write_all(file.as_bytes()).unwrap();
    let env = [("REMBG_GATEWAY__PAGES__TITLE", " "), ("REMBG_GATEWAY__STORE__URL", "redis://:pw@h")];
    let said = Config::load(Some(on_disk.path()), variables(&env)).unwrap_err().to_string();
    let mut lines: Vec<_> = said.lines().map(|line| line.replace(on_disk.path().to_str().unwrap(), "FILE")).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "FILE, line 10: backend.timout_s: unknown setting; did you mean backend.timeout_s?",
            "FILE, line 11: backend.timeout_s: must be between 1 and 86400, is 0",
            "FILE, line 14: pages.accent: must be a colour such as \"#2357D9\" (it is \"blue\")",
            "FILE, line 6: backend.urls[1]: must be an address such as \"http://127.0.0.1:7000/api/remove\" (it is \"ftp://a/\")",
            "FILE, line 8: backend.health_path: must be a path such as \"/healthz\" (it is \"healthz\")",
            "FILE, line 9: backend.api_key: must be printable ASCII without spaces",
            "REMBG_GATEWAY__PAGES__TITLE: pages.title: must be 1 to 80 characters in one line (it is \" \")",
            "auth.api_key.pepper: must be set, to the same value for every gateway on one Redis",
        ]
    );
}

#[test]
fn a_variable_that_nothing_reads_is_warned_of_unless_kubernetes_sets_it() {
    let env = [
        ("REMBG_GATEWAY_STORE_URL", "sqlite:x"),
        ("REMBG_GATEWAY_LISTEN_REUSE_PORT", "true"),
        ("REMBG_GATEWAY_COLOUR", "blue"),
        ("REMBG_GATEWAY_CONFIG", "gateway.toml"),
        ("REMBG_GATEWAY_MIGRATE_TO", "sqlite:y"),
        ("REMBG_GATEWAY_TEST_DIE_AT", "nowhere"),
        ("REMBG_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("REMBG_GATEWAY_SERVICE_PORT", "8080"),
        ("REMBG_GATEWAY_SERVICE_PORT_HTTP", "8080"),
        ("REMBG_GATEWAY_PORT", "tcp://10.0.0.1:8080"),
        ("REMBG_GATEWAY_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("REMBG_GATEWAY_ADMIN_PORT_8081_TCP", "tcp://10.0.0.1:8081"),
        ("REMBG_GATEWAYS", "3"),
    ];
    let warnings = load("", &env).unwrap().warnings();
    let lines: Vec<_> = warnings.iter().map(Warning::to_string).collect();
    assert_eq!(
        lines,
        [
            "REMBG_GATEWAY_COLOUR: is not read; settings begin with REMBG_GATEWAY__, with two underscores",
            "REMBG_GATEWAY_LISTEN_REUSE_PORT: is not read; did you mean REMBG_GATEWAY__LISTEN__REUSE_PORT?",
            "REMBG_GATEWAY_STORE_URL: is not read; did you mean REMBG_GATEWAY__STORE__URL?",
        ]
    );
}

#[test]
fn a_pepper_that_may_have_been_meant_for_several_is_warned_of() {
    let (two, list) = ("a pepper of sixteen,another of sixteen", "[\"a pepper of sixteen\", \"another of sixteen\"]");
    for (pepper, warned) in [(two, true), (list, false), ("one pepper, with a comma", false)] {
        let config = load("", &[("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", pepper)]).unwrap();
        let warnings = config.warnings();
        assert_eq!(warnings.iter().any(|one| one.path == "auth.api_key.pepper"), warned, "{pepper}");
        assert!(warnings.iter().all(|one| !one.to_string().contains("sixteen")), "{pepper}");
    }
}

#[test]
fn a_named_file_must_be_there_and_be_toml() {
    let missing = Config::load(Some(Path::new("/no/such.toml")), std::iter::empty()).unwrap_err();
    assert_eq!(missing.to_string(), "/no/such.toml: cannot be read: No such file or directory (os error 2)");
    let torn = mistakes("[log]\n[auth.api_key]\npepper = \"hush-hush-hush", &[]);
    let line = load("[log]\n[auth.api_key]\npepper = \"hush-hush-hush", &[]).unwrap_err().to_string();
    assert!(line.contains(", line 3: ") && !torn.contains("hush") && !line.contains("hush"), "{line}");
}

#[test]
fn a_secret_comes_by_value_or_by_file_but_once_and_is_never_shown() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"hush-hush-hush-hush\n").unwrap();
    let by_file = format!("[auth.api_key]\npepper_file = {:?}", file.path());
    let by_value = "[auth.api_key]\npepper = \"hush-hush-hush-hush\"";
    for given in [by_file.as_str(), by_value] {
        let config = load(given, &[]).unwrap();
        let pepper = config.auth.api_key.given_peppers().unwrap().remove(0);
        assert_eq!(secrecy::ExposeSecret::expose_secret(&pepper), "hush-hush-hush-hush");
        assert!(!format!("{config:?} {}", shown(&config)).contains("hush"));
    }
    assert_eq!(shown(&load(by_value, &[]).unwrap())["auth"]["api_key"]["pepper"], "***");
    let list = load("[auth.api_key]\npepper = [\"hush-hush-hush-new\", \"hush-hush-hush-old\"]", &[]).unwrap();
    let expose = |pepper: &SecretString| pepper.expose_secret().to_owned();
    let given: Vec<_> = list.auth.api_key.given_peppers().unwrap().iter().map(expose).collect();
    assert_eq!(given, ["hush-hush-hush-new", "hush-hush-hush-old"], "newest first");
    assert_eq!(shown(&list)["auth"]["api_key"]["pepper"], serde_json::json!(["***", "***"]));
    let twice = format!("{by_file}\npepper = \"hush-hush-hush-hush\"");
    assert_eq!(mistakes(&twice, &[]), "auth.api_key.pepper: is given twice: keep pepper or pepper_file");
}

#[test]
fn webhook_secrets_come_by_value_or_by_file_one_a_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"whsec_old\n\n whsec_new \r\n").unwrap();
    let by_file = format!("[stripe]\nwebhook_secrets_file = {:?}", file.path());
    let by_value = "[stripe]\nwebhook_secrets = [\"whsec_old\", \"whsec_new\"]";
    for given in [by_file.as_str(), by_value] {
        let config = load(given, &[]).unwrap();
        let secrets = config.stripe.given_webhook_secrets().unwrap();
        let texts: Vec<_> = secrets.iter().map(secrecy::ExposeSecret::expose_secret).collect();
        assert_eq!(texts, ["whsec_old", "whsec_new"]);
        assert!(!format!("{config:?} {}", shown(&config)).contains("whsec_"));
    }
    let twice = format!("{by_file}\nwebhook_secrets = [\"whsec_a\"]");
    let expected = "stripe.webhook_secrets: is given twice: keep webhook_secrets or webhook_secrets_file";
    assert_eq!(mistakes(&twice, &[]), expected);
    assert_eq!(load("", &[]).unwrap().stripe.given_webhook_secrets().unwrap().len(), 0, "the webhook is off");
}

#[test]
fn the_password_of_a_store_is_never_shown() {
    let file = "[store]\nurl = \"redis://ann:hush@h\"\n[auth.api_key]\npepper = \"sixteen-or-longer\"";
    let config = load(file, &[]).unwrap();
    assert_eq!(shown(&config)["store"]["url"], "redis://ann:***@h");
    assert!(!format!("{config:?}").contains("hush"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_a_variable_says_there_is_an_answer(
        name in "(STORE|BACKEND|PLANS|PLANS__FREE|LISTEN)(__(URL|URLS|KIND|BURST|SIZE|PUBLIC))?",
        text in "[\\[\\]{}=,a-z0-9\" .]{0,24}|\\{(kind|urls|burst|free) = [\\[{]?(a = )?1?[\\]}]?\\}",
    ) {
        let env = [(format!("{ENVIRONMENT_PREFIX}{name}"), text)];
        if let Err(errors) = Config::load(None, env.into_iter()) {
            prop_assert!(!errors.0.is_empty());
        }
    }
}
