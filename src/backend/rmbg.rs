//! The reverse proxy proper: a backend that speaks `POST /rmbg` itself, such as rembg.com.
//!
//! What it gets is built by us from what we parsed, with a boundary and a length of our own. Our key goes with it; the
//! caller's key, token, cookies and addresses never do.

mod form_body;

use super::{Answer, Backend, Failure, Job};
use crate::spool::{Room, SpoolError};
use async_trait::async_trait;
use bytes::Bytes;
use form_body::FormBody;
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, Uri,
    body::Incoming,
    header::{self, HeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{io, time::Duration};
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    time::{timeout, timeout_at},
};

/// How long an unused connection is kept. Shorter than the 5 seconds after which common Python servers close theirs, so
/// that a picture is not sent into a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);

/// How long the readiness check waits for a connection.
const READY_WITHIN: Duration = Duration::from_secs(2);

type Connector = HttpsConnector<HttpConnector>;
type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A service that speaks `POST /rmbg`.
pub struct RmbgBackend {
    client: Client<Connector, Body>,
    url: Uri,
    api_key: Option<HeaderValue>,
    slots: Semaphore,
}

/// How to reach it.
pub struct RmbgSettings {
    /// The address that pictures are posted to; http or https.
    pub url: Uri,
    /// Our own key, marked sensitive.
    pub api_key: Option<HeaderValue>,
    /// Pictures at once.
    pub concurrency: usize,
    /// Until a connection must stand.
    pub connect_timeout: Duration,
}

impl RmbgBackend {
    /// A backend that has not been connected to yet. Fails if the machine's root certificates cannot be read.
    pub fn new(settings: RmbgSettings) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(settings.connect_timeout));
        http.set_nodelay(true);
        http.enforce_http(false);
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { client, url: settings.url, api_key: settings.api_key, slots: Semaphore::new(settings.concurrency) })
    }

    fn request(&self, job: &Job) -> Result<Request<Body>, Failure> {
        let form = FormBody::new(job).map_err(|error| failed(&error))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::CONTENT_TYPE, form.content_type())
            .header(header::CONTENT_LENGTH, form.len())
            .header("x-request-id", &job.request_id);
        if let Some(key) = &self.api_key {
            request = request.header("x-api-key", key.clone());
        }
        request.body(form.into_body()).map_err(|error| Failure::Failed(error.to_string()))
    }
}

#[async_trait]
impl Backend for RmbgBackend {
    async fn cut(&self, job: &Job) -> Result<Answer, Failure> {
        let slot = timeout_at(job.deadline, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else {
            return Err(Failure::Busy { retry_after: Duration::from_secs(1) });
        };
        let room = job.room()?;
        let exchange = async {
            let answer = self.client.request(self.request(job)?).await.map_err(|error| failed(&error))?;
            read(answer, room).await
        };
        timeout_at(job.deadline, exchange).await.unwrap_or(Err(Failure::TimedOut))
    }

    async fn ready(&self) -> bool {
        let Some(host) = self.url.host() else { return false };
        let port = self.url.port_u16().unwrap_or(if self.url.scheme_str() == Some("https") { 443 } else { 80 });
        let host = host.trim_matches(['[', ']']);
        matches!(timeout(READY_WITHIN, TcpStream::connect((host, port))).await, Ok(Ok(_)))
    }
}

/// Reads the whole answer; half of one is a failure.
async fn read(answer: Response<Incoming>, mut room: Room) -> Result<Answer, Failure> {
    let (head, mut body) = answer.into_parts();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(&error))?;
        if let Ok(bytes) = frame.into_data() {
            room.write(bytes).await.map_err(|error| no_room(&error))?;
        }
    }
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: head.status.as_u16(), content_type, body: room.finish() })
}

fn no_room(error: &SpoolError) -> Failure {
    match error {
        SpoolError::TooLong(_) => Failure::Failed(format!("the answer is too long: {error}")),
        SpoolError::NoRoom | SpoolError::File(_) => Failure::Busy { retry_after: Duration::from_secs(1) },
    }
}

/// The error with its causes: hyper's own text says little.
fn failed(error: &dyn std::error::Error) -> Failure {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    Failure::Failed(words)
}
