//! The configurations of `config/examples`: each has no mistake, and serves.

use super::must_succeed;
use crate::support::{
    certificate::certify,
    process::{Log, Process},
    programs::GATEWAY,
    redis::Redis,
};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tokio::task::JoinSet;

const SECRETS: [(&str, &str); 3] = [
    ("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", "sixteen characters or more"),
    ("REMBG_GATEWAY__STRIPE__WEBHOOK_SECRETS", "whsec_0123456789abcdef0123456789abcdef"),
    ("REMBG_GATEWAY__BACKEND__API_KEY", "our-key-at-the-backend"),
];

/// An example's settings, and what differs on this machine: addresses, folders, certificates.
struct Here {
    folder: tempfile::TempDir,
    example: PathBuf,
    settings: toml::Table,
    redis: Option<Redis>,
}

impl Here {
    async fn new(example: &Path) -> Self {
        let settings: toml::Table = fs::read_to_string(example).unwrap().parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path(), "cert", &["localhost"]);
        let is_embedded = settings["store"].get("url").is_some();
        let redis = if is_embedded { None } else { Some(Redis::start(&["--appendonly", "yes"]).await) };
        Self { folder, example: example.canonicalize().unwrap(), settings, redis }
    }

    fn speaks_tls(&self) -> bool {
        self.settings["listen"].get("tls_cert").is_some()
    }

    fn run(&self, arguments: &[&str]) -> Command {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new(GATEWAY);
        command.current_dir(self.folder.path()).env("REMBG_GATEWAY_CONFIG", &self.example).args(arguments);
        command.env("REMBG_GATEWAY__LISTEN__PUBLIC", "127.0.0.1:0").env("REMBG_GATEWAY__LISTEN__ADMIN", "127.0.0.1:0");
        if self.speaks_tls() {
            command.env("REMBG_GATEWAY__LISTEN__TLS_CERT", at("cert.pem"));
            command.env("REMBG_GATEWAY__LISTEN__TLS_KEY", at("cert-key.pem"));
        }
        if self.settings.get("stripe").is_some() {
            command.envs(SECRETS[1..2].iter().copied());
        }
        match self.settings["backend"]["kind"].as_str().unwrap() {
            "builtin" => {
                let model = fs::canonicalize(".cache/u2netp.onnx").unwrap();
                command.env("REMBG_GATEWAY__BACKEND__MODEL", model);
            }
            "rmbg" => drop(command.envs(SECRETS[2..].iter().copied())),
            _ => {}
        }
        if self.settings.get("auth").is_some() {
            // The issuer cannot be asked from here, which must not keep a caller from using a key.
            command.env("REMBG_GATEWAY__AUTH__USER_TOKEN__JWKS_URL", "http://127.0.0.1:9/jwks");
        }
        match &self.redis {
            Some(redis) => {
                command.envs(SECRETS[..1].iter().copied());
                command.env("REMBG_GATEWAY__STORE__URL", redis.url());
                command.env("REMBG_GATEWAY__STORE__JOURNAL", at("journal"));
            }
            None => drop(command.env("REMBG_GATEWAY__STORE__URL", format!("sqlite:{}", at("gateway.db")))),
        }
        command
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = must_succeed(self.run(arguments).arg("--json"));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Asks with curl, which takes any certificate here. Answers with the status and the body.
fn ask(here: &Here, at: &str, path: &str, key: Option<&str>) -> (String, String) {
    let scheme = if here.speaks_tls() { "https" } else { "http" };
    let mut curl = Command::new("curl");
    curl.args(["-sk", "-w", "\n%{http_code}", &format!("{scheme}://{at}{path}")]);
    if let Some(key) = key {
        curl.args(["-H", &format!("x-api-key: {key}")]);
    }
    let said = String::from_utf8(must_succeed(&mut curl).stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

async fn serves(example: PathBuf) {
    let here = Here::new(&example).await;
    must_succeed(&mut here.run(&["check"]));
    here.json(&["user", "add", "ann"]);
    let key = here.json(&["key", "create", "ann"])["key"].as_str().unwrap().to_owned();
    let mut command = here.run(&["serve"]);
    command.env("REMBG_GATEWAY__LOG__FORMAT", "json").stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let (serving, _log) = Log::after("\"serving\"", process.0.stderr.take().unwrap());
    let serving = serving.unwrap_or_else(|before| panic!("{}: {before:?}", example.display()));
    let addresses: Value = serde_json::from_str(&serving).unwrap();
    let public: SocketAddr = addresses["public"].as_str().unwrap().parse().unwrap();
    let at = format!("localhost:{}", public.port());
    assert_eq!(ask(&here, &at, "/healthz", None).0, "200");
    assert_eq!(ask(&here, &at, "/api/membership-usage", Some("rk_wrong")).0, "401");
    let (status, usage) = ask(&here, &at, "/api/membership-usage", Some(&key));
    let usage: Value = serde_json::from_str(&usage).unwrap();
    let plan = here.settings["default_plan"].as_str().unwrap();
    assert_eq!((status.as_str(), usage["membership"].as_str()), ("200", Some(plan)), "{usage}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_has_no_mistake_and_serves() {
    let mut examples: Vec<_> = fs::read_dir("config/examples").unwrap().map(|file| file.unwrap().path()).collect();
    examples.sort();
    assert!(examples.len() >= 5, "{examples:?}");
    examples.into_iter().map(serves).collect::<JoinSet<_>>().join_all().await;
}
