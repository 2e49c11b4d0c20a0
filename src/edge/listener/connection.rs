//! Serves one connection, from the handshakes to its end.

use super::{
    ConnectionLimits, Live, Tls,
    open_requests::{AnswerBody, End, OpenRequests, SendLimits, TimeLimits},
    per_client::Counted,
    proxy_protocol,
    watched::Watched,
};
use crate::{
    domain::transfer::TransferRate,
    edge::{noted::length, peer::Peer},
    telemetry::shown_client,
};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_tcp_user_timeout;
use std::{
    io::{self, ErrorKind},
    net::{self, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// The kernel closes a connection whose peer has acknowledged nothing for so many milliseconds.
const STALLED_MS: u32 = 120_000;

/// A client that connected just before a stop has this long to begin its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// A connection that is being closed has this long to receive its answers, and to end a request that it has begun to send.
const LINGER: Duration = Duration::from_mins(1);

/// A connection that must end at once has this long to receive its last answers, and HTTP/2's GOAWAY.
const GOAWAY_TIME: Duration = Duration::from_secs(1);

/// How much faster than other clients the one that holds the most must read its answers, while much of the spool is used.
const HURRIED: u64 = 64;

/// Serves the connections of a listener.
pub(super) struct ConnectionHandler {
    pub(super) limits: Arc<ConnectionLimits>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) live: Live,
    pub(super) stop: CancellationToken,
}

impl ConnectionHandler {
    /// Serves the connection to its end.
    pub(super) async fn receive(self: Arc<Self>, stream: net::TcpStream, address: SocketAddr) {
        let _open = self.limits.metrics.opened();
        if let Err(error) = self.handshakes(stream, address).await {
            debug!(%error, client = shown_client(address.ip()), "connection ended early");
        }
    }

    async fn handshakes(self: Arc<Self>, stream: net::TcpStream, address: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::from_std(stream)?;
        // A small answer must not wait until the previous one is acknowledged.
        stream.set_nodelay(true)?;
        set_tcp_user_timeout(&stream, STALLED_MS)?;
        let rules = &self.limits.rules;
        let peer = within(rules.head_timeout, self.peer_behind(&mut stream, address)).await?;
        let Ok(_counted) = self.count(peer) else {
            debug!(client = shown_client(peer.ip()), "a connection is rejected: its client has as many as it may");
            self.limits.metrics.rejected();
            return Ok(());
        };
        // The handshake's memory is freed after it, because most connections are idle most of the time.
        match &self.tls {
            None => Arc::clone(&self).converse(stream, peer).await,
            Some(tls) => {
                let secured = Box::pin(within(rules.head_timeout, tls.accept(stream)));
                Arc::clone(&self).converse(secured.await?, peer).await
            }
        }
    }

    /// The address of the peer, or of the client that it names in a PROXY protocol header.
    async fn peer_behind(&self, stream: &mut TcpStream, address: SocketAddr) -> io::Result<SocketAddr> {
        if self.limits.rules.proxy_protocol_from.iter().any(|network| network.contains(address.ip())) {
            return Ok(proxy_protocol::read(stream).await?.unwrap_or(address));
        }
        Ok(address)
    }

    /// Counts the connection. Fails if its client already has as many as it may.
    fn count(&self, peer: SocketAddr) -> Result<Option<Counted>, ()> {
        if self.live.load().uncounted.iter().any(|network| network.contains(peer.ip())) {
            return Ok(None);
        }
        self.limits.clients.enter(peer.ip()).map(Some).ok_or(())
    }

    /// Serves requests until the connection ends. An async function would hold the stream twice: as an argument, and in the
    /// connection.
    fn converse(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
    ) -> impl Future<Output = io::Result<()>> + Send {
        let rules = &self.limits.rules;
        let times = TimeLimits { head: rules.head_timeout, idle: rules.idle_timeout };
        let open_requests = OpenRequests::new(times);
        let service = {
            let (handler, open_requests) = (Arc::clone(&self), open_requests.clone());
            service_fn(move |request| Arc::clone(&handler).answer(request, peer, &open_requests))
        };
        let stream = TokioIo::new(Watched::new(stream, open_requests.clone()));
        let connection = self.limits.server.serve_connection(stream, service).into_owned();
        let mut connection = Box::pin(connection);
        async move {
            let stopping = async {
                self.stop.cancelled().await;
                let _ = timeout(FIRST_REQUEST, open_requests.first()).await;
            };
            let linger = tokio::select! {
                end = connection.as_mut() => return end.map_err(io::Error::other),
                end = open_requests.end(times) => match end {
                    End::TooFar => return Err(ErrorKind::ConnectionAborted.into()),
                    End::Flood | End::NoHead => GOAWAY_TIME,
                    End::Idle => LINGER,
                },
                () = stopping => LINGER,
            };
            connection.as_mut().graceful_shutdown();
            let ended_in_time = async {
                if linger == GOAWAY_TIME {
                    sleep(GOAWAY_TIME).await;
                } else {
                    open_requests.end(TimeLimits { head: times.head.max(FIRST_REQUEST), idle: linger }).await;
                }
            };
            tokio::select! {
                end = connection => end.map_err(io::Error::other),
                () = ended_in_time => Err(ErrorKind::TimedOut.into()),
            }
        }
    }

    /// The request counts from now on, whether or not the future is polled.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        open_requests: &OpenRequests,
    ) -> impl Future<Output = io::Result<Response<AnswerBody>>> + Send + use<> {
        let snapshot = self.live.load_full();
        let guard = open_requests.begin(snapshot.request_timeout);
        let received = self.limits.metrics.received.clone();
        let request = request.map(|body| open_requests.reads(body, received));
        async move {
            let answer = snapshot.routes.answer(request, Peer(peer)).await;
            let time_at = |transfer_rate: TransferRate| {
                let length = length(&answer.response);
                length.map_or(snapshot.request_timeout, |length| transfer_rate.time_for(length))
            };
            let (most, hurried) = (time_at(snapshot.transfer_rate), time_at(snapshot.transfer_rate.times(HURRIED)));
            Ok(guard.answered(answer, SendLimits { most, hurried }, self.limits.metrics.sent.clone()))
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests;
