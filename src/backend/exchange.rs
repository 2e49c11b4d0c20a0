//! One try of a request at one service.

use super::{CutRequest, Failure};
use crate::spool::DiskShare;
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
