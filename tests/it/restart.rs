//! A gateway is replaced by its successor, and no client is refused meanwhile.

use crate::{rawsocket::Raw, world::World};
use rembg_gateway::{app::App, clock::Clock};
use std::{
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::{JoinSet, block_in_place};

/// Holds a listening socket as systemd does, and starts the gateway anew for every line on its standard input.
const HOLDER: &str = r#"
import os, signal, socket, subprocess, sys
held = socket.create_server(("127.0.0.1", 0), backlog=512)
address = "%s:%d" % held.getsockname()
print(address, flush=True)
def start():
    env = dict(os.environ, LISTEN_FDS="1", LISTEN_FDS_FIRST_FD=str(held.fileno()), REMBG_GATEWAY__LISTEN__PUBLIC=address)
    return subprocess.Popen([sys.argv[1], "serve"], env=env, pass_fds=[held.fileno()])
running = start()
for line in sys.stdin:
    running.send_signal(signal.SIGTERM)
    running.wait()
    running = start()
    print("again", flush=True)
running.send_signal(signal.SIGTERM)
sys.exit(running.wait())
"#;

/// Clients that connect anew for every request, until they are told to stop.
struct Crowd {
    clients: JoinSet<()>,
    enough: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    /// Connections that were reset before an answer.
    reset: Arc<AtomicU64>,
}

impl Crowd {
    fn asking(address: SocketAddr) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (served, reset) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut clients = JoinSet::new();
        for _ in 0..8 {
            let (enough, served, reset) = (Arc::clone(&enough), Arc::clone(&served), Arc::clone(&reset));
            clients.spawn(async move {
                while !enough.load(Ordering::Relaxed) {
                    let said = ask(address).await;
                    assert!(said.is_empty() || said.starts_with("HTTP/1.1 200 "), "{said:?}");
                    let count = if said.is_empty() { &reset } else { &served };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { clients, enough, served, reset }
    }

    async fn is_served(&self, more: u64) {
        let until = self.served.load(Ordering::Relaxed) + more;
        let wait = async {
            while self.served.load(Ordering::Relaxed) < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("they are served");
    }

    /// Answers with the number of connections that were reset.
    async fn go_home(mut self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        while let Some(end) = self.clients.join_next().await {
            end.unwrap();
        }
        self.reset.load(Ordering::Relaxed)
    }
}

/// One request on a connection of its own; nothing if the connection was reset. A refused connection is a failure.
async fn ask(address: SocketAddr) -> String {
    match Raw::try_connect(address).await {
        Ok(mut raw) => {
            raw.try_send(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
            raw.rest().await
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => String::new(),
        Err(error) => panic!("{error}"),
    }
}

/// A connection whose handshake the kernel completes between the gateway's last look at the queue and the end of the socket is
/// reset, unless `net.ipv4.tcp_migrate_req` is set (deploy/systemd/README.md). That is at most one for each take-over here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_on_the_same_port_takes_over_and_nobody_is_refused() {
    let mut world = World::with(|config| config.listen.reuse_port = true).await;
    world.config.listen.public = world.app.public;
    let crowd = Crowd::asking(world.app.public);
    crowd.is_served(50).await;
    for _ in 0..3 {
        let successor = App::start(&world.config, Clock::Own).await.unwrap();
        crowd.is_served(50).await;
        std::mem::replace(&mut world.app, successor).stop().await;
        crowd.is_served(50).await;
    }
    let reset = crowd.go_home().await;
    assert!(reset <= 3, "{reset} connections were reset");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_handed_over_outlives_the_gateway_and_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let backend = "http://127.0.0.1:9/rmbg";
    // When its standard input is closed, it ends and ends the gateway, also when the test fails.
    let mut holder = Command::new("python3")
        .args(["-c", HOLDER, env!("CARGO_BIN_EXE_rembg-gateway")])
        .env("REMBG_GATEWAY__STORE__URL", format!("sqlite:{}", folder.path().join("gateway.db").display()))
        .env("REMBG_GATEWAY__LISTEN__ADMIN", "127.0.0.1:0")
        .env("REMBG_GATEWAY__LISTEN__DRAIN_DELAY_S", "0")
        .env("REMBG_GATEWAY__BACKEND__KIND", "rmbg")
        .env("REMBG_GATEWAY__BACKEND__URLS", backend)
        .env("REMBG_GATEWAY__LOG__LEVEL", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut orders = holder.stdin.take().unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let address: SocketAddr = block_in_place(|| lines.next()).unwrap().unwrap().parse().unwrap();
    let crowd = Crowd::asking(address);
    crowd.is_served(50).await;
    for _ in 0..2 {
        orders.write_all(b"restart\n").unwrap();
        block_in_place(|| while lines.next().unwrap().unwrap() != "again" {});
        crowd.is_served(50).await;
    }
    assert_eq!(crowd.go_home().await, 0, "connections were reset");
    drop(orders);
    assert!(block_in_place(|| holder.wait()).unwrap().success(), "and it ends well");
}
