//! The body of the answer.

use super::{Cause, NotFetched, Pace, connect::Connection, turns::Turn};
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
    _turn: Arc<Turn>,
    pace: Pace,
    longest: u64,
    received: u64,
}

impl Download {
    pub(super) fn new(
        url: PictureUrl,
        body: Incoming,
        connection: Connection,
        turn: Arc<Turn>,
        (pace, longest): (Pace, u64),
    ) -> Self {
        Self { url, body, _connection: connection, _turn: turn, pace, longest, received: 0 }
    }

    /// The next bytes; `None` once the picture is whole. Fails at the deadline that it was fetched with, when the transfer
    /// is too slow on average, and when it ends early or is longer than an upload may be.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NotFetched> {
        loop {
            let frame = timeout_at(self.pace.next_by(self.received), self.body.frame()).await;
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
