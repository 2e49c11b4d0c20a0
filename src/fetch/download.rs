//! The body of the answer.

use super::{Cause, Deadlines, NotFetched, connect::Connection, slots::DownloadSlot};
use crate::domain::picture_url::PictureUrl;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::time::timeout_at;

/// A picture on its way. Dropping it closes the connection.
#[derive(Debug)]
pub struct Download {
    url: PictureUrl,
    body: Incoming,
    _connection: Connection,
    _slot: Arc<DownloadSlot>,
    deadlines: Deadlines,
    longest: u64,
    received: u64,
}

impl Download {
    pub(super) fn new(
        url: PictureUrl,
        body: Incoming,
        connection: Connection,
        slot: Arc<DownloadSlot>,
        (deadlines, longest): (Deadlines, u64),
    ) -> Self {
        Self { url, body, _connection: connection, _slot: slot, deadlines, longest, received: 0 }
    }

    /// The next bytes; `None` once the picture is whole. Fails at the deadline that it was fetched with, when the transfer
    /// is too slow on average, and when it ends early or is longer than an upload may be.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NotFetched> {
        loop {
            let frame = timeout_at(self.deadlines.next_by(self.received), self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| self.failed(Cause::TooSlow))? else { return Ok(None) };
            let frame = frame.map_err(|error| self.failed(error.into()))?;
            let Ok(bytes) = frame.into_data() else { continue };
            self.received += bytes.len() as u64;
            if self.received > self.longest {
                return Err(NotFetched::TooLarge);
            }
            return Ok(Some(bytes));
        }
    }

    fn failed(&self, cause: Cause) -> NotFetched {
        NotFetched::at(&self.url, cause)
    }
}
