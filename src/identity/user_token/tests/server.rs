//! An issuer on a loopback port that publishes the keys that a test wants, and counts how often it is asked.

use http_body_util::Full;
use hyper::{Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::net::TcpListener;

pub(super) struct IssuerServer {
    address: std::net::SocketAddr,
    published: Arc<Published>,
}

struct Published {
    answer: Mutex<(u16, String)>,
    asked: AtomicUsize,
}

impl IssuerServer {
    pub(super) async fn start(jwks: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Mutex::new((200, jwks.to_string()));
        let published = Arc::new(Published { answer, asked: AtomicUsize::new(0) });
        tokio::spawn(serve(listener, Arc::clone(&published)));
        Self { address, published }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/jwks.json", self.address)
    }

    pub(super) fn publish(&self, status: u16, body: impl Into<String>) {
        *self.published.answer.lock().unwrap() = (status, body.into());
    }

    /// How often the keys were asked for.
    pub(super) fn asked(&self) -> usize {
        self.published.asked.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, published: Arc<Published>) {
    while let Ok((stream, _)) = listener.accept().await {
        let published = Arc::clone(&published);
        tokio::spawn(async move {
            let answer = service_fn(|_| {
                published.asked.fetch_add(1, Ordering::SeqCst);
                let (status, body) = published.answer.lock().unwrap().clone();
                let answer = Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap();
                async { Ok::<_, Infallible>(answer) }
            });
            // A client that leaves is no concern of the issuer's.
            let _gone = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
