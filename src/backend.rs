//! What removes the background: a trait, and one file per kind of backend.

pub mod builtin;

use crate::{
    domain::form::Form,
    spool::{Room, Spooled},
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A validated form, ready to be sent; can be sent again as long as nobody has answered.
#[derive(Clone, Debug)]
pub struct Job {
    /// The fields and what they mean.
    pub form: Arc<Form>,
    /// The image file's bytes.
    pub image: Arc<Spooled>,
    /// When the whole answer must be here.
    pub deadline: Instant,
    /// For the backend's log and ours.
    pub request_id: String,
}

/// A backend's complete answer.
#[derive(Debug)]
pub struct Answer {
    /// As the backend sent it: 2xx is a success and is charged; a 400 is passed on uncharged.
    pub status: u16,
    /// As the backend sent it.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Spooled,
}

/// Why there is no answer; never charged.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Refused, reset, half an answer, 5xx: words for the log.
    #[error("backend failed: {0}")]
    Failed(String),
    /// No complete answer before the deadline.
    #[error("backend timed out")]
    TimedOut,
    /// No slot or no room before the deadline.
    #[error("backend busy")]
    Busy {
        /// An honest guess at when there will be.
        retry_after: Duration,
    },
    /// The picture cannot be read by this backend although its header could.
    #[error("picture not readable: {0}")]
    Unreadable(String),
}

/// Something that removes backgrounds.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Sends the job and reads the whole answer into `room`, which was reserved beforehand.
    async fn cut(&self, job: &Job, room: Room) -> Result<Answer, Failure>;

    /// Whether the backend can be expected to answer.
    async fn ready(&self) -> bool;
}
