//! A gateway with TLS and a certificate that clients are told to trust, and programs that are run against it.

pub use crate::support::programs::output;
use crate::{
    support::{
        certificate::certify,
        programs::{in_repository, installed, program},
    },
    world::World,
};
use rembg_gateway::config::Config;
use std::{ffi::OsStr, fs, path::PathBuf, process::Command};
use tempfile::TempDir;

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
        let made = certify(folder.path(), "cert", &["api.rembg.com", "www.rembg.com", "api.remove.bg", "localhost"]);
        let world = World::with(|config| {
            config.listen.tls_cert = Some(made.file);
            config.listen.tls_key = Some(made.key_file);
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
    pub fn command(&self, name: impl AsRef<OsStr>) -> Command {
        let certificate = self.folder.path().join("cert.pem");
        let mut command = program(name);
        for variable in ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            command.env(variable, &certificate);
        }
        command
    }
}
