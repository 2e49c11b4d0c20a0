//! A backend that speaks `POST /rmbg` on a socket, does as it is told, and remembers what it saw.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

/// The backend's behaviour towards each request.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Answers at once.
    Answer { status: u16, content_type: &'static str, body: Vec<u8> },
    /// Answers at once, and closes the connection without having said so.
    AnswerAndClose,
    /// Answers, and closes the connection so long after it, whatever has been sent on it by then.
    AnswerAndCloseAfter(Duration),
    /// Treats each request in one of these ways, in no order that the gateway could know.
    AnyOf(Vec<Manner>),
    /// Answers, but only once [`StubBackend::let_one_go`] has been called for it.
    Wait,
    /// Answers after a while.
    Slow(Duration),
    /// Answers byte by byte.
    Trickle,
    /// Answers exactly this, head and all.
    Raw(Vec<u8>),
    /// Does as the first of these says whose text is in the request, and serves any other.
    Where(Vec<(&'static str, Manner)>),
    /// Reads the request and never answers.
    Hang,
    /// Closes the connection without a word.
    Close,
    /// The same, as soon as the request's head is there.
    CloseEarly,
    /// Reads the beginning of the request, no more of it, and never answers.
    Stall,
    /// Sends the head and half of the body, then resets the connection.
    HalfAnAnswer,
    /// Sends a head that does not say how long the body is, some of it, and ends.
    Unframed,
    /// Sends something that is no HTTP.
    Garbage,
}

impl Manner {
    pub fn picture() -> Self {
        Self::Answer { status: 200, content_type: "image/webp", body: PICTURE.to_vec() }
    }

    /// An answer with these headers, written as on the wire.
    pub fn says(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\n\r\n", body.len());
        Self::Raw([head.as_bytes(), body].concat())
    }

    /// An error in the contract's form, with these headers.
    pub fn refuses(status: u16, error: &str, headers: &str) -> Self {
        let body = serde_json::json!({"error": error, "status": status}).to_string();
        Self::says(status, &format!("content-type: application/json\r\n{headers}"), body)
    }

    /// The behaviour towards this request.
    fn towards(self, request: &Received) -> Self {
        let Self::Where(manners) = self else { return self };
        let is_in_it = |text: &str| request.head.contains(text) || request.contains(text.as_bytes());
        manners.into_iter().find(|(text, _)| is_in_it(text)).map_or_else(Self::picture, |(_, manner)| manner)
    }
}

/// The backend's answer unless it is told otherwise.
pub const PICTURE: &[u8] = b"RIFF....WEBP a picture without its background";

/// One request as the backend saw it.
#[derive(Clone, Debug)]
pub struct Received {
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn contains(&self, bytes: &[u8]) -> bool {
        self.body.windows(bytes.len()).any(|window| window == bytes)
    }
}

#[derive(Clone)]
pub struct StubBackend {
    pub address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    seen: Arc<Mutex<Vec<Received>>>,
    count: watch::Sender<usize>,
    connections: Arc<Mutex<usize>>,
    /// Connections that are open.
    open: watch::Sender<usize>,
    checks: Arc<Mutex<Vec<String>>>,
    tells: Arc<Mutex<Option<Manner>>>,
    turns: Arc<Semaphore>,
    /// Counts requests, and connections that ended without one.
    turn: Arc<AtomicUsize>,
}

impl StubBackend {
    pub async fn start() -> Self {
        Self::behind(None).await
    }

    /// One that is reached by TLS.
    pub async fn with_tls(tls: TlsAcceptor) -> Self {
        Self::behind(Some(tls)).await
    }

    async fn behind(tls: Option<TlsAcceptor>) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stub = Self {
            address: socket.local_addr().unwrap(),
            manner: Arc::new(Mutex::new(Manner::picture())),
            seen: Arc::default(),
            count: watch::channel(0).0,
            connections: Arc::default(),
            open: watch::channel(0).0,
            checks: Arc::default(),
            tells: Arc::default(),
            turns: Arc::new(Semaphore::new(0)),
            turn: Arc::default(),
        };
        let accepting = stub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (stub, tls) = (accepting.clone(), tls.clone());
                stub.open.send_modify(|open| *open += 1);
                tokio::spawn(async move {
                    let open = stub.open.clone();
                    match tls {
                        None => stub.converse(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                stub.converse(stream).await;
                            }
                        }
                    }
                    open.send_modify(|open| *open -= 1);
                });
            }
        });
        stub
    }

    pub fn url(&self) -> String {
        format!("http://{}/rmbg", self.address)
    }

    pub fn will(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Makes it answer like this to anything but pictures.
    pub fn will_tell(&self, manner: Manner) {
        *self.tells.lock().unwrap() = Some(manner);
    }

    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }

    /// The heads of the health checks so far.
    pub fn checks(&self) -> Vec<String> {
        self.checks.lock().unwrap().clone()
    }

    /// Connections on which pictures were sent.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    /// Waits until this many whole requests have arrived.
    pub async fn has_seen(&self, requests: usize) {
        let mut count = self.count.subscribe();
        let wait = count.wait_for(|seen| *seen >= requests);
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the backend was asked").unwrap();
    }

    /// Waits until no connection is open.
    pub async fn has_closed_all(&self) {
        let mut open = self.open.subscribe();
        let wait = open.wait_for(|open| *open == 0);
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("every connection was closed").unwrap();
    }

    pub fn let_one_go(&self) {
        self.turns.add_permits(1);
    }

    async fn converse(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut buffer = Vec::new();
        let mut counted = false;
        loop {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            if matches!(self.manner_at(turn), Manner::CloseEarly) {
                let _ = stream.read_buf(&mut buffer).await;
                return;
            }
            if matches!(self.manner_at(turn), Manner::Stall) {
                let _ = stream.read_buf(&mut buffer).await;
                return std::future::pending().await;
            }
            let Some(seen) = read_request(&mut stream, &mut buffer).await else { return };
            let manner = self.manner_at(turn);
            if seen.head.starts_with("GET ") {
                self.checks.lock().unwrap().push(seen.head.clone());
                let tells = self.tells.lock().unwrap().clone();
                match tells {
                    Some(manner) => drop(self.act(&mut stream, manner.towards(&seen)).await),
                    None => self.be_checked(&mut stream, manner).await,
                }
                return;
            }
            *self.connections.lock().unwrap() += usize::from(!counted);
            counted = true;
            let manner = manner.towards(&seen);
            self.seen.lock().unwrap().push(seen);
            self.count.send_modify(|count| *count += 1);
            if !self.act(&mut stream, manner).await {
                return;
            }
        }
    }

    fn manner_at(&self, turn: usize) -> Manner {
        let manner = self.manner.lock().unwrap().clone();
        let Manner::AnyOf(manners) = manner else { return manner };
        let chance = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        manners[chance % manners.len()].clone()
    }

    /// A health check sees whether the backend answers, and nothing of how pictures are treated.
    async fn be_checked(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), manner: Manner) {
        if matches!(manner, Manner::Hang | Manner::Close) {
            self.act(stream, manner).await;
        } else {
            answer(stream, 404, "text/plain", b"nothing here").await;
        }
    }

    /// Whether the connection goes on.
    async fn act(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), manner: Manner) -> bool {
        match manner {
            Manner::Answer { status, content_type, body } => answer(stream, status, content_type, &body).await,
            Manner::AnswerAndClose => {
                answer(stream, 200, "image/webp", PICTURE).await;
                false
            }
            Manner::AnswerAndCloseAfter(time) => {
                answer(stream, 200, "image/webp", PICTURE).await;
                tokio::time::sleep(time).await;
                false
            }
            Manner::Wait => {
                self.turns.acquire().await.unwrap().forget();
                answer(stream, 200, "image/webp", PICTURE).await
            }
            Manner::Slow(time) => {
                tokio::time::sleep(time).await;
                answer(stream, 200, "image/webp", PICTURE).await
            }
            Manner::Trickle => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PICTURE.len());
                for byte in head.as_bytes().iter().chain(PICTURE) {
                    if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                        return false;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                true
            }
            Manner::Raw(bytes) => stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok(),
            Manner::Where(_) | Manner::AnyOf(_) => unreachable!("one of them was chosen"),
            Manner::Hang | Manner::Stall => {
                // Until the other side gives up.
                let _ = stream.read(&mut [0; 1]).await;
                false
            }
            Manner::Close | Manner::CloseEarly => false,
            Manner::HalfAnAnswer => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: image/webp\r\ncontent-length: 1000\r\n\r\nhalf of it";
                let _ = stream.write_all(head.as_bytes()).await;
                false
            }
            Manner::Unframed => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: image/webp\r\n\r\nhalf of it").await;
                false
            }
            Manner::Garbage => {
                let _ = stream.write_all(b"\x00\x01 this is no HTTP at all\r\n\r\n").await;
                false
            }
        }
    }
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), status: u16, content_type: &str, body: &[u8]) -> bool {
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nset-cookie: no=1\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.is_ok()
        && stream.write_all(body).await.is_ok()
        && stream.flush().await.is_ok()
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Received> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let length: usize = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[head_end..head_end + length].to_vec();
    buffer.drain(..head_end + length);
    Some(Received { head, body })
}
