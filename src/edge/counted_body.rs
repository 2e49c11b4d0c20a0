//! A body whose bytes are counted as they pass.

use crate::telemetry::ByteCounter;
use bytes::Buf as _;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Forwards the body, and counts its bytes.
pub(super) struct CountedBody<B> {
    body: B,
    bytes: ByteCounter,
}

impl<B> CountedBody<B> {
    pub(super) fn new(body: B, bytes: ByteCounter) -> Self {
        Self { body, bytes }
    }
}

impl<B: Body + Unpin> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.bytes.add(data.remaining());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
