//! Downloads over real sockets on loopback, from servers that do as they are told and names that lead where a test wants.

mod bodies;
mod failures;
mod reach;
mod redirects;
mod tls;
mod slots;

use super::*;
use crate::domain::account::Uid;
use async_trait::async_trait;
use rustls::ServerConfig;
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
    time::interval,
};
use tokio_rustls::TlsAcceptor;

const PICTURE: &[u8] = b"a picture's bytes";
/// Longer than any test takes: for what must not depend on time.
const LONG: Duration = Duration::from_mins(2);

/// What a server does with a request once its head is there.
#[derive(Clone)]
enum Manner {
    /// Sends this and closes.
    Send(Vec<u8>),
    /// Sends this and leaves the connection open until the other side closes it.
    SendAndHang(Vec<u8>),
    /// Sends the first, and then the second as often as it is taken, at most this often in a second.
    SendAndRepeat(Vec<u8>, Vec<u8>, u32),
}

fn answer(head: &str, body: &[u8]) -> Manner {
    Manner::Send([head.as_bytes(), b"\r\n\r\n", body].concat())
}

fn picture() -> Manner {
    answer(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}", PICTURE.len()), PICTURE)
}

fn redirect(location: &str) -> Manner {
    answer(&format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0"), b"")
}

type Manners = Box<dyn Fn(&str) -> Manner + Send + Sync>;

/// A server on loopback.
struct Server {
    address: SocketAddr,
    seen: Arc<ServerState>,
}

struct ServerState {
    manners: Manners,
    /// Connections so far, and those that the other side has closed.
    accepted: AtomicUsize,
    closed: watch::Sender<usize>,
    /// The requests' heads.
    heads: watch::Sender<Vec<String>>,
}

impl Server {
    async fn start(manners: impl Fn(&str) -> Manner + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", None, manners).await
    }

    /// `manners` is asked with the path of each request.
    async fn at(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        manners: impl Fn(&str) -> Manner + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(ServerState {
            manners: Box::new(manners),
            accepted: AtomicUsize::new(0),
            closed: watch::Sender::new(0),
            heads: watch::Sender::new(Vec::new()),
        });
        let serving = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serving.accepted.fetch_add(1, Ordering::SeqCst);
                let (seen, tls) = (Arc::clone(&serving), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        // Whoever does not trust us is no concern of ours.
                        Some(tls) => {
                            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                                seen.serve(stream).await;
                            }
                        }
                        None => seen.serve(stream).await,
                    }
                });
            }
        });
        Self { address, seen }
    }

    fn url(&self, host: &str, path: &str) -> PictureUrl {
        PictureUrl::parse(&format!("http://{host}:{}{path}", self.address.port())).unwrap()
    }

    fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    fn heads(&self) -> Vec<String> {
        self.seen.heads.borrow().clone()
    }

    async fn was_left(&self, connections: usize) {
        self.seen.closed.subscribe().wait_for(|closed| *closed >= connections).await.unwrap();
    }
}

impl ServerState {
    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let manner = (self.manners)(head.split(' ').nth(1).unwrap());
        self.heads.send_modify(|heads| heads.push(head));
        match manner {
            Manner::Send(bytes) => {
                // It may have left already, here and below.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Manner::SendAndHang(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                let _ = stream.read_u8().await;
            }
            Manner::SendAndRepeat(first, again, a_second) => {
                let mut ticks = interval(Duration::from_secs(1) / a_second);
                let mut sent = stream.write_all(&first).await;
                while sent.is_ok() {
                    ticks.tick().await;
                    sent = stream.write_all(&again).await;
                }
            }
        }
        self.closed.send_modify(|closed| *closed += 1);
    }
}

/// Names with their addresses: each look-up takes the next answer, and the last one stays.
#[derive(Debug, Default)]
struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn of(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let answers = names.iter().map(|(name, lists)| ((*name).to_owned(), lists.iter().map(addresses).collect()));
        Arc::new(Self { answers: Mutex::new(answers.collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Resolver for Names {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let lists = answers.get_mut(name.trim_end_matches('.')).ok_or_else(|| io::Error::other("no such name"))?;
        Ok(if lists.len() > 1 { lists.remove(0) } else { lists[0].clone() })
    }
}

/// Fetches from these networks, and tells failures at once.
fn fetcher(networks: &[&str], names: &Arc<Names>) -> Fetcher {
    let allow_networks = networks.iter().map(|text| text.parse().unwrap()).collect();
    let config = UrlConfig { enabled: true, allow_networks, ca_file: None };
    let rate = TransferRate { grace: LONG, bytes_per_second: 16 << 10 };
    let resolver: Arc<dyn Resolver> = Arc::<Names>::clone(names);
    let fetcher = Fetcher::set_up(&config, rate, Vec::new(), resolver).unwrap().unwrap();
    Fetcher { told_every: Duration::ZERO, ..fetcher }
}

/// Fetches from all of loopback, where every name but `store.test` is unknown.
fn on_loopback() -> Fetcher {
    fetcher(&["127.0.0.0/8"], &Names::of(&[("store.test", &[&["127.0.0.1"]])]))
}

fn payer(uid: &str) -> Payer {
    Payer::Account(Uid::new(uid).unwrap())
}

async fn fetch(fetcher: &Fetcher, url: &PictureUrl) -> Result<Download, NotFetched> {
    fetcher.fetch(&payer("ann"), url, Instant::now() + LONG).await
}

async fn fetch_whole(fetcher: &Fetcher, url: &PictureUrl) -> Result<Vec<u8>, NotFetched> {
    let (mut download, mut whole) = (fetch(fetcher, url).await?, Vec::new());
    while let Some(bytes) = download.next().await? {
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

/// Why it was not fetched. It is the one failure that callers may see, whatever the cause.
fn cause<T>(outcome: Result<T, NotFetched>) -> Cause {
    match outcome {
        Ok(_) => panic!("it was fetched"),
        Err(NotFetched::TooLarge) => panic!("too large"),
        Err(NotFetched::Failed { cause, .. }) => cause,
    }
}

#[test]
fn nothing_is_fetched_unless_it_is_turned_on() {
    let rate = TransferRate { grace: LONG, bytes_per_second: 1 };
    let off = Fetcher::set_up(&UrlConfig::default(), rate, Vec::new(), Arc::new(SystemResolver::default()));
    assert!(off.unwrap().is_none());
}

#[tokio::test]
async fn a_picture_comes_whole_and_only_what_a_server_must_know_is_sent() {
    let server = Server::start(|_| picture()).await;
    let fetched = fetch_whole(&on_loopback(), &server.url("store.test", "/a%20b.png?x=%31#part")).await;
    assert_eq!(fetched.unwrap(), PICTURE);
    let expected = format!(
        "GET /a%20b.png?x=%31 HTTP/1.1\r\nhost: store.test:{}\r\naccept: image/png, image/jpeg, image/webp, image/bmp, \
         */*;q=0.1\r\naccept-encoding: identity\r\nuser-agent: rembg-gateway\r\nconnection: close\r\n\r\n",
        server.address.port()
    );
    assert_eq!(server.heads(), [expected]);
}

#[tokio::test]
async fn the_machines_resolver_knows_this_machine() {
    let found = SystemResolver::default().look_up("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
}
