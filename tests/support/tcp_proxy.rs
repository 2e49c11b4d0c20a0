//! A TCP proxy before a Redis. A test can make it cut, slow down or swallow what passes.

use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The proxy's behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Passes everything on.
    Whole,
    /// Ends every connection and accepts none.
    Cut,
    /// Passes nothing on in either direction, and keeps connections open.
    Silent,
    /// Open connections pass nothing on from now on, for ever, and stay open; new ones are whole.
    Hole,
    /// Passes requests on, but no answers: the server does what it is asked, and the client does not know.
    NoAnswers,
    /// Takes so long with each answer.
    Slow(Duration),
}

pub struct Proxy {
    pub address: SocketAddr,
    wire: Arc<watch::Sender<Wire>>,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let wire = Arc::new(watch::channel(Wire::Whole).0);
        let seen = Arc::clone(&wire);
        tokio::spawn(async move {
            while let Ok((near, _)) = socket.accept().await {
                if *seen.borrow() != Wire::Cut
                    && let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await
                {
                    tokio::spawn(join(near, far, seen.subscribe()));
                }
            }
        });
        Self { address, wire }
    }

    /// The Redis behind it, as `store.url` names it.
    pub fn redis_url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn is_now(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn join(near: TcpStream, far: TcpStream, wire: watch::Receiver<Wire>) {
    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
    let (cut, hole) = (told(wire.clone(), Wire::Cut), told(wire.clone(), Wire::Hole));
    let new = *wire.borrow() == Wire::Hole;
    let (asking, answering) = (wire.clone(), wire);
    tokio::select! {
        () = pass(&mut near_in, &mut far_out, asking, false) => {}
        () = pass(&mut far_in, &mut near_out, answering, true) => {}
        () = cut => {}
        () = hole, if !new => std::future::pending().await,
    }
}

async fn told(mut wire: watch::Receiver<Wire>, what: Wire) {
    drop(wire.wait_for(|wire| *wire == what).await);
}

async fn pass(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut wire: watch::Receiver<Wire>,
    answers: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let held = |wire: &Wire| *wire == Wire::Silent || (answers && *wire == Wire::NoAnswers);
        let now = match wire.wait_for(|wire| !held(wire)).await {
            Ok(now) => *now,
            Err(_) => return,
        };
        if let (Wire::Slow(by), true) = (now, answers) {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
