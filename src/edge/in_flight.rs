//! Requests in flight: from the head to the last byte of the answer, for whose client they count.

use super::shield::InFlightGuard;
use crate::telemetry::Metrics;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// One request; in flight until dropped.
pub(super) struct InFlight {
    _of_client: InFlightGuard,
    metrics: Arc<Metrics>,
}

impl InFlight {
    pub(super) fn new(of_client: InFlightGuard, metrics: &Arc<Metrics>) -> Self {
        metrics.in_flight(1);
        Self { _of_client: of_client, metrics: Arc::clone(metrics) }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight(-1);
    }
}

/// The answer, which keeps its request in flight until its last byte is handed to the wire, or the connection is gone.
pub(super) fn until_sent(answer: Response, counted: Arc<Option<InFlight>>) -> Response {
    answer.map(|body| Body::new(Counted { body, _counted: counted }))
}

struct Counted {
    body: Body,
    _counted: Arc<Option<InFlight>>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
