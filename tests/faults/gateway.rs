//! Gateways: processes as operators run them, one that is made to die somewhere, one in this process by a clock of the test's.

use crate::{backend::StubBackend, servers::Process};
use rembg_gateway::{app::App, clock::Clock, config::Config, failpoint::Point};
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

/// What keys are hashed with in these tests.
pub(crate) const PEPPER: &str = "a pepper for fault tests only";

/// How a process ends that aborts.
const SIGABRT: i32 = 6;

/// A gateway that serves.
pub(crate) struct Gateway {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    running: Running,
}

enum Running {
    Process(Process),
    Here(App),
}

impl Gateway {
    /// A process; it dies the nth time that it comes to a point, if one is given.
    pub(crate) fn start(folder: &Path, url: &str, backend: &StubBackend, dies: Option<(Point, u64)>) -> Self {
        let dies = dies.map(|(point, time)| ("REMBG_GATEWAY_TEST_DIE_AT", format!("{}:{time}", point.name())));
        let mut child = Command::new(env!("CARGO_BIN_EXE_rembg-gateway"))
            .arg("serve")
            .current_dir(folder)
            .envs(settings(folder, url, backend))
            .envs(dies)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let process = Process(child);
        let serving = lines.find(|line| line.contains("\"serving\""));
        let serving: serde_json::Value = serde_json::from_str(&serving.expect("the gateway serves")).unwrap();
        let address = |name: &str| serving[name].as_str().unwrap().parse().unwrap();
        let (public, admin) = (address("public"), address("admin"));
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let written = Arc::clone(&log);
        // Whoever writes a log must find a reader.
        std::thread::spawn(move || lines.for_each(|line| written.lock().unwrap().push(line)));
        Self { public, admin, log, running: Running::Process(process) }
    }

    /// One in this process.
    pub(crate) async fn here(folder: &Path, url: &str, backend: &StubBackend, clock: Clock) -> Self {
        let settings = settings(folder, url, backend).into_iter().map(|(name, value)| (name.to_owned(), value));
        let app = App::start(&Config::load(None, settings).unwrap(), clock).await.unwrap();
        Self { public: app.public, admin: app.admin, log: Arc::default(), running: Running::Here(app) }
    }

    pub(crate) fn kill(&mut self) {
        match &mut self.running {
            Running::Process(process) => process.kill(),
            Running::Here(_) => panic!("a gateway in this process cannot be killed"),
        }
    }

    /// Whether it has died as it was made to.
    pub(crate) fn has_died(&mut self) -> bool {
        let Running::Process(process) = &mut self.running else { return false };
        let Some(status) = process.0.try_wait().unwrap() else { return false };
        assert_eq!(status.signal(), Some(SIGABRT), "{status}");
        true
    }

    /// How many lines of its log have these words.
    pub(crate) fn said(&self, words: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }

    pub(crate) async fn stop(self) {
        match self.running {
            Running::Process(process) => drop(process),
            Running::Here(app) => app.stop().await,
        }
    }
}

fn settings(folder: &Path, url: &str, backend: &StubBackend) -> Vec<(&'static str, String)> {
    vec![
        ("REMBG_GATEWAY__LISTEN__PUBLIC", "127.0.0.1:0".into()),
        ("REMBG_GATEWAY__LISTEN__ADMIN", "127.0.0.1:0".into()),
        ("REMBG_GATEWAY__STORE__URL", url.into()),
        ("REMBG_GATEWAY__STORE__JOURNAL", folder.join("journal").to_str().unwrap().into()),
        ("REMBG_GATEWAY__AUTH__API_KEY__PEPPER", PEPPER.into()),
        ("REMBG_GATEWAY__BACKEND__KIND", "rmbg".into()),
        ("REMBG_GATEWAY__BACKEND__URLS", backend.url()),
        ("REMBG_GATEWAY__BACKEND__CONCURRENCY", "64".into()),
        ("REMBG_GATEWAY__BACKEND__TIMEOUT_S", "20".into()),
        ("REMBG_GATEWAY__LIMITS__UPLOAD_TIMEOUT_S", "5".into()),
        ("REMBG_GATEWAY__PLANS__FREE", "{credits = 1, burst = {per_minute = 60000, size = 60000}}".into()),
        ("REMBG_GATEWAY__LOG__FORMAT", "json".into()),
    ]
}
