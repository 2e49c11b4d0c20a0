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
    config::AnonymousConfig,
    domain::{
        credit::Pool,
        plan::{Plan, Terms},
        refusal::{Refusal, Shortage},
        transfer,
    },
    failpoint::{self, Point},
    identity::{ApiKeys, Visitor, account_limiter::AccountLimiter, user_token::UserTokens},
    random::NoRandomness,
    spool::{Budgets, Holder},
    store::{Fault, Metering},
    telemetry::{Record, Step},
};
use caller::Caller;
use settle::Pledge;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// When a caller who was told 503 should ask again.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// The parts that serve a picture.
pub struct Rmbg {
    /// Accounts, limits and credits.
    pub store: Arc<dyn Metering>,
    /// What removes the background.
    pub backend: Arc<dyn Backend>,
    /// How API keys open accounts.
    pub api_keys: Arc<ApiKeys>,
    /// How user tokens do.
    pub user_tokens: UserTokens,
    /// Turns a flood of one account away before the store has to decide.
    pub account_limiter: AccountLimiter,
    /// The time of day, for keys and tokens that expire.
    pub clock: Clock,
    /// Room for bodies.
    pub budgets: Budgets,
    /// What the configuration says.
    pub rules: Rules,
    /// Releases that are still owed when their request is over; a stop waits for them.
    pub tasks: TaskTracker,
}

/// The settings that the journey goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Plans by name.
    pub plans: BTreeMap<String, Plan>,
    /// The plan of accounts whose own is not configured (any more), and how long a subscription goes on without news.
    pub terms: Terms,
    /// What callers with neither key nor token may do.
    pub anonymous: AnonymousConfig,
    /// Whether the first valid token of somebody unknown makes an account.
    pub create_accounts: bool,
    /// For the whole upload.
    pub upload_timeout: Duration,
    /// The slowest upload that is put up with until then.
    pub upload_rate: transfer::TransferRate,
    /// For the backend's whole answer, queueing included.
    pub answer_timeout: Duration,
    /// Pictures with more pixels are refused.
    pub pixel_limit: Option<u64>,
    /// The longest answer, in bytes, where answers are made here. What a service will answer is not known before it is here.
    pub longest_made: Option<u64>,
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
    /// The backend's answer: a picture, or its own 400.
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

/// For what a moment may mend.
fn unavailable(shortage: Shortage) -> Refusal {
    Refusal::Unavailable { shortage, retry_after: RETRY_SOON }
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
        Self::with_cause(unavailable(Shortage::StoreUnavailable), &fault)
    }
}

impl From<NoRandomness> for Stop {
    fn from(error: NoRandomness) -> Self {
        Self::with_cause(unavailable(Shortage::NoRoom), &error)
    }
}

impl Rmbg {
    /// Serves one request. `gone` is cancelled when the caller has left.
    ///
    /// The future must be run to its end: dropping it leaves settling to a background task.
    pub async fn serve(
        &self,
        visitor: &Visitor,
        upload: &mut Upload,
        gone: &CancellationToken,
        record: &mut Record,
    ) -> Result<Served, Stop> {
        let caller = record.time(Step::Caller, caller::identify(self, visitor)).await?;
        record.uid = caller.account().map(|account| account.uid.clone());
        record.channel = caller.channel();
        let passed = admit::account_limiter(self, &caller, record)?;
        failpoint::reach(Point::BeforeHold);
        let (limits, pledge) = record.time(Step::Admit, admit::admit(self, &caller, passed)).await;
        record.limits = limits;
        let pledge = pledge?;
        failpoint::reach(Point::AfterHold);
        let answer = tokio::select! {
            answer = self.answer((visitor, &caller), upload, record) => answer,
            () = gone.cancelled() => Err(Stop::Gone),
        };
        record.time(Step::Settle, settle(pledge, answer)).await
    }

    /// The part in between, which may be abandoned at any moment: form in, picture out.
    async fn answer(
        &self,
        (visitor, caller): (&Visitor, &Caller),
        upload: &mut Upload,
        record: &mut Record,
    ) -> Result<Answer, Stop> {
        let holder = Holder { client: visitor.client(), account: record.uid.clone() };
        let pixel_limit = caller.pixel_limit(&self.rules);
        let (form, image) = record.time(Step::Form, form::read(self, upload, &holder, pixel_limit)).await?;
        failpoint::reach(Point::AfterForm);
        record.bytes_in = image.len();
        let job = send::job(self, caller, (form, image), holder, record.request_id.clone());
        failpoint::reach(Point::BeforeSend);
        let answer = record.time(Step::Send, send::send(self, &job)).await?;
        failpoint::reach(Point::AfterAnswer);
        Ok(answer)
    }
}

/// Charges for a picture, and for nothing else: what else has a 2xx does not come this far.
async fn settle(pledge: Pledge, answer: Result<Answer, Stop>) -> Result<Served, Stop> {
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => {
            let spent = pledge.pool();
            failpoint::reach(Point::BeforeKeep);
            let remaining = pledge.keep().await?;
            failpoint::reach(Point::AfterKeep);
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
