//! The trait of one service, which removes backgrounds at an address.

use super::{Answer, Failure, Job};
use async_trait::async_trait;

/// A service. The pool calls it once it has a slot for the job.
#[async_trait]
pub(super) trait Service: Send + Sync + 'static {
    /// Sends the job once and reads the whole answer. The room that the answer will likely need is already set aside.
    async fn exchange(&self, job: &Job) -> Result<Answer, AttemptError>;

    /// Completes the service's answer after it has arrived and the slot is free again.
    async fn finish(&self, _job: &Job, answer: Answer) -> Result<Answer, Failure> {
        Ok(answer)
    }

    /// Whether the service answers at all. The check is never charged.
    async fn answers(&self) -> bool;
}

/// A job that a service has not answered.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) failure: Failure,
    /// Whether another service may be asked instead.
    pub(super) retry: Retry,
}

/// Whether a failed job may be sent to another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The service has not begun to answer and cannot charge for the job, so another service may be used.
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
