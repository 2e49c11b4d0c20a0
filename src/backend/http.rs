//! HTTP to the services: connections, TLS, the body that is sent, and the answer that is read whole.

mod connections;
mod form_body;
mod getter;

use connections::Connections;
use form_body::FormStream;
pub(super) use form_body::{FormBody, Part};
pub use getter::Failed;
pub(super) use getter::Getter;

use super::{
    CutRequest, Failure,
    exchange::{AttemptError, Exchange, Retry},
};
use crate::{
    config::BackendConfig,
    domain::{answer::leaves_as_is, refusal::Shortage},
    spool::{Room, SpoolError, Spooled},
    telemetry::BackendMetrics,
    trust::{self, CaFile, TrustError},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    HeaderMap, Method, Request, Response, Uri,
    body::{Body as _, Incoming},
    header::{self, HeaderName, HeaderValue, InvalidHeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    error::Error,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// The only content coding that requests accept: a picture's bytes are passed on as they are, without the service's
/// header that says how to decode them.
const NO_CODING: HeaderValue = HeaderValue::from_static("identity");

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// When to retry after there was no room for an answer.
const NO_ROOM_RETRY: Duration = Duration::from_secs(2);

type Connector = HttpsConnector<HttpConnector>;

/// How to reach services.
#[derive(Clone, Debug)]
pub(super) struct HttpSettings {
    /// The time within which a connection must be made.
    pub(super) connect_timeout: Duration,
    /// Certificates to trust instead of the machine's.
    pub(super) ca_file: Option<PathBuf>,
    /// The path that a health check requests.
    pub(super) health_path: String,
}

impl HttpSettings {
    /// The settings in the configuration.
    pub(super) fn of(config: &BackendConfig) -> Self {
        Self {
            connect_timeout: Duration::from_secs(config.connect_timeout_s),
            ca_file: config.ca_file.clone(),
            health_path: config.health_path.clone(),
        }
    }

    fn connector(&self) -> Result<Connector, TrustError> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(self.connect_timeout));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let ca_file = self.ca_file.as_deref().map(|path| CaFile { setting: "backend.ca_file", path });
        let tls = trust::client_config(ca_file)?;
        Ok(HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp))
    }
}

/// One service's address, and connections to it.
pub(super) struct Remote {
    connections: Connections,
    /// The client for health checks. It keeps no connections, because a check is to show whether new ones can be made.
    checks: Client<Connector, Empty<Bytes>>,
    host: HeaderValue,
    /// The address as requests name it, without scheme and host.
    target: Uri,
    health_url: Uri,
    metrics: BackendMetrics,
}

/// A service's complete answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Spooled,
}

impl Remote {
    /// Opens no connection yet. Fails if certificates cannot be read.
    pub(super) fn new(url: Uri, settings: &HttpSettings, metrics: BackendMetrics) -> Result<Self, TrustError> {
        let connector = settings.connector()?;
        let mut parts = url.clone().into_parts();
        parts.path_and_query = settings.health_path.parse().ok();
        let health_url = Uri::from_parts(parts).unwrap_or_else(|_| url.clone());
        let checks = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector.clone());
        let (host, target, connections) = (host(&url), target(&url), Connections::new(connector, url));
        Ok(Self { connections, checks, host, target, health_url, metrics })
    }

    /// Posts the form and reads the whole answer, until the request's deadline. With a key, the service charges for what it
    /// was sent whole: that is not sent again. Without one, a request may be sent again until its answer has begun.
    pub(super) async fn post(
        &self,
        exchange: &mut Exchange,
        form: FormBody,
        key: Option<HeaderValue>,
    ) -> Result<Reply, AttemptError> {
        let (cut, sent_whole) = (&exchange.request, &exchange.sent_whole);
        // The slot came with the room. Only a second post of the same exchange waits here.
        let room = cut.room.take(exchange.room.take());
        let room = timeout_at(cut.deadline, room).await.map_err(|_| AttemptError::last(out_of_room()))?;
        sent_whole.store(false, Ordering::Release);
        let is_metered = key.is_some();
        let request = self
            .request(cut, form, key, Arc::clone(sent_whole))
            .map_err(|error| AttemptError::last(Failure::Failed(error.to_string())))?;
        let answer = async {
            let (answer, mut connection) = self.connections.send(request).await.map_err(|error| {
                let retry = retry(&*error, is_metered && sent_whole.load(Ordering::Acquire));
                AttemptError { failure: failed(&*error), retry }
            })?;
            let reply = connection.during(pin!(read(answer, room))).await.map_err(AttemptError::last)?;
            self.connections.keep(connection);
            Ok(reply)
        };
        let begun = Instant::now();
        let answer = timeout_at(cut.deadline, answer).await.unwrap_or(Err(AttemptError::last(Failure::TimedOut)));
        self.metrics.tried(begun.elapsed(), answer.as_ref().ok().map(|reply| reply.status));
        answer
    }

    /// The request that carries the form. Its length comes from its body.
    fn request(
        &self,
        cut: &CutRequest,
        form: FormBody,
        key: Option<HeaderValue>,
        sent_whole: Arc<AtomicBool>,
    ) -> Result<Request<FormStream>, InvalidHeaderValue> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::CONTENT_TYPE, form.content_type()?);
        headers.insert(header::ACCEPT_ENCODING, NO_CODING);
        headers.insert(X_REQUEST_ID, HeaderValue::from_str(cut.request_id.as_str())?);
        if let Some(trace) = &cut.trace {
            headers.insert(TRACEPARENT, trace.traceparent().try_into()?);
        }
        if let Some(key) = key {
            headers.insert(X_API_KEY, key);
        }
        let mut request = Request::new(form.into_body(sent_whole));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Whether the address answers a health check with a status below 500.
    pub(super) async fn probe(&self) -> bool {
        self.connections.close_old();
        let request = Request::builder().uri(self.health_url.clone()).body(Empty::new());
        let Ok(request) = request else { return false };
        self.checks.request(request).await.is_ok_and(|answer| answer.status().as_u16() < 500)
    }
}

fn retry(error: &(dyn Error + 'static), may_be_charged: bool) -> Retry {
    let has_answered =
        causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_parse);
    if has_answered || may_be_charged { Retry::Final } else { Retry::MayBeAsked }
}

/// The address as its requests name it.
fn target(url: &Uri) -> Uri {
    url.path_and_query().map_or_else(Uri::default, |target| target.clone().into())
}

/// The address's host, with the port unless it is the scheme's own.
fn host(url: &Uri) -> HeaderValue {
    let port =
        url.port_u16().filter(|port| !matches!((url.scheme_str(), port), (Some("http"), 80) | (Some("https"), 443)));
    let name = url.host().unwrap_or_default();
    let host = port.map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    HeaderValue::try_from(host).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The time after which the service asks for a retry. Only seconds are understood, not a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The answer's `Content-Type`.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(header::CONTENT_TYPE).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned)
}

/// Reads the whole answer; an incomplete one is a failure.
async fn read(answer: Response<Incoming>, mut room: Room) -> Result<Reply, Failure> {
    let (head, mut body) = answer.into_parts();
    // Without either header, the end of the connection ends the answer, and it is unknown whether the answer is whole.
    let framed =
        head.headers.contains_key(header::CONTENT_LENGTH) || head.headers.contains_key(header::TRANSFER_ENCODING);
    if !framed && head.status.is_success() {
        return Err(Failure::Failed("the answer does not say how long it is".into()));
    }
    if is_coded(&head.headers) && head.status.is_success() {
        return Err(Failure::Failed("the answer is in a coding that was not asked for".into()));
    }
    if let Some(length) = body.size_hint().exact() {
        // If the answer is longer than the room set aside, it is not read until there is room.
        room.expect(length).await.map_err(|error| no_room(&error))?;
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(&error))?;
        if let Ok(bytes) = frame.into_data() {
            room.write(bytes).await.map_err(|error| no_room(&error))?;
        }
    }
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: room.finish() })
}

/// Whether the body is in a coding that must be undone before it can be read. The library only undoes the chunked
/// transfer coding.
fn is_coded(headers: &HeaderMap) -> bool {
    let coded = |name, harmless| headers.get_all(name).iter().any(|list| !leaves_as_is(list.as_bytes(), harmless));
    coded(header::CONTENT_ENCODING, "identity") || coded(header::TRANSFER_ENCODING, "chunked")
}

/// The failure when an answer could not be stored.
pub(super) fn no_room(error: &SpoolError) -> Failure {
    match error {
        SpoolError::TooLong(_) => Failure::Failed(format!("the answer is too long: {error}")),
        SpoolError::NoRoom | SpoolError::File(_) => out_of_room(),
    }
}

/// The failure when there was no room for an answer before the deadline.
pub(super) fn out_of_room() -> Failure {
    Failure::Unavailable { shortage: Shortage::NoRoom, retry_after: NO_ROOM_RETRY }
}

/// The error with its causes: hyper's own text says little.
fn failed(error: &(dyn Error + 'static)) -> Failure {
    let words: Vec<String> = causes(error).map(ToString::to_string).collect();
    Failure::Failed(words.join(": "))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| <dyn Error>::source(*error))
}
