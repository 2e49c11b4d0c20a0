//! Connections, each to one address and for one request.

use super::{Cause, Way};
use crate::{
    domain::picture_url::PictureUrl,
    trust::{self, CaFile, TrustError},
};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
    header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT},
    http::uri::PathAndQuery,
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::{
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service;

/// How long connecting to one address may take, TLS included, so that one that leaves connections unanswered leaves time
/// for another.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the longest head that is read.
const LONGEST_HEAD: usize = 64 * 1024;
/// The file formats that are taken, for servers that choose by this.
const FORMATS: &str = "image/png, image/jpeg, image/webp, image/bmp, */*;q=0.1";

/// A connection is closed when this is dropped.
pub(super) type Connection = AbortOnDropHandle<()>;

type Sender = SendRequest<Empty<Bytes>>;

/// What makes connections, by whom it trusts.
#[derive(Clone, Debug)]
pub(super) struct Connectors {
    public: ClientConfig,
    allowed: ClientConfig,
}

impl Connectors {
    /// Trusts the machine's authorities; in the networks that are allowed, those in the file instead.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, TrustError> {
        let public = trust::client_config(None)?;
        let allowed = match ca_file {
            Some(path) => trust::client_config(Some(CaFile { setting: "dialects.url.ca_file", path }))?,
            None => public.clone(),
        };
        Ok(Self { public, allowed })
    }

    /// Connects to this very address, by TLS where the URL says so: the certificate must be the host's.
    pub(super) async fn connect(
        &self,
        url: &PictureUrl,
        address: SocketAddr,
        way: Way,
    ) -> Result<(Sender, Connection), Cause> {
        let unreached = |why: &dyn ToString| Cause::Unreached { address, why: why.to_string() };
        let trusted = match way {
            Way::Public => &self.public,
            Way::Allowed => &self.allowed,
        };
        let mut connector: HttpsConnector<To> = HttpsConnectorBuilder::new()
            .with_tls_config(trusted.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(To(address));
        let uri = url.to_string().parse::<Uri>().map_err(|error| unreached(&error))?;
        let stream = timeout(CONNECT_TIMEOUT, connector.call(uri)).await;
        let stream = stream.map_err(|error| unreached(&error))?.map_err(|error| unreached(&error))?;
        let (sender, connection) = Builder::new().max_buf_size(LONGEST_HEAD).handshake(stream).await?;
        let driven = tokio::spawn(async move {
            // What went wrong is told to whoever reads the answer.
            let _ended = connection.await;
        });
        Ok((sender, AbortOnDropHandle::new(driven)))
    }
}

/// Requests the picture.
pub(super) async fn get(url: &PictureUrl, mut sender: Sender) -> Result<Response<Incoming>, Cause> {
    let mut request = Request::new(Empty::new());
    // Every such URL has both in a form that can be sent; nothing is sent of one that had not.
    let target: PathAndQuery = url.path_and_query().parse().map_err(|_| Cause::NoAddress)?;
    let host = url.authority().parse().map_err(|_| Cause::NoAddress)?;
    *request.uri_mut() = target.into();
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    for (name, value) in
        [(ACCEPT, FORMATS), (ACCEPT_ENCODING, "identity"), (USER_AGENT, "rembg-gateway"), (CONNECTION, "close")]
    {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    Ok(sender.send_request(request).await?)
}

/// Connects to one address, whatever is asked for.
#[derive(Clone, Copy, Debug)]
struct To(SocketAddr);

impl Service<Uri> for To {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let address = self.0;
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(TokioIo::new(stream))
        })
    }
}
