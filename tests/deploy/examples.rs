//! The configurations of `config/examples`: each has no mistake, and serves.

use super::must_succeed;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const SECRETS: [(&str, &str); 3] = [
    ("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", "sixteen characters or more"),
    ("REMBG_GATEWAY__STRIPE__WEBHOOK_SECRETS", "whsec_0123456789abcdef0123456789abcdef"),
    ("REMBG_GATEWAY__BACKEND__API_KEY", "our-key-at-the-backend"),
];

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An example's settings, and what differs on this machine: addresses, folders, certificates.
struct Here {
    folder: tempfile::TempDir,
    example: PathBuf,
    settings: toml::Table,
    redis: Option<(Running, u16)>,
}

impl Here {
    fn new(example: &Path) -> Self {
        let settings: toml::Table = fs::read_to_string(example).unwrap().parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let is_embedded = settings["store"].get("url").is_some();
        let redis = (!is_embedded).then(|| redis(folder.path()));
        Self { folder, example: example.canonicalize().unwrap(), settings, redis }
    }

    fn speaks_tls(&self) -> bool {
        self.settings["listen"].get("tls_cert").is_some()
    }

    fn run(&self, arguments: &[&str]) -> Command {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rembg-gateway"));
        command.current_dir(self.folder.path()).env("REMBG_GATEWAY_CONFIG", &self.example).args(arguments);
        command.env("REMBG_GATEWAY__LISTEN__PUBLIC", "127.0.0.1:0").env("REMBG_GATEWAY__LISTEN__ADMIN", "127.0.0.1:0");
        if self.speaks_tls() {
            command.env("REMBG_GATEWAY__LISTEN__TLS_CERT", at("cert.pem"));
            command.env("REMBG_GATEWAY__LISTEN__TLS_KEY", at("key.pem"));
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
            // The issuer cannot be asked from here, which must not keep anybody from using a key.
            command.env("REMBG_GATEWAY__AUTH__USER_TOKEN__JWKS_URL", "http://127.0.0.1:9/jwks");
        }
        match &self.redis {
            Some((_, port)) => {
                command.envs(SECRETS[..1].iter().copied());
                command.env("REMBG_GATEWAY__STORE__URL", format!("redis://127.0.0.1:{port}"));
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

/// A real server on a free port.
fn redis(folder: &Path) -> (Running, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    command.arg("--dir").arg(folder).args(["--maxmemory-policy", "noeviction"]).stdout(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let patience = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < patience, "redis-server does not start");
        std::thread::yield_now();
    }
    (running, port)
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

fn serves(example: &Path) {
    let here = Here::new(example);
    must_succeed(&mut here.run(&["check"]));
    here.json(&["user", "add", "ann"]);
    let key = here.json(&["key", "create", "ann"])["key"].as_str().unwrap().to_owned();
    let mut command = here.run(&["serve"]);
    command.env("REMBG_GATEWAY__LOG__FORMAT", "json").stderr(Stdio::piped());
    let mut serving = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(serving.0.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let mut before = String::new();
    let addresses: Value = loop {
        let Some(line) = lines.next() else { panic!("{}: {before}", example.display()) };
        if line.contains("\"serving\"") {
            break serde_json::from_str(&line).unwrap();
        }
        before.push_str(&line);
    };
    std::thread::spawn(move || lines.for_each(drop));
    let public: SocketAddr = addresses["public"].as_str().unwrap().parse().unwrap();
    let at = format!("localhost:{}", public.port());
    assert_eq!(ask(&here, &at, "/healthz", None).0, "200");
    assert_eq!(ask(&here, &at, "/api/membership-usage", Some("rk_wrong")).0, "401");
    let (status, usage) = ask(&here, &at, "/api/membership-usage", Some(&key));
    let usage: Value = serde_json::from_str(&usage).unwrap();
    let plan = here.settings["default_plan"].as_str().unwrap();
    assert_eq!((status.as_str(), usage["membership"].as_str()), ("200", Some(plan)), "{usage}");
}

#[test]
fn every_example_has_no_mistake_and_serves() {
    let mut examples: Vec<_> = fs::read_dir("config/examples").unwrap().map(|file| file.unwrap().path()).collect();
    examples.sort();
    assert!(examples.len() >= 5, "{examples:?}");
    std::thread::scope(|scope| examples.iter().for_each(|example| drop(scope.spawn(|| serves(example)))));
}
