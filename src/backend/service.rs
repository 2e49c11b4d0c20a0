//! One service: something at an address that removes backgrounds.

use super::{Answer, Failure, Job};
use async_trait::async_trait;

/// Asked by the pool once it has a slot for the job.
#[async_trait]
pub(super) trait Service: Send + Sync + 'static {
    /// Sends the job and reads the whole answer, once, with what it will likely need set aside before.
    async fn exchange(&self, job: &Job) -> Result<Answer, AttemptError>;

    /// What is left to do with the service's answer when it is here and its slot is free again.
    async fn finish(&self, _job: &Job, answer: Answer) -> Result<Answer, Failure> {
        Ok(answer)
    }

    /// Whether it answers at all. Costs nothing, whatever the service charges for.
    async fn answers(&self) -> bool;
}

/// A job that a service has not answered.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) failure: Failure,
    /// Whether another service may be asked instead.
    pub(super) retry: Retry,
}

/// What a failure means for the other services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Nobody has begun to answer, and nobody can charge for it: another one may be asked.
    MayBeAsked,
    /// It is final.
    Final,
}

impl AttemptError {
    /// A failure that no other service could mend.
    pub(super) fn last(failure: Failure) -> Self {
        Self { failure, retry: Retry::Final }
    }
}
