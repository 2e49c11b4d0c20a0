//! The binary as a process: its folder, its configuration, its addresses.

use super::{
    backend::StubBackend,
    people::Person,
    process::{Log, Process},
    programs::GATEWAY,
};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// A folder with a configuration, in which the binary is run.
pub struct Installation {
    folder: TempDir,
    pub backend: StubBackend,
}

/// A gateway that serves. Killed when dropped.
pub struct Serving {
    pub process: Process,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub log: Log,
}

impl Installation {
    pub async fn new() -> Self {
        let (folder, backend) = (tempfile::tempdir().unwrap(), StubBackend::start().await);
        let settings = format!(
            r#"
            default_plan = "Test"
            listen = {{ public = "127.0.0.1:0", admin = "127.0.0.1:0", drain_delay_s = 0 }}
            backend = {{ kind = "rmbg", urls = ["{}"], concurrency = 64, timeout_s = 2 }}
            limits = {{ upload_timeout_s = 2 }}
            plans.Test = {{ credits = 1000, burst = {{ per_minute = 60000, size = 10000 }} }}
            log = {{ format = "json" }}
            "#,
            backend.url()
        );
        fs::write(folder.path().join("gateway.toml"), settings).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder, backend }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder for temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Adds a line to the configuration.
    pub fn set(&self, line: &str) {
        let path = self.folder.path().join("gateway.toml");
        let settings = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{settings}\n{line}\n")).unwrap();
    }

    /// Replaces a part of the configuration.
    pub fn change(&self, from: &str, to: &str) {
        let path = self.folder.path().join("gateway.toml");
        let settings = fs::read_to_string(&path).unwrap();
        assert!(settings.contains(from), "{from} is not in {settings}");
        fs::write(path, settings.replace(from, to)).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(GATEWAY);
        command
            .current_dir(self.folder.path())
            .env("TMPDIR", self.temporary())
            .env("REMBG_GATEWAY_CONFIG", "gateway.toml");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that has to succeed, with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// An account with so many credits, and its key.
    pub fn customer(&self, uid: &str, credits: u64) -> String {
        self.json(&["user", "add", uid, "--credits", &credits.to_string()]);
        self.json(&["key", "create", uid])["key"].as_str().unwrap().to_owned()
    }

    pub fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    /// The same with variables in its environment.
    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Serving {
        let mut command = self.command();
        command.envs(environment.iter().copied()).arg("serve");
        Self::started(command)
    }

    /// The same, started by a shell with this script.
    pub fn serve_under(&self, script: &str) -> Serving {
        let mut command = Command::new("bash");
        command
            .current_dir(self.folder.path())
            .env("TMPDIR", self.temporary())
            .env("REMBG_GATEWAY_CONFIG", "gateway.toml")
            .args(["-c", script, "bash", GATEWAY, "serve"]);
        Self::started(command)
    }

    fn started(mut command: Command) -> Serving {
        command.stderr(Stdio::piped());
        let mut process = Process(command.spawn().unwrap());
        let (serving, log) = Log::after("serving", process.0.stderr.take().unwrap());
        let serving = serving.expect("the gateway serves");
        let address = |name: &str| address_in(&serving, name).parse().unwrap();
        Serving { process, public: address("public"), admin: address("admin"), log }
    }
}

/// An address in the line with which a gateway begins to serve, in either form.
fn address_in(line: &str, name: &str) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(line) => line[name].as_str().unwrap().to_owned(),
        Err(_) => line.split(&format!(" {name}=")).nth(1).unwrap().split(' ').next().unwrap().to_owned(),
    }
}

impl Serving {
    /// The lines that it has logged since it serves; more may have been written.
    pub fn said(&self) -> Vec<String> {
        self.log.lines()
    }

    /// The value of one metric line, by its start.
    pub async fn metric(&self, line: &str) -> f64 {
        Person::stranger(self.admin).metric(line).await
    }

    pub fn person(&self, key: &str) -> Person {
        Person::with_key(self.public, key)
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until no connection is accepted any more.
    pub async fn accepts_no_more(&self) {
        for _ in 0..200 {
            if TcpStream::connect(self.public).await.is_err() {
                return;
            }
            // The queue must be empty for less than this, or these connections would keep it open.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it goes on accepting");
    }

    /// The exit code, once the process has ended.
    pub async fn exit_code(mut self) -> Option<i32> {
        tokio::task::spawn_blocking(move || self.process.0.wait().unwrap().code()).await.unwrap()
    }

    /// `kill -9`
    pub fn kill(mut self) {
        self.process.kill();
    }
}
