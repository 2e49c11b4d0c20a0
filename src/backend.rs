//! What removes the background: a trait, and one file per kind of backend.
//!
//! Services at addresses (`rmbg`, `rembg_server`) are asked by a `pool`; it and [`builtin`] have a fair `queue`.

mod account;
pub mod builtin;
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
pub use http::{Failed, TrustError};
pub use room::AnswerRoom;
pub use set_up::set_up;
pub use setup_error::SetupError;

use crate::{
    domain::{
        answer::{self, Shown},
        credit::Payer,
        form::Form,
        refusal::Shortage,
    },
    picture::{Bounds, Cut, TooMuch},
    spool::Spooled,
    telemetry::BackendGauges,
};
use async_trait::async_trait;
use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::time::Instant;
use tracing::warn;

/// A validated form, ready to be sent; can be sent again as long as nobody has answered.
#[derive(Clone, Debug)]
pub struct Job {
    /// The fields and what they mean.
    pub form: Arc<Form>,
    /// The image file's bytes.
    pub image: Arc<Spooled>,
    /// The most pixels that the picture and the answer may have. The header's size has been judged by it; that size is
    /// not yet the one that EXIF turns the picture to.
    pub pixel_limit: Option<u64>,
    /// Whose turn it takes in the line: payers are served by turns.
    pub payer: Payer,
    /// How many turns more than one that payer gets where one of priority 0 gets one.
    pub priority: u8,
    /// When the whole answer must be here.
    pub deadline: Instant,
    /// For the backend's log and ours.
    pub request_id: String,
    /// Where room for the answer comes from.
    pub room: AnswerRoom,
    /// Whether the service that is asked has been given all of it, as far as the connection knows.
    pub sent_whole: Arc<AtomicBool>,
}

impl Job {
    /// Refuses what would grow too large, now that it is known how large the upright picture is.
    fn keep_to_bounds(&self, upright: (u32, u32)) -> Result<(), Failure> {
        let bounds = Bounds { pixels: self.pixel_limit, bytes: Some(self.room.longest()) };
        Ok(bounds.judge(upright, &self.form.output)?)
    }

    /// A picture of which nothing is left is an answer like any other, but worth a look: the model may not see what we see.
    fn tell_if_lost(&self, cut: &Cut) {
        if cut.is_lost {
            warn!(request_id = self.request_id, "nothing is left of a picture that showed something");
        }
    }
}

/// A backend's complete answer.
#[derive(Debug)]
pub struct Answer {
    /// As the backend sent it.
    pub status: u16,
    /// As the backend sent it.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Spooled,
}

impl Answer {
    /// Fails unless it is a picture, for whoever sent this form: only that is charged (contract, section 3).
    pub async fn is_picture_for(&self, form: &Form) -> Result<(), Failure> {
        let beginning = self.beginning().await;
        let beginning = beginning.map_err(|error| Failure::Failed(format!("reading the answer back: {error}")))?;
        let shown = Shown { status: self.status, content_type: self.content_type.as_deref(), beginning: &beginning };
        answer::is_picture(shown, answer::asks_for_base64(form))
            .map_err(|why| Failure::Failed(format!("the answer is no picture: {why}")))
    }

    /// What the body begins with, beyond blanks however many.
    async fn beginning(&self) -> io::Result<Vec<u8>> {
        let mut beginning = self.body.beginning(answer::BEGINNING).await?;
        let mut offset = beginning.len() as u64;
        while beginning.trim_ascii_start().is_empty() {
            let Some(piece) = self.body.piece_at(offset).await? else { break };
            offset += piece.len() as u64;
            beginning = piece.into();
        }
        Ok(beginning)
    }

    /// The whole body, where it is short enough to be words; `None` for a longer one, or one that cannot be read back.
    pub async fn words(&self) -> Option<Vec<u8>> {
        let short = self.body.len() <= answer::LONGEST_WORDS as u64;
        if short { self.body.to_vec().await.ok() } else { None }
    }
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
    /// No slot, no key or no room before the deadline.
    #[error("unavailable: {}", shortage.code())]
    Unavailable {
        /// What is missing.
        shortage: Shortage,
        /// An honest guess at when there will be.
        retry_after: Duration,
    },
    /// The picture cannot be read by this backend although its header could.
    #[error("picture not readable: {0}")]
    Unreadable(String),
    /// Turned upright by its EXIF orientation, the picture would become larger than was agreed.
    #[error("once upright: {0}")]
    TooMuch(#[from] TooMuch),
}

/// Something that removes backgrounds.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Sends the job and reads the whole answer. What that will likely need is set aside with the slot, before anything is
    /// sent, so that a picture which the backend was paid for is not lost for want of room.
    async fn cut(&self, job: &Job) -> Result<Answer, Failure>;

    /// Whether the backend can be expected to answer.
    async fn ready(&self) -> bool;

    /// What there is to see of it now.
    fn gauges(&self) -> BackendGauges;
}
