//! The body of a request that is still arriving.

use super::Dialect;
use axum::body::Body;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, header};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How much of an upload is read and discarded after an early answer, and for how long. Without that, clients such as
/// axios see a reset connection instead of the answer.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The body of a request that is still arriving.
pub struct Upload {
    body: Body,
    pub(super) dialect: Dialect,
    pub(super) content_type: Option<String>,
    /// Its length in bytes, if the client has said it.
    pub(super) announced: Option<u64>,
    /// Whether the client waits for `100 Continue`. It is sent when the body is first read; before that, there is nothing
    /// to drain.
    waits_for_continue: bool,
    /// The time that was spent waiting for its bytes.
    awaited: Duration,
    received: u64,
}

impl Upload {
    /// The body of a request with these headers.
    #[must_use]
    pub fn new(headers: &HeaderMap, body: Body) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            body,
            dialect: Dialect::Rmbg,
            content_type: text(header::CONTENT_TYPE).map(str::to_owned),
            announced: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            waits_for_continue: headers.contains_key(header::EXPECT),
            awaited: Duration::ZERO,
            received: 0,
        }
    }

    /// The same, written in this dialect.
    #[must_use]
    pub fn in_dialect(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        self.waits_for_continue = false;
        loop {
            let begun = Instant::now();
            let frame = self.body.frame().await;
            self.awaited += begun.elapsed();
            match frame? {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        self.received += data.len() as u64;
                        return Some(Ok(data));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Bytes of the body that have been read.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The time that was spent waiting for its bytes.
    pub(super) fn awaited(&self) -> Duration {
        self.awaited
    }

    /// Whether nothing of it is left to read.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.waits_for_continue || self.body.is_end_stream()
    }

    /// Reads and discards the rest of the upload, within bounds.
    pub async fn drain(mut self) {
        let discard = async {
            let mut left = DRAIN_BYTES;
            while !self.has_ended()
                && let Some(Ok(bytes)) = self.next().await
            {
                left = left.saturating_sub(bytes.len() as u64);
                if left == 0 {
                    return;
                }
            }
        };
        // A timeout is no error here: the answer has been sent before.
        let _ = timeout(DRAIN_TIME, discard).await;
    }
}
