//! A listening socket, and the limits on its connections.

mod connection;
mod counted_body;
mod frames;
mod open_requests;
mod per_client;
mod proxy_protocol;
mod sockets;
mod tls;
mod watched;
mod workers;

pub use sockets::{Socket, Sockets};
pub use tls::{CertificateError, Pair, Tls};
pub use workers::Workers;

use super::routes::Routes;
use crate::{
    domain::{network::Network, transfer::TransferRate},
    telemetry::{ConnectionMetrics, flood},
};
use arc_swap::ArcSwap;
use connection::ConnectionHandler;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use per_client::PerClient;
use sockets::BACKLOG;
use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Level, warn};

/// The pause after an error of accept, such as a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// At a stop, the kernel's queue counts as empty if no connection has come for this long.
const QUEUE_EMPTY: Duration = Duration::from_millis(20);

/// The longest time for which a stop accepts connections from the kernel's queue.
const LONGEST_SWEEP: Duration = Duration::from_secs(1);

/// The bounds on HTTP/1 heads. A larger one is answered 431. The buffer is also the most that is read at once.
const HTTP1_HEADERS: usize = 64;
const HTTP1_BUFFER: usize = 64 * 1024;

/// The bounds on HTTP/2 for each connection: requests at once, a request's headers, bytes that a client may send before
/// they are read, bytes that wait to be sent, and streams that the client has reset before they are accepted. Streams that
/// it resets later are counted with the open requests.
const HTTP2_STREAMS: u32 = 64;
const HTTP2_HEADERS: u32 = 32 * 1024;
const HTTP2_WINDOW: u32 = 512 * 1024;
const HTTP2_SEND_BUFFER: usize = 64 * 1024;
const HTTP2_RESETS: usize = 20;

/// What requests are served by. A reload of the configuration replaces all of it at once, and a request keeps the one that it
/// began with.
pub struct Snapshot {
    /// The routes, with everything that they serve by.
    pub routes: Routes,
    /// Peers whose connections the limit for one client does not count.
    pub uncounted: Vec<Network>,
    /// The longest time from a request's head to its answer's. It is longer than any request may take by its own limits.
    pub request_timeout: Duration,
    /// The least rate at which a client must read its answers.
    pub transfer_rate: TransferRate,
    /// How long a stop waits for requests that have not ended.
    pub grace: Duration,
}

/// The snapshot in force.
pub type Live = Arc<ArcSwap<Snapshot>>;

/// The limits of connections.
#[derive(Clone, Debug)]
pub struct ConnectionRules {
    /// The most connections at once. More wait in the kernel's queue.
    pub connections: usize,
    /// The most connections at once from one client. More are closed.
    pub connections_per_client: usize,
    /// Peers that begin every connection with a PROXY protocol header.
    pub proxy_protocol_from: Vec<Network>,
    /// The time for each handshake, for the first request to begin, and for any request's head from its first byte.
    pub head_timeout: Duration,
    /// The longest pause between two requests.
    pub idle_timeout: Duration,
}

/// The rules, and the counts of the open connections. Several listeners may share them.
pub struct ConnectionLimits {
    rules: ConnectionRules,
    server: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
    clients: PerClient,
    metrics: ConnectionMetrics,
}

impl ConnectionLimits {
    /// Limits with no connection counted yet.
    #[must_use]
    pub fn new(rules: ConnectionRules, metrics: ConnectionMetrics) -> Arc<Self> {
        let server = server(&rules);
        let slots = Arc::new(Semaphore::new(rules.connections));
        Arc::new(Self { server, slots, clients: PerClient::new(rules.connections_per_client), rules, metrics })
    }
}

/// An accepted connection, known to no runtime yet, and its slot. The last connections before a stop have none.
type Accepted = (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>);

/// A socket, and the limits on its connections.
pub struct Listener {
    socket: Socket,
    limits: Arc<ConnectionLimits>,
    tls: Option<Arc<Tls>>,
    workers: Arc<Workers>,
}

impl Listener {
    /// A listener that does not serve yet. It uses TLS if there is a certificate, and spreads its connections over the workers.
    #[must_use]
    pub fn new(socket: Socket, limits: Arc<ConnectionLimits>, tls: Option<Arc<Tls>>, workers: Arc<Workers>) -> Self {
        Self { socket, limits, tls, workers }
    }

    /// The address of the socket.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.accepting.local_addr()
    }

    /// Serves until `stop`. Then accepts no more, and waits for requests that have not ended, up to the snapshot's grace.
    pub async fn serve(self, live: Live, stop: CancellationToken) {
        let handler = Arc::new(ConnectionHandler {
            limits: Arc::clone(&self.limits),
            tls: self.tls.clone(),
            live: Arc::clone(&live),
            stop: stop.clone(),
        });
        let (connections, workers) = (TaskTracker::new(), Arc::clone(&self.workers));
        let start = |(stream, address, slot)| {
            let handler = Arc::clone(&handler);
            let Some((worker, counted)) = workers.least_busy() else { return };
            let served = async move {
                handler.receive(stream, address).await;
                drop((slot, counted));
            };
            connections.spawn_on(served, worker);
        };
        while let Some(accepted) = stop.run_until_cancelled(self.next()).await {
            start(accepted);
        }
        self.close(start).await;
        connections.close();
        let grace = live.load().grace;
        if timeout(grace, connections.wait()).await.is_err() && !grace.is_zero() {
            warn!("some requests did not end within {} s and are cut off", grace.as_secs());
        }
    }

    /// Closes the socket, which resets every connection in the kernel's queue. As the clients of those connections have
    /// been told that they are connected, as many as possible are accepted before. An inherited socket stays open
    /// elsewhere, and keeps its queue.
    async fn close(self, start: impl Fn(Accepted)) {
        if self.socket.inherited {
            return;
        }
        let end = Instant::now() + LONGEST_SWEEP;
        while let Ok(Ok(accepted)) = timeout_at(end, timeout(QUEUE_EMPTY, self.next())).await {
            start(accepted);
        }
        // The last connections are accepted without waiting for slots, and immediately before the socket is closed.
        let Ok(socket) = self.socket.accepting.into_std() else { return };
        for _ in 0..BACKLOG {
            let Ok((stream, address)) = socket.accept() else { break };
            if stream.set_nonblocking(true).is_ok() {
                start((stream, address, None));
            }
        }
    }

    /// Accepts the next connection, once there is a slot for it.
    async fn next(&self) -> Accepted {
        // The semaphore is never closed, so this waits for a slot and never fails.
        let slot = Arc::clone(&self.limits.slots).acquire_owned().await.ok();
        loop {
            let accepted = self.socket.accepting.accept().await;
            match accepted.and_then(|(stream, address)| Ok((stream.into_std()?, address))) {
                Ok((stream, address)) => return (stream, address, slot),
                Err(error) => {
                    if flood::may_write("accept", Level::WARN) {
                        warn!(%error, "a connection could not be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn server(rules: &ConnectionRules) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        // That timeout would also count a connection's idle time. Heads are timed from their first byte instead.
        .header_read_timeout(None)
        .max_headers(HTTP1_HEADERS)
        .max_buf_size(HTTP1_BUFFER);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(rules.head_timeout)
        .keep_alive_timeout(rules.head_timeout)
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(HTTP2_HEADERS)
        .initial_stream_window_size(HTTP2_WINDOW)
        .initial_connection_window_size(HTTP2_WINDOW)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .max_pending_accept_reset_streams(HTTP2_RESETS);
    server
}
