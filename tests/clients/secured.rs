//! A gateway with TLS and a certificate that clients are told to trust, and programs that are run against it.

use crate::world::World;
use rembg_gateway::config::Config;
use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;
use tokio::task::block_in_place;

pub struct Secured {
    pub world: World,
    pub folder: TempDir,
}

impl Secured {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["api.rembg.com", "www.rembg.com", "localhost"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let world = World::with(|config| {
            config.listen.tls_cert = Some(folder.path().join("cert.pem"));
            config.listen.tls_key = Some(folder.path().join("key.pem"));
            change(config);
        })
        .await;
        Self { world, folder }
    }

    pub fn port(&self) -> u16 {
        self.world.app.public.port()
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port())
    }

    pub async fn key(&self, uid: &str, credits: u64) -> String {
        self.world.customer(uid, credits).await.headers[0].1.clone()
    }

    /// A file in the folder.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn node(&self, script: &str) -> Command {
        let mut command = self.command("node");
        command
            .env("NODE_PATH", installed(".cache/clients/node_modules"))
            .env("GATEWAY_PORT", self.port().to_string())
            .arg("--require")
            .arg(in_repository("tests/clients/redirect.cjs"))
            .arg(in_repository("tests/clients").join(script));
        command
    }

    pub fn python(&self, script: &str) -> Command {
        let mut command = self.command(installed(".cache/venv/bin/python3"));
        command.arg(in_repository("tests/clients").join(script));
        command
    }

    /// A program that trusts the certificate and knows of no proxy.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let certificate = self.folder.path().join("cert.pem");
        let mut command = Command::new(program);
        for variable in ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            command.env(variable, &certificate);
        }
        for variable in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(variable);
        }
        command
    }
}

/// Runs it, with something on its standard input; what it said, once it has ended well.
pub fn output(command: &mut Command, input: &str) -> String {
    block_in_place(|| {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/tools.sh"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}: {}: {complained} {said}", output.status);
        said.into_owned()
    })
}

pub fn installed(path: &str) -> PathBuf {
    let path = in_repository(path);
    assert!(path.exists(), "{} is not there; run tests/tools.sh", path.display());
    path
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
