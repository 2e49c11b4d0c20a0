//! A listening socket, and who may come in by it.

mod connection;
mod frames;
mod per_client;
mod proxy_protocol;
mod sockets;
mod tls;
mod open_requests;
mod watched;

pub use sockets::{Socket, Sockets};
pub use tls::{CertificateError, Tls};

use crate::{
    domain::{network::Network, transfer::TransferRate},
    telemetry::Metrics,
};
use axum::Router;
use connection::ConnectionHandler;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use per_client::PerClient;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

/// After an error of accept (out of descriptors, say) the next try waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// When it is time to stop, those who are in the kernel's queue already are let in: the system has answered them.
/// The queue counts as empty when it was for this long, and in no case is it emptied for longer than that.
const QUEUE_EMPTY: Duration = Duration::from_millis(20);
const LAST_CALL: Duration = Duration::from_secs(1);

/// Connections that are let in at the very end: as many as the queue holds, so that nobody can keep a stop from ending.
const LAST_ACCEPTED: usize = 1024;

/// Bounds on HTTP/1 heads. Beyond them the answer is 431. The buffer is also the most that is read at once.
const HTTP1_HEADERS: usize = 64;
const HTTP1_BUFFER: usize = 64 * 1024;

/// Bounds on HTTP/2, per connection: requests at once, a request's headers, what a client may send unasked, what
/// waits to be sent, and streams that it has reset before we looked at them. Those that it resets later are counted with
/// the requests under way.
const HTTP2_STREAMS: u32 = 64;
const HTTP2_HEADERS: u32 = 32 * 1024;
const HTTP2_WINDOW: u32 = 512 * 1024;
const HTTP2_SEND_BUFFER: usize = 64 * 1024;
const HTTP2_RESETS: usize = 20;

/// The connection's other end: the client's own address, or its last proxy's. Every request carries it as an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What connections may take.
#[derive(Clone, Debug)]
pub struct ConnectionRules {
    /// At once; more wait in the kernel's queue.
    pub connections: usize,
    /// At once from one client; more are closed.
    pub connections_per_client: usize,
    /// Peers that have no such limit of their own.
    pub uncounted: Vec<Network>,
    /// Peers that begin every connection with a PROXY protocol header.
    pub proxy_protocol_from: Vec<Network>,
    /// For the handshakes, the first request to begin, and any request's head from its first byte.
    pub head_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// From a request's head to its answer's: longer than any request may take by the rules of its own.
    pub request_timeout: Duration,
    /// For reading the answer.
    pub transfer_rate: TransferRate,
}

/// The rules, and the count of those inside. Several listeners may share one.
pub struct ConnectionLimits {
    rules: ConnectionRules,
    server: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
    clients: PerClient,
    metrics: Arc<Metrics>,
}

impl ConnectionLimits {
    /// Limits with no connection counted yet. Rejected connections are counted in the metrics.
    #[must_use]
    pub fn new(rules: ConnectionRules, metrics: Arc<Metrics>) -> Arc<Self> {
        let server = server(&rules);
        let slots = Arc::new(Semaphore::new(rules.connections));
        Arc::new(Self { server, slots, clients: PerClient::new(rules.connections_per_client), rules, metrics })
    }
}

/// A socket, and the limits on its connections.
pub struct Listener {
    socket: Socket,
    limits: Arc<ConnectionLimits>,
    tls: Option<Arc<Tls>>,
}

impl Listener {
    /// A listener that serves nobody yet; over TLS if there is a certificate.
    #[must_use]
    pub fn new(socket: Socket, limits: Arc<ConnectionLimits>, tls: Option<Arc<Tls>>) -> Self {
        Self { socket, limits, tls }
    }

    /// The address that it listens on.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.accepting.local_addr()
    }

    /// Serves until `stop`; then accepts no more and waits up to `grace` for requests under way.
    pub async fn serve(self, routes: Router, stop: CancellationToken, grace: Duration) {
        let handler = Arc::new(ConnectionHandler {
            limits: Arc::clone(&self.limits),
            tls: self.tls.clone(),
            routes,
            stop: stop.clone(),
        });
        let connections = TaskTracker::new();
        let let_in = |(stream, address, slot)| {
            let handler = Arc::clone(&handler);
            connections.spawn(async move {
                handler.receive(stream, address).await;
                drop(slot);
            });
        };
        while let Some(next) = stop.run_until_cancelled(self.next()).await {
            let_in(next);
        }
        if !self.socket.inherited {
            let last_call = Instant::now() + LAST_CALL;
            while let Ok(Ok(next)) = timeout_at(last_call, timeout(QUEUE_EMPTY, self.next())).await {
                let_in(next);
            }
        }
        // Closing resets what is in the queue by then, so this is the last thing before it.
        let (inherited, last) = (self.socket.inherited, self.socket.accepting.into_std());
        if let Ok(socket) = &last
            && !inherited
        {
            for _ in 0..LAST_ACCEPTED {
                let Ok((stream, address)) = socket.accept() else { break };
                let ready = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = ready {
                    let_in((stream, address, None));
                }
            }
        }
        drop(last);
        connections.close();
        if timeout(grace, connections.wait()).await.is_err() && !grace.is_zero() {
            warn!("some requests did not end within {} s and are cut off", grace.as_secs());
        }
    }

    /// The next connection, once there is a slot for it.
    async fn next(&self) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
        // Nobody closes the semaphore, so that there always is a slot in the end.
        let slot = Arc::clone(&self.limits.slots).acquire_owned().await.ok();
        loop {
            match self.socket.accepting.accept().await {
                Ok((stream, address)) => return (stream, address, slot),
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
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
        // It would count a connection's idle time too; heads are watched from their first byte on instead.
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
