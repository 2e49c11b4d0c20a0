//! The backend removes the background. There is a trait, and one file per kind of backend.
//!
//! A `pool` sends requests to services at addresses (`remote_rmbg`, `rembg_server`); it and [`builtin`] have a fair
//! `queue`.

mod account;
pub mod builtin;
mod exchange;
mod health;
mod http;
mod credentials;
mod pool;
mod queue;
mod rembg_server;
mod remote_rmbg;
mod room;
mod service;
mod set_up;
mod setup_error;
mod cpu_pool;

pub use account::{AccountError, AccountReport, SharedAccount};
pub use cpu_pool::CpuPool;
pub use credentials::KeyValues;
pub use http::Failed;
pub use room::AnswerRoom;
pub use set_up::set_up;
pub use setup_error::SetupError;

use crate::{
    domain::{
        answer::{self, Shown},
        credit::Payer,
        form::Form,
        refusal::Shortage,
        shared_text::SharedText,
        trace::Trace,
    },
    picture::{Bounds, Cut, TooMuch},
    spool::Spooled,
    telemetry::{BackendGauges, BackendUse, flood},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{io, sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::{Level, warn};

/// A validated form that is ready to be sent. It can be sent again as long as no service has answered.
#[derive(Clone, Debug)]
pub struct CutRequest {
    /// The fields and what they mean.
    pub form: Form,
    /// The image file's bytes.
    pub image: Arc<Spooled>,
    /// The most pixels that the picture and the answer may have. The size in the header is already checked against it,
    /// but the EXIF orientation may still change that size.
    pub pixel_limit: Option<u64>,
    /// The payer whose turn the request takes in the queue: payers are served by turns.
    pub payer: Payer,
    /// How many extra turns the payer gets for each turn of a payer of priority 0.
    pub priority: u8,
    /// When the whole answer must have arrived.
    pub deadline: Instant,
    /// Names the request in the backend's log and in ours.
    pub request_id: SharedText,
    /// The trace that a service is told.
    pub trace: Option<Trace>,
    /// Notes what it takes of the backend.
    pub used: BackendUse,
    /// The source of the room for the answer.
    pub room: AnswerRoom,
}

impl CutRequest {
    /// Refuses a request whose picture or answer would be too large, now that the size of the upright picture is known.
    fn keep_to_bounds(&self, upright: (u32, u32)) -> Result<(), Failure> {
        let bounds = Bounds { pixels: self.pixel_limit, bytes: Some(self.room.longest()) };
        Ok(bounds.judge(upright, &self.form.output)?)
    }

    /// Logs that nothing is left of a picture. It is an answer like any other, but the model may not see what we see.
    fn warn_if_lost(&self, cut: &Cut) {
        if cut.is_lost && flood::may_write("picture_lost", Level::WARN) {
            warn!(request_id = self.request_id.as_str(), "nothing is left of a picture that showed something");
        }
    }
}

/// A backend's complete answer.
#[derive(Debug)]
pub struct Answer {
    /// The status, as the backend sent it.
    pub status: u16,
    /// The content type, as the backend sent it.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Spooled,
}

impl Answer {
    /// Fails unless the answer is a picture as this form asks for it: only a picture is charged (contract, section 3).
    pub async fn is_picture_for(&self, form: &Form) -> Result<(), Failure> {
        let beginning = self.beginning().await;
        let beginning = beginning.map_err(|error| Failure::Failed(format!("reading the answer back: {error}")))?;
        let shown = Shown { status: self.status, content_type: self.content_type.as_deref(), beginning: &beginning };
        answer::is_picture(shown, answer::asks_for_base64(form))
            .map_err(|why| Failure::Failed(format!("the answer is no picture: {why}")))
    }

    /// The beginning of the body, up to the first piece that is not blank.
    async fn beginning(&self) -> io::Result<Bytes> {
        let mut beginning = self.body.beginning(answer::BEGINNING).await?;
        let mut offset = beginning.len() as u64;
        while beginning.trim_ascii_start().is_empty() {
            let Some(piece) = self.body.piece_at(offset).await? else { break };
            offset += piece.len() as u64;
            beginning = piece;
        }
        Ok(beginning)
    }

    /// The whole body, if it is short enough to be a message; `None` if it is longer or cannot be read back.
    pub async fn words(&self) -> Option<Vec<u8>> {
        let short = self.body.len() <= answer::LONGEST_WORDS as u64;
        if short { self.body.to_vec().await.ok() } else { None }
    }
}

/// Why there is no answer; never charged.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The connection was refused or reset, the answer was incomplete, or it was a 5xx. The text is for the log.
    #[error("backend failed: {0}")]
    Failed(String),
    /// There was no complete answer before the deadline.
    #[error("backend timed out")]
    TimedOut,
    /// There was no slot, no key or no room before the deadline.
    #[error("unavailable: {}", shortage.code())]
    Unavailable {
        /// The resource that is missing.
        shortage: Shortage,
        /// An estimate of when it will be there.
        retry_after: Duration,
    },
    /// The picture cannot be read by this backend although its header could.
    #[error("picture not readable: {0}")]
    Unreadable(String),
    /// Turned upright by its EXIF orientation, the picture would be larger than is allowed.
    #[error("once upright: {0}")]
    TooMuch(#[from] TooMuch),
}

impl Failure {
    /// What the log says beside the refusal's code, if there is more to say.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Failed(why) | Self::Unreadable(why) => Some(why.clone()),
            Self::TooMuch(_) => Some(self.to_string()),
            Self::TimedOut | Self::Unavailable { .. } => None,
        }
    }
}

/// A backend that removes backgrounds.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Sends the request and reads the whole answer. The room that the answer will likely need is set aside with the
    /// slot, before the request is sent, so that a picture which the backend was paid for is not lost for lack of room.
    async fn cut(&self, request: &Arc<CutRequest>) -> Result<Answer, Failure>;

    /// Whether the backend can be expected to answer.
    async fn ready(&self) -> bool;

    /// The backend's current values for the metrics.
    fn gauges(&self) -> BackendGauges;

    /// Uses these keys of ours from now on. Requests that were sent with others go on with those. A backend in this process
    /// has no use for keys.
    fn use_keys(&self, _values: KeyValues) {}
}
