//! Requests in flight: from the head of the request to the last byte of the answer.

use super::{guarded_body::GuardedBody, shield::InFlightGuard};
use crate::telemetry::Metrics;
use axum::{body::Body, response::Response};
use std::sync::Arc;

/// A request that is in flight until this is dropped.
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

/// Keeps the request in flight until the answer's last byte is sent or the connection has ended.
pub(super) fn until_sent(answer: Response, in_flight: Arc<InFlight>) -> Response {
    answer.map(|body| Body::new(GuardedBody::new(body, in_flight)))
}
