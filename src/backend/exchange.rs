//! The trait of one service, which removes backgrounds at an address.

use super::{Answer, CutRequest, Failure};
use crate::spool::DiskShare;
use async_trait::async_trait;
use std::sync::{Arc, atomic::AtomicBool};

/// A request that has a slot at a service.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) request: Arc<CutRequest>,
    /// The room for the answer that came with the slot, until an answer takes it.
    pub(super) room: Option<DiskShare>,
    /// Whether the service has been sent the whole request, as far as the connection knows.
    pub(super) sent_whole: Arc<AtomicBool>,
}

/// A service. The pool calls it once it has a slot for the request.
#[async_trait]
pub(super) trait Service: Send + Sync + 'static {
    /// Sends the request once and reads the whole answer.
    async fn send(&self, exchange: &mut Exchange) -> Result<Answer, AttemptError>;

    /// Completes the service's answer after it has arrived and the slot is free again.
    async fn finish(&self, _request: &Arc<CutRequest>, answer: Answer) -> Result<Answer, Failure> {
        Ok(answer)
    }

    /// Whether the service answers a health check. The check is never charged.
    async fn probe(&self) -> bool;
}

/// A request that a service has not answered.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) failure: Failure,
    /// Whether another service may be asked instead.
    pub(super) retry: Retry,
}

/// Whether a failed request may be sent to another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The service has not begun to answer and cannot charge for the request, so another service may be used.
    MayBeAsked,
    /// The failure is final.
    Final,
}

impl AttemptError {
    /// A failure after which no other service may be used.
    pub(super) fn last(failure: Failure) -> Self {
        Self { failure, retry: Retry::Final }
    }
}
