//! The journey of a picture, in whichever dialect it is asked for: caller, admit, form, send, finish, settle.
//!
//! A journey that ends early charges nothing: the credit that was held at admission is released.

mod admit;
mod caller;
mod dialect;
mod finish;
mod form;
mod gone;
mod read_check;
mod send;
mod settle;
mod upload;

pub use dialect::{Dialect, Extras, Made};
pub use gone::Gone;
pub use read_check::ReadCheck;
pub use upload::Upload;

use crate::{
    backend::{Answer, Backend, CpuPool},
    clock::Clock,
    config::AnonymousConfig,
    domain::{
        complaint::Complaint,
        credit::Pool,
        limit::Limit,
        plan::{Plan, Terms},
        refusal::{Refusal, Shortage},
        transfer,
    },
    failpoint::{self, Point},
    fetch::Fetcher,
    identity::{ApiKeys, Visitor, account_limiter::AccountLimiter, user_token::UserTokens},
    random::NoRandomness,
    spool::{Budgets, Holder},
    store::{Fault, Metering},
    telemetry::{
        OpenPledges, Record, Step, TokenMetrics,
        panics::{self, Panicked},
    },
};
use caller::{Awaited, Caller, Sender};
use dialect::Asked;
use settle::Pledge;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::task::TaskTracker;

/// How long a caller should wait after a 503.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// The parts that serve pictures. Clones share all but the settings.
#[derive(Clone)]
pub struct Rmbg {
    /// Accounts, limits and credits.
    pub store: Arc<dyn Metering>,
    /// The backend that removes the background.
    pub backend: Arc<dyn Backend>,
    /// Finds the accounts of API keys.
    pub api_keys: Arc<ApiKeys>,
    /// Finds the users of user tokens.
    pub user_tokens: Arc<UserTokens>,
    /// The series of user tokens.
    pub tokens: TokenMetrics,
    /// Rejects a flood of requests of one account before the store is asked.
    pub account_limiter: Arc<AccountLimiter>,
    /// The clock by which keys and tokens expire.
    pub clock: Clock,
    /// The budgets for the bodies of uploads and answers.
    pub budgets: Budgets,
    /// Where the answers of backends are finished.
    pub cpu_pool: CpuPool,
    /// Reads pictures before a metered backend is paid for them.
    pub read_check: ReadCheck,
    /// Fetches pictures from URLs, if that is allowed.
    pub fetcher: Option<Fetcher>,
    /// The settings.
    pub rules: Rules,
    /// The releases that are still owed after their requests have ended. A stop waits for them.
    pub tasks: TaskTracker,
    /// The pledges that are open, for the metrics.
    pub pledges: OpenPledges,
}

/// The settings of the journey.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Plans by name.
    pub plans: BTreeMap<String, Plan>,
    /// The default plan, and how long a subscription goes on without news. The default plan also applies to accounts
    /// whose own plan is not configured any more.
    pub terms: Terms,
    /// The limits of callers with neither key nor token.
    pub anonymous: AnonymousConfig,
    /// Whether the first valid token of an unknown user creates an account.
    pub create_accounts: bool,
    /// The time within which the whole upload must arrive.
    pub upload_timeout: Duration,
    /// The slowest upload that is accepted before that.
    pub upload_rate: transfer::TransferRate,
    /// The time within which the backend's whole answer must arrive, with the time in the queue.
    pub answer_timeout: Duration,
    /// The most pixels that a picture may have.
    pub pixel_limit: Option<u64>,
    /// The longest answer, in bytes, if answers are made in this process. The length of a service's answer is not known
    /// before it has arrived.
    pub longest_made: Option<u64>,
    /// Whether a picture costs us something at the backend.
    pub is_metered: bool,
    /// The models that callers in the dialect of `rembg s` may name. What is configured serves them.
    pub rembg_models: Vec<String>,
}

impl Rules {
    /// How long a credit is held: longer than any request can take.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.upload_timeout + self.answer_timeout + Duration::from_secs(30)
    }
}

/// An answer of the backend, and what the caller is told with it.
#[derive(Debug)]
pub struct Served {
    /// The answer: a picture, or the backend's own 400.
    pub answer: Answer,
    /// The pool that the credit came from; `None` if the answer costs nothing.
    pub spent: Option<Pool>,
    /// How many credits the payer can still spend, if the store knows.
    pub remaining: Option<u64>,
    /// The caller's limits.
    pub limits: Vec<Limit>,
    /// What a dialect tells beside the answer.
    pub extras: Extras,
}

/// Why a journey ended early.
#[derive(Debug)]
pub enum Stop {
    /// The caller is refused.
    Refused {
        /// The error that the caller reads.
        refusal: Refusal,
        /// The cause, for the log only.
        cause: Option<String>,
        /// The caller's limits. They are empty if no limit has been checked.
        limits: Vec<Limit>,
    },
    /// The caller has left.
    Gone,
}

/// The refusal because of a shortage that may soon be over.
fn unavailable(shortage: Shortage) -> Refusal {
    Refusal::Unavailable { shortage, retry_after: RETRY_SOON }
}

impl Stop {
    fn with_cause(refusal: Refusal, cause: &(impl ToString + ?Sized)) -> Self {
        Self::Refused { refusal, cause: Some(cause.to_string()), limits: Vec::new() }
    }

    fn with_limits(self, limits: Vec<Limit>) -> Self {
        match self {
            Self::Refused { refusal, cause, .. } => Self::Refused { refusal, cause, limits },
            Self::Gone => Self::Gone,
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, cause: None, limits: Vec::new() }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::with_cause(unavailable(Shortage::StoreUnavailable), &fault.cause())
    }
}

impl From<NoRandomness> for Stop {
    fn from(error: NoRandomness) -> Self {
        Self::with_cause(unavailable(Shortage::NoRoom), &error)
    }
}

impl From<Panicked> for Stop {
    fn from(_: Panicked) -> Self {
        Refusal::Internal.into()
    }
}

impl Rmbg {
    /// Serves one request. `gone` tells whether the caller has left. After a panic, the caller gets an internal error.
    ///
    /// The future must be run to its end. If it is dropped, a background task releases the credit.
    pub async fn serve(
        &self,
        visitor: &Visitor,
        upload: &mut Upload,
        gone: &Gone,
        record: &mut Record,
    ) -> Result<Served, Stop> {
        let (caller, pledge, limits) = panics::caught(self.admit(visitor, record)).await??;
        let served = async {
            failpoint::reach(Point::AfterHold);
            let answer = tokio::select! {
                answer = self.answer((visitor, &caller), upload, record) => answer,
                () = gone.noted() => Err(Stop::Gone),
            };
            record.time(Step::Settle, settle(pledge, answer)).await
        };
        // The dropped pledge releases the credit after a panic.
        match panics::caught(served).await.unwrap_or_else(|panicked| Err(panicked.into())) {
            Ok(served) => Ok(Served { limits, ..served }),
            Err(stop) => Err(stop.with_limits(limits)),
        }
    }

    /// Identifies the caller and holds one credit.
    async fn admit(&self, visitor: &Visitor, record: &mut Record) -> Result<(Caller, Pledge, Vec<Limit>), Stop> {
        let caller = record.time(Step::Caller, caller::identify(self, visitor)).await?;
        record.uid = caller.account().map(|account| account.uid.clone());
        (record.caller, record.plan) = (caller.kind(), caller.plan(&self.rules));
        record.key = caller.key_id().cloned();
        caller.may_call()?;
        let passed = admit::account_limiter(self, &caller, record)?;
        failpoint::reach(Point::BeforeHold);
        let (pledge, limits) = record.time(Step::Admit, admit::admit(self, &caller, passed)).await?;
        Ok((caller, pledge, limits))
    }

    /// Reads the form and gets the backend's answer. It may be abandoned at any moment.
    async fn answer(
        &self,
        (visitor, caller): (&Visitor, &Caller),
        upload: &mut Upload,
        record: &mut Record,
    ) -> Result<(Answer, Extras), Stop> {
        let holder = Holder { client: visitor.client(), account: record.uid.clone() };
        let awaited = Awaited::default();
        let sender = Sender { caller, holder: &holder, awaited: &awaited };
        let asked = record.time(Step::Form, form::read(self, upload, sender)).await;
        record.awaited = upload.awaited() + awaited.get();
        let asked = asked?;
        failpoint::reach(Point::AfterForm);
        let Asked { form, image, finishing, mut extras } = asked;
        record.image_bytes = image.len();
        let request = send::request(self, sender, (form, image), record);
        let request = Arc::new(match &finishing {
            Some(finishing) => {
                let prepared = Box::pin(finish::prepared(self, request, finishing));
                record.time(Step::Prepare, prepared).await?
            }
            None => request,
        });
        failpoint::reach(Point::BeforeSend);
        let mut answer = record.time(Step::Send, send::send(self, &request)).await?;
        failpoint::reach(Point::AfterAnswer);
        if answer.status == 400 && !matches!(upload.dialect, Dialect::Rmbg) {
            let refusal = Refusal::Invalid(vec![Complaint::CorruptImage]);
            return Err(Stop::with_cause(refusal, "the backend answered 400, in words of another dialect"));
        }
        if let Some(finishing) = &finishing {
            let finished = Box::pin(finish::finish(self, &request, finishing, answer));
            let finished = record.time(Step::Finish, finished).await?;
            (answer, extras.made) = (finished.0, Some(finished.1));
        }
        Ok((answer, extras))
    }
}

/// Charges for a picture, and for nothing else. Any other answer with a 2xx has already failed in the send step.
async fn settle(pledge: Pledge, answer: Result<(Answer, Extras), Stop>) -> Result<Served, Stop> {
    match answer {
        Ok((answer, extras)) if (200..300).contains(&answer.status) => {
            let spent = pledge.pool();
            failpoint::reach(Point::BeforeKeep);
            let remaining = pledge.keep().await?;
            failpoint::reach(Point::AfterKeep);
            Ok(Served { answer, spent, remaining, limits: Vec::new(), extras })
        }
        Ok((answer, extras)) => {
            pledge.release().await;
            Ok(Served { answer, spent: None, remaining: None, limits: Vec::new(), extras })
        }
        Err(stop) => {
            pledge.release().await;
            Err(stop)
        }
    }
}
