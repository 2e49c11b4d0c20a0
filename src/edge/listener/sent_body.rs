//! The body of an answer while it is sent.

use crate::telemetry::ByteCounter;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Counts the bytes as they pass. The guard is dropped with it: when the last byte is sent, or nobody gets it.
pub(super) struct SentBody<G> {
    body: Body,
    bytes: ByteCounter,
    _guard: G,
}

impl<G> SentBody<G> {
    pub(super) fn new(body: Body, bytes: ByteCounter, guard: G) -> Self {
        Self { body, bytes, _guard: guard }
    }
}

impl<G: Unpin> http_body::Body for SentBody<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.bytes.add(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
