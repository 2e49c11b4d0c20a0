//! The body of an answer while it is sent.

use super::open_requests::RequestGuard;
use crate::{edge::in_flight::InFlight, telemetry::ByteCounter};
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Counts the bytes as they pass. The request is open and in flight until this is dropped.
pub(super) struct SentBody {
    body: Body,
    bytes: ByteCounter,
    _request: (RequestGuard, Option<Arc<InFlight>>),
}

impl SentBody {
    pub(super) fn new(body: Body, bytes: ByteCounter, request: (RequestGuard, Option<Arc<InFlight>>)) -> Self {
        Self { body, bytes, _request: request }
    }
}

impl http_body::Body for SentBody {
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
