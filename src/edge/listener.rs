//! A bound socket and the connections accepted on it.

use super::door::Peer;
use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// After an error of accept (out of descriptors, say) the next try waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ListenerLimits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// For a request's head, and for an idle connection's next request.
    pub head_timeout: Duration,
}

/// A bound socket.
pub struct Listener {
    socket: TcpListener,
    limits: ListenerLimits,
}

impl Listener {
    /// Binds; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, limits: ListenerLimits) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, limits })
    }

    /// The address bound.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop`; then accepts no more and waits up to `grace` for requests under way.
    pub async fn serve(self, routes: Router, stop: CancellationToken, grace: Duration) {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let server = Arc::new(server(self.limits));
        while let Some(((stream, peer), slot)) = accept(&self.socket, &slots, &stop).await {
            // A small answer must not wait for the acknowledgement of the one before.
            drop(stream.set_nodelay(true));
            let routes = TowerToHyperService::new(routes.clone());
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(Peer(peer.ip()));
                routes.call(request)
            });
            let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    debug!(error, "connection ended early");
                }
                drop(slot);
            });
        }
        drop(self.socket);
        if timeout(grace, graceful.shutdown()).await.is_err() {
            warn!("some requests did not end within {} s and are cut off", grace.as_secs());
        }
    }
}

fn server(limits: ListenerLimits) -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_timeout);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(limits.head_timeout);
    server
}

/// The next connection, once there is a slot for it; `None` when it is time to stop.
async fn accept(
    socket: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<((TcpStream, SocketAddr), tokio::sync::OwnedSemaphorePermit)> {
    let next = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match socket.accept().await {
                Ok(connection) => return Some((connection, slot)),
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        connection = next => connection,
        () = stop.cancelled() => None,
    }
}
