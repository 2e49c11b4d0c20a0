//! `POST /rmbg`, the journey of a picture: caller, admit, form, send, settle.
//!
//! Whatever ends it early, nothing is charged: the credit held at admission is released.

mod admit;
mod caller;
mod form;
mod send;
mod settle;

pub use form::Upload;

use crate::{
    backend::{Answer, Backend},
    clock::Clock,
    domain::{caller::Payer, credit::Pool, plan::Plan, refusal::Refusal},
    identity::Keyring,
    random::NoRandomness,
    spool::Budgets,
    store::{Fault, Store},
    telemetry::{Record, Step},
};
use hyper::HeaderMap;
use settle::Pledge;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// When a caller who was told that we are busy should ask again.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// The parts that serve a picture.
pub struct Rmbg {
    /// Accounts, limits and credits.
    pub store: Arc<dyn Store>,
    /// What removes the background.
    pub backend: Arc<dyn Backend>,
    /// How API keys are recognised.
    pub keyring: Keyring,
    /// The time of day, for keys that expire.
    pub clock: Clock,
    /// Room for bodies.
    pub budgets: Budgets,
    /// What the configuration says.
    pub rules: Rules,
}

/// The settings that the journey goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Plans by name.
    pub plans: BTreeMap<String, Plan>,
    /// The plan of accounts whose own is not configured (any more).
    pub default_plan: String,
    /// For the whole upload.
    pub upload_timeout: Duration,
    /// For the backend's whole answer, queueing included.
    pub answer_timeout: Duration,
    /// Pictures with more pixels are refused.
    pub pixel_limit: Option<u64>,
    /// The longest answer that is read, in bytes.
    pub max_answer: u64,
}

impl Rules {
    /// How long a credit stays set aside: longer than any request can take.
    fn lease(&self) -> Duration {
        self.upload_timeout + self.answer_timeout + Duration::from_secs(30)
    }
}

/// What a served caller gets.
#[derive(Debug)]
pub struct Served {
    /// The backend's answer: a 2xx, or its own 400.
    pub answer: Answer,
    /// Where the credit came from; `None` for an answer that costs nothing.
    pub spent: Option<Pool>,
    /// Credits that the payer can still spend, if the store knows.
    pub remaining: Option<u64>,
}

/// Why a journey ended early.
#[derive(Debug)]
pub enum Stop {
    /// The caller is refused. The cause is for the log.
    Refused {
        /// Words for the caller.
        refusal: Refusal,
        /// Words for the log.
        cause: Option<String>,
    },
    /// The caller went away.
    Gone,
}

impl Stop {
    fn with_cause(refusal: Refusal, cause: &(impl ToString + ?Sized)) -> Self {
        Self::Refused { refusal, cause: Some(cause.to_string()) }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, cause: None }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::with_cause(Refusal::Busy { retry_after: RETRY_SOON }, &fault)
    }
}

impl From<NoRandomness> for Stop {
    fn from(error: NoRandomness) -> Self {
        Self::with_cause(Refusal::Busy { retry_after: RETRY_SOON }, &error)
    }
}

impl Rmbg {
    /// Serves one request. `gone` is cancelled when the caller has left.
    ///
    /// The future must be run to its end: dropping it leaves settling to a background task.
    pub async fn serve(
        &self,
        headers: &HeaderMap,
        upload: &mut Upload,
        gone: &CancellationToken,
        record: &mut Record,
    ) -> Result<Served, Stop> {
        let caller = record.time(Step::Caller, caller::identify(self, headers)).await?;
        record.uid = Some(caller.account.uid.clone());
        record.channel = Some(caller.channel);
        let pledge = record.time(Step::Admit, admit::admit(self, &caller)).await?;
        let answer = tokio::select! {
            answer = self.answer(headers, upload, pledge.payer(), record) => answer,
            () = gone.cancelled() => Err(Stop::Gone),
        };
        record.time(Step::Settle, settle(pledge, answer)).await
    }

    /// The part in between, which may be abandoned at any moment: form in, picture out.
    async fn answer(
        &self,
        headers: &HeaderMap,
        upload: &mut Upload,
        payer: &Payer,
        record: &mut Record,
    ) -> Result<Answer, Stop> {
        let (form, image) = record.time(Step::Form, form::read(self, headers, upload)).await?;
        record.bytes_in = image.len();
        let job = send::job(self, payer, form, image, record.request_id.clone());
        record.time(Step::Send, send::send(self, &job)).await
    }
}

/// Charges for a complete 2xx, and for nothing else.
async fn settle(pledge: Pledge, answer: Result<Answer, Stop>) -> Result<Served, Stop> {
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => {
            let spent = pledge.pool();
            let remaining = pledge.keep().await?;
            Ok(Served { answer, spent, remaining })
        }
        Ok(answer) => {
            pledge.release().await;
            Ok(Served { answer, spent: None, remaining: None })
        }
        Err(stop) => {
            pledge.release().await;
            Err(stop)
        }
    }
}
