//! Connections to one service. Each has one exchange at a time, and goes on while somebody waits for something of it: it has no
//! task of its own that would have to be woken.

#[cfg(test)]
mod tests;

use super::{Connector, FormStream};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    runtime::{self, Handle},
    time::Instant,
};
use tower_service::Service as _;

/// How long an unused connection is kept. It is shorter than the 5 seconds after which common Python servers close
/// theirs, so that a picture is not sent on a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);

type Failed = Box<dyn Error + Send + Sync>;
type Wire = http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, FormStream>;

/// The connections to one service. There are never more than its slots, because each has one.
pub(super) struct Connections {
    connector: Connector,
    address: Uri,
    /// The unused ones; the one that was used last is at the end.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection that has one exchange. To drop it closes it.
pub(super) struct Connection {
    sender: SendRequest<FormStream>,
    /// `None` once it has ended.
    wire: Option<Box<Wire>>,
    /// The runtime that opened it, and hears first what arrives on it.
    runtime: runtime::Id,
}

impl Connections {
    /// Opens none yet.
    pub(super) fn new(connector: Connector, address: Uri) -> Self {
        Self { connector, address, idle: Mutex::default() }
    }

    /// Sends the request, and returns the head of its answer and the connection that the body comes on. If an unused
    /// connection turns out closed before anything of the request was sent, another one is used.
    pub(super) async fn send(
        &self,
        mut request: Request<FormStream>,
    ) -> Result<(Response<Incoming>, Connection), Failed> {
        while let Some(mut unused) = self.take() {
            let answer = unused.sender.try_send_request(request);
            match unused.during(pin!(answer)).await {
                Ok(answer) => return Ok((answer, unused)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut fresh = self.open().await?;
        let answer = fresh.sender.send_request(request);
        let answer = fresh.during(pin!(answer)).await?;
        Ok((answer, fresh))
    }

    /// Keeps a connection for the next request, now that its answer has been read, unless it has ended or still sends.
    pub(super) fn keep(&self, connection: Connection) {
        if connection.wire.is_some() && connection.sender.is_ready() {
            self.idle().push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes what has been unused for long.
    pub(super) fn close_old(&self) {
        drop(self.fresh());
    }

    /// One that this runtime has opened, if there is any, so that no other thread has to be woken; the one that was used last.
    fn take(&self) -> Option<Connection> {
        let (mut idle, here) = (self.fresh(), Handle::current().id());
        let own = idle.iter().rposition(|one| one.connection.runtime == here);
        let at = own.or(idle.len().checked_sub(1))?;
        Some(idle.remove(at).connection)
    }

    async fn open(&self) -> Result<Connection, Failed> {
        let stream = self.connector.clone().call(self.address.clone()).await?;
        let (sender, wire) = http1::handshake(stream).await?;
        Ok(Connection { sender, wire: Some(Box::new(wire)), runtime: Handle::current().id() })
    }

    /// The unused ones, without those that have been so for long. The oldest are at the beginning.
    fn fresh(&self) -> MutexGuard<'_, Vec<Idle>> {
        let (mut idle, now) = (self.idle(), Instant::now());
        let old = idle.partition_point(|one| now.saturating_duration_since(one.since) >= IDLE);
        idle.drain(..old);
        idle
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        // A panic cannot leave the list half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Waits for work on this connection, which goes on meanwhile.
    pub(super) async fn during<T>(&mut self, mut work: Pin<&mut (impl Future<Output = T> + Send)>) -> T {
        poll_fn(|context| {
            // Before the work, for what has arrived; and after it, for what it has given to be sent.
            self.go_on(context);
            let done = work.as_mut().poll(context);
            if done.is_pending() {
                self.go_on(context);
            }
            done
        })
        .await
    }

    /// An error is told to whoever waits for the answer or its body. To drop the wire tells them that nothing more comes.
    fn go_on(&mut self, context: &mut Context<'_>) {
        let ended = self.wire.as_mut().map(|wire| Pin::new(&mut **wire).poll(context));
        if let Some(Poll::Ready(_)) = ended {
            self.wire = None;
        }
    }
}
