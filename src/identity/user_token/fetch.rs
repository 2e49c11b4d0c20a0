//! The sources of key sets: an address or a file.

use super::{StartError, jwks::BadKeySet};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, Uri,
    body::Bytes,
    header::{ACCEPT, CACHE_CONTROL, HeaderMap, USER_AGENT},
};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    error::Error,
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// The longest key set that is read; real ones have a few KiB.
const LONGEST_SET: usize = 256 * 1024;
/// From connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);

type Https = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// The source of one issuer's key set.
#[derive(Debug)]
pub(super) enum Source {
    Url(Uri, Box<Https>),
    File(PathBuf),
}

/// The state of a file when it was last read.
pub(super) type Stamp = (SystemTime, u64);

/// The result of reading a source.
pub(super) enum Fetched {
    /// A set, and how long the issuer wants it to be kept.
    Set(Bytes, Option<Duration>),
    /// The file has not changed.
    Unchanged,
}

/// Why a source could not be read, for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{0}")]
    Unread(String),
    #[error(transparent)]
    Unusable(#[from] BadKeySet),
}

impl Source {
    pub(super) fn file(path: PathBuf) -> Self {
        Self::File(path)
    }

    pub(super) fn url(url: &str, issuer: &str) -> Result<Self, StartError> {
        let uri: Uri = url.parse().map_err(|_| StartError::BadUrl(issuer.to_owned()))?;
        if uri.host().is_none() || uri.scheme().is_none() {
            return Err(StartError::BadUrl(issuer.to_owned()));
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| StartError::Tls(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        // There is one request in minutes, so no connection is kept.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self::Url(uri, Box::new(client)))
    }

    /// Reads the set. `stamp` is the state of a file when it was last read; it is updated.
    pub(super) async fn fetch(&self, stamp: &mut Option<Stamp>) -> Result<Fetched, FetchError> {
        match self {
            Self::Url(uri, client) => tokio::time::timeout(TIMEOUT, get(uri, client))
                .await
                .map_err(|_| FetchError::Unread(format!("no answer within {TIMEOUT:?}")))?,
            Self::File(path) => {
                read(path, stamp).await.map_err(|error| FetchError::Unread(format!("{}: {error}", path.display())))
            }
        }
    }
}

async fn get(uri: &Uri, client: &Https) -> Result<Fetched, FetchError> {
    let failed = |error: &dyn Error| FetchError::Unread(chain(error));
    let request = Request::get(uri)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "rembg-gateway")
        .body(Empty::new())
        .map_err(|error| failed(&error))?;
    let answer = client.request(request).await.map_err(|error| failed(&error))?;
    if !answer.status().is_success() {
        return Err(FetchError::Unread(format!("answered {}", answer.status())));
    }
    let max_age = max_age(answer.headers());
    let body = Limited::new(answer.into_body(), LONGEST_SET).collect().await;
    Ok(Fetched::Set(body.map_err(|error| failed(error.as_ref()))?.to_bytes(), max_age))
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get(CACHE_CONTROL)?.to_str().ok()?.to_ascii_lowercase();
    let seconds = directives.split(',').find_map(|directive| directive.trim().strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

async fn read(path: &PathBuf, stamp: &mut Option<Stamp>) -> std::io::Result<Fetched> {
    let about = tokio::fs::metadata(path).await?;
    let current = (about.modified()?, about.len());
    if *stamp == Some(current) {
        return Ok(Fetched::Unchanged);
    }
    if about.len() > LONGEST_SET as u64 {
        return Err(std::io::Error::other("longer than 256 KiB"));
    }
    let text = tokio::fs::read(path).await?;
    *stamp = Some(current);
    Ok(Fetched::Set(text.into(), None))
}

/// An error with its causes: hyper's own message is only "client error (Connect)".
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        words.push_str(": ");
        words.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_read_from_among_other_directives() {
        for (value, seconds) in [
            ("public, max-age=19302, must-revalidate, no-transform", Some(19_302)),
            ("MAX-AGE=60", Some(60)),
            ("s-maxage=5", None),
            ("no-store", None),
            ("max-age=soon", None),
            ("max-age=-1", None),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, value.parse().unwrap())]);
            assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
