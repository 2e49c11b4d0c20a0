//! The record of one request, filled in along its way.

use crate::domain::{
    account::Uid,
    credit::{Channel, Pool},
    refusal::Refusal,
};
use std::time::Duration;
use tokio::time::Instant;

/// One request from its first byte to the answer's head.
#[derive(Debug)]
pub struct Record {
    /// The request's id; the caller is told the same.
    pub request_id: String,
    /// The endpoint.
    pub route: Route,
    /// When the request's head was complete.
    pub started: Instant,
    /// How long each step took, in the order they ended.
    pub steps: Vec<(Step, Duration)>,
    /// The account, for the log only.
    pub uid: Option<Uid>,
    /// The usage counter that it belongs to.
    pub channel: Option<Channel>,
    /// The check that rejected the request before the store was asked.
    pub rejected_by: Option<RejectedBy>,
    /// The pool that the credit came from, once it was spent.
    pub spent: Option<Pool>,
    /// Length of the uploaded image.
    pub bytes_in: u64,
    /// Length of the answer.
    pub bytes_out: u64,
    /// The outcome of each of Stripe's events that a webhook brought or freed: names from a closed set.
    pub events: Vec<&'static str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Details for the log that the caller is not told, such as the words of a backend or the store.
    pub cause: Option<String>,
}

impl Record {
    /// A record of a request that begins now.
    #[must_use]
    pub fn begin(request_id: String, route: Route) -> Self {
        Self {
            request_id,
            route,
            started: Instant::now(),
            steps: Vec::new(),
            uid: None,
            channel: None,
            rejected_by: None,
            spent: None,
            bytes_in: 0,
            bytes_out: 0,
            events: Vec::new(),
            outcome: Outcome::Abandoned,
            cause: None,
        }
    }

    /// Runs one step and notes how long it took.
    pub async fn time<T>(&mut self, step: Step, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = work.await;
        self.steps.push((step, started.elapsed()));
        done
    }
}

/// A public endpoint, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /rmbg`
    Rmbg,
    /// `POST /v1.0/removebg`
    RemoveBg,
    /// `GET /v1.0/account`
    RemoveBgAccount,
    /// `/api/remove`
    Rembg,
    /// `GET /api/membership-usage`
    MembershipUsage,
    /// `POST /api/webhooks/stripe`
    StripeWebhook,
    /// The pages for people, their assets, and `GET /api/openapi`.
    Pages,
    /// Anything else.
    Other,
}

impl Route {
    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rmbg => "rmbg",
            Self::RemoveBg => "removebg",
            Self::RemoveBgAccount => "removebg_account",
            Self::Rembg => "rembg",
            Self::MembershipUsage => "membership_usage",
            Self::StripeWebhook => "stripe_webhook",
            Self::Pages => "pages",
            Self::Other => "other",
        }
    }
}

/// The checks that reject requests or connections before they cost the store anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedBy {
    /// Too many bad credentials from one client.
    BadCredentials,
    /// Too many connections of one client at once.
    Connections,
    /// Too many requests of one client at once.
    InFlight,
    /// Too many requests of one account in a short time.
    RateLimit,
}

impl RejectedBy {
    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadCredentials => "bad_credentials",
            Self::Connections => "connections",
            Self::InFlight => "in_flight",
            Self::RateLimit => "rate_limit",
        }
    }
}

/// A step of the journey, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The caller is identified.
    Caller,
    /// Limits, and one credit held.
    Admit,
    /// The form read and judged.
    Form,
    /// Sent to the backend, and its whole answer read.
    Send,
    /// What the backend cannot do is done to its answer.
    Finish,
    /// Kept or released.
    Settle,
}

impl Step {
    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Admit => "admit",
            Self::Form => "form",
            Self::Send => "send",
            Self::Finish => "finish",
            Self::Settle => "settle",
        }
    }
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
            Self::Refused(refusal) => refusal.reason(),
            Self::Abandoned => "abandoned",
        }
    }
}
