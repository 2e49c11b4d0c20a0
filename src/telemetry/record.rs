//! The record of one request, filled in along its way.

use super::{
    backend_use::BackendUse,
    label::{CallerKind, PANIC, RejectedBy, Route, Step, StripeOutcome, StripeType},
};
use crate::domain::{
    account::Uid, api_key::KeyId, credit::Pool, refusal::Refusal, shared_text::SharedText, trace::Trace,
};
use futures_util::FutureExt as _;
use std::{net::IpAddr, time::Duration};
use tokio::time::Instant;

/// Room for the steps of most pictures.
const STEPS: usize = 6;

/// One request from its first byte to the answer's head.
#[derive(Debug)]
pub struct Record {
    /// The request's id; the caller is told the same.
    pub request_id: SharedText,
    /// The endpoint.
    pub route: Route,
    /// When the request's head was complete.
    pub started: Instant,
    /// How long each step took, in the order they ended.
    pub steps: Vec<(Step, Duration)>,
    /// The trace that the request belongs to; `None` if there was no randomness for a new one.
    pub trace: Option<Trace>,
    /// The client's address, for the log only.
    pub client: Option<IpAddr>,
    /// The kind of caller.
    pub caller: CallerKind,
    /// The account, for the log only.
    pub uid: Option<Uid>,
    /// The API key that opened it, for the log only.
    pub key: Option<KeyId>,
    /// The configured plan that applies to the account.
    pub plan: Option<String>,
    /// The check that rejected the request before the store was asked.
    pub rejected_by: Option<RejectedBy>,
    /// The pool that the credit came from, once it was spent.
    pub spent: Option<Pool>,
    /// Length of the uploaded image.
    pub image_bytes: u64,
    /// Bytes of the request's body that were read until the answer.
    pub received: u64,
    /// The answer's status; `None` if nobody waited for an answer.
    pub status: Option<u16>,
    /// Length of the answer.
    pub bytes_out: u64,
    /// The time that the request waited for bytes of its caller, and for those at addresses that its caller has named.
    pub awaited: Duration,
    /// What the picture took of the backend.
    pub backend: BackendUse,
    /// Each of Stripe's events that a webhook brought or freed.
    pub events: Vec<StripeEvent>,
    /// How it ended.
    pub outcome: Outcome,
    /// Details for the log that the caller is not told, such as the words of a backend or the store.
    pub cause: Option<String>,
}

impl Record {
    /// A record of a request that begins now.
    #[must_use]
    pub fn begin(request_id: SharedText, route: Route) -> Self {
        Self::of((request_id, route), Instant::now(), BackendUse::default())
    }

    fn of((request_id, route): (SharedText, Route), started: Instant, backend: BackendUse) -> Self {
        Self {
            request_id,
            route,
            started,
            steps: Vec::new(),
            trace: None,
            client: None,
            caller: CallerKind::Rejected,
            uid: None,
            key: None,
            plan: None,
            rejected_by: None,
            spent: None,
            image_bytes: 0,
            received: 0,
            status: None,
            bytes_out: 0,
            awaited: Duration::ZERO,
            backend,
            events: Vec::new(),
            outcome: Outcome::Abandoned,
            cause: None,
        }
    }

    /// Another record of the same request, for what happens after the first one was lost in a panic.
    #[must_use]
    pub fn again(&self) -> Self {
        let same = Self::of((self.request_id.clone(), self.route), self.started, self.backend.clone());
        Self { trace: self.trace, client: self.client, ..same }
    }

    /// Runs one step and notes how long it took. (An `async fn` would hold the work twice.)
    pub fn time<T>(&mut self, step: Step, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let started = Instant::now();
        if self.steps.is_empty() {
            self.steps.reserve(STEPS);
        }
        work.map(move |done| {
            self.steps.push((step, started.elapsed()));
            done
        })
    }
}

/// What became of an event of Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripeEvent {
    /// What it is about.
    pub kind: StripeType,
    /// What became of it.
    pub outcome: StripeOutcome,
    /// The time from the making of the event to its application; `None` if it was not applied.
    pub lag: Option<Duration>,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The caller got what it asked for.
    Served,
    /// The backend's own 400 was passed on, uncharged.
    BackendRefused,
    /// The caller got an error of ours.
    Refused(Refusal),
    /// The caller disconnected before there was an answer.
    Abandoned,
}

impl Outcome {
    /// The label's value.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::BackendRefused => "backend_refused",
            Self::Refused(Refusal::Internal) => PANIC,
            Self::Refused(refusal) => refusal.reason(),
            Self::Abandoned => "abandoned",
        }
    }
}
