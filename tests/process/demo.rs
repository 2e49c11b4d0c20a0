//! `make run`, once all is built, prints commands that can be pasted.

use crate::support::{
    backend::{PICTURE, StubBackend},
    process::{Log, Process},
    programs::{GATEWAY, in_repository},
};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Stdio},
};

/// A gateway that the script has started. Killed when dropped.
struct Demo {
    _process: Process,
    /// Everything that the script has printed.
    words: String,
}

impl Demo {
    /// The script in a folder of its own, with addresses and a backend from the environment.
    fn start(folder: &Path, listen: [SocketAddr; 2], backend: &StubBackend) -> Self {
        let child = Command::new("bash")
            .arg(folder.join("deploy/demo.sh"))
            .arg(GATEWAY)
            .env("REMBG_GATEWAY__LISTEN__PUBLIC", listen[0].to_string())
            .env("REMBG_GATEWAY__LISTEN__ADMIN", listen[1].to_string())
            .env("REMBG_GATEWAY__BACKEND__KIND", "rmbg")
            .env("REMBG_GATEWAY__BACKEND__URLS", backend.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut process = Process(child);
        let (serving, _log) = Log::after(" serving ", process.0.stderr.take().unwrap());
        serving.expect("the gateway serves");
        let printed = BufReader::new(process.0.stdout.take().unwrap()).lines().map(|line| line.unwrap() + "\n");
        let words = printed.take_while(|line| !line.contains("Stop with Ctrl-C")).collect();
        Self { _process: process, words }
    }

    /// The command that cuts out the sample picture, as it is printed.
    fn curl(&self) -> &str {
        let start = self.words.find("curl ").unwrap();
        let end = self.words.find("-o cutout.png").unwrap() + "-o cutout.png".len();
        &self.words[start..end]
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

/// Runs a pasted command.
fn paste(command: &str, folder: &Path) {
    let output = Command::new("bash").arg("-c").arg(command).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_line_that_it_prints_works_as_pasted_wherever_it_listens() {
    let (folder, backend) = (tempfile::tempdir().unwrap(), StubBackend::start().await);
    let folder = folder.path();
    fs::create_dir_all(folder.join("deploy/sample")).unwrap();
    for file in ["deploy/demo.sh", "deploy/sample/mug.jpg"] {
        fs::copy(in_repository(file), folder.join(file)).unwrap();
    }
    let listen = [free_address(), free_address()];
    let demo = Demo::start(folder, listen, &backend);
    paste(demo.curl(), folder);
    assert_eq!(fs::read(folder.join("cutout.png")).unwrap(), PICTURE);
    assert!(demo.words.contains(&format!("http://{}/metrics", listen[1])), "{}", demo.words);
    for path in ["/", "/docs", "/usage"] {
        let address = format!("http://{}{path}", listen[0]);
        assert!(demo.words.split_whitespace().any(|word| word == address), "{}", demo.words);
        paste(&format!("curl -fsS {address} | grep -q '<html lang='"), folder);
    }
    let first = demo.words.clone();
    drop(demo);

    let again = Demo::start(folder, listen, &backend);
    assert_eq!(again.words, first, "the account and its key are made on the first start only");
    paste(again.curl(), folder);
    assert_eq!(backend.seen().len(), 2);
}
