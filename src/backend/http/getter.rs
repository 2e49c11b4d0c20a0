//! A client that reads one address with GET.

use super::{Connector, HttpSettings, NO_CODING};
use crate::trust::TrustError;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, Uri,
    header::{ACCEPT_ENCODING, HeaderValue},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an address could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// There was no connection, or it ended before the answer was whole.
    #[error("it cannot be reached: {0}")]
    Unreached(String),
    /// The status was not 200.
    #[error("it answered {0}")]
    Status(u16),
}

/// A client for one address.
#[derive(Debug)]
pub(in crate::backend) struct Getter {
    client: Client<Connector, Empty<Bytes>>,
    url: Uri,
}

impl Getter {
    pub(in crate::backend) fn new(url: Uri, settings: &HttpSettings) -> Result<Self, TrustError> {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(settings.connector()?);
        Ok(Self { client, url })
    }

    /// The whole answer, up to `longest` bytes.
    pub(in crate::backend) async fn get(&self, key: Option<&HeaderValue>, longest: usize) -> Result<Bytes, Failed> {
        let unreached = |error: &dyn ToString| Failed::Unreached(error.to_string());
        let mut request = Request::builder().uri(self.url.clone()).header(ACCEPT_ENCODING, NO_CODING);
        if let Some(key) = key {
            request = request.header("x-api-key", key.clone());
        }
        let request = request.body(Empty::new()).map_err(|error| unreached(&error))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| unreached(&error))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), longest).collect().await.map_err(|error| unreached(&error))?;
            if status == 200 { Ok(body.to_bytes()) } else { Err(Failed::Status(status)) }
        };
        timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(unreached(&"no answer in time")))
    }
}
