//! The labels of requests.

#[cfg(test)]
mod tests;

use super::{Label, label};
use crate::domain::credit::{Channel, Pool};

label! {
    /// A public endpoint, as metrics name it.
    Route {
        /// `POST /rmbg`
        Rmbg = "rmbg",
        /// `POST /v1.0/removebg`
        RemoveBg = "removebg",
        /// `GET /v1.0/account`
        RemoveBgAccount = "removebg_account",
        /// `/api/remove`
        Rembg = "rembg",
        /// `GET /api/membership-usage`
        MembershipUsage = "membership_usage",
        /// `POST /api/webhooks/stripe`
        StripeWebhook = "stripe_webhook",
        /// The pages for people, their assets, and `GET /api/openapi`.
        Pages = "pages",
        /// Anything else.
        Other = "other",
    }
}

impl Route {
    /// Whether it answers with pictures.
    #[must_use]
    pub fn serves_pictures(self) -> bool {
        matches!(self, Self::Rmbg | Self::RemoveBg | Self::Rembg)
    }
}

label! {
    /// Who has sent a request.
    CallerKind {
        /// The holder of an API key.
        Api = "api",
        /// A signed-in user.
        App = "app",
        /// A client without a credential, which may use the service.
        Anonymous = "anonymous",
        /// Nobody was identified: the request was refused before, or needs no caller.
        Rejected = "rejected",
    }
}

impl From<Channel> for CallerKind {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Api => Self::Api,
            Channel::App => Self::App,
        }
    }
}

label! {
    /// The class of an answer's status, as seen by the caller.
    StatusClass {
        /// 2xx
        Success = "2xx",
        /// 3xx
        Redirection = "3xx",
        /// 4xx but for 429
        CallersFault = "4xx",
        /// 429
        TooMany = "429",
        /// 5xx
        OurFault = "5xx",
        /// The caller left before there was an answer.
        Abandoned = "abandoned",
    }
}

impl StatusClass {
    /// The class of this status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            ..300 => Self::Success,
            300..400 => Self::Redirection,
            429 => Self::TooMany,
            400..500 => Self::CallersFault,
            500.. => Self::OurFault,
        }
    }
}

label! {
    /// The checks that reject requests or connections before they cost the store anything.
    RejectedBy {
        /// Too many bad credentials from one client.
        BadCredentials = "bad_credentials",
        /// Too many connections of one client at once.
        Connections = "connections",
        /// Too many requests of one client at once.
        InFlight = "in_flight",
        /// Too many requests of one account in a short time.
        RateLimit = "rate_limit",
    }
}

label! {
    /// A step of the journey, as metrics name it.
    Step {
        /// The caller is identified.
        Caller = "caller",
        /// Limits, and one credit held.
        Admit = "admit",
        /// The form read and judged.
        Form = "form",
        /// A picture is read before a metered backend is paid for it.
        Prepare = "prepare",
        /// Sent to the backend, and its whole answer read.
        Send = "send",
        /// What the backend cannot do is done to its answer.
        Finish = "finish",
        /// Kept or released.
        Settle = "settle",
    }
}

/// The pool that a picture was charged to, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLabel(pub Option<Pool>);

impl Label for PoolLabel {
    const NAMES: &'static [&'static str] = &["included", "prepaid", "daily"];

    fn number(self) -> usize {
        match self.0 {
            Some(Pool::Included) => 0,
            Some(Pool::Prepaid) => 1,
            None => 2,
        }
    }
}

/// How a request ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeName(usize);

/// The names of outcomes: ours, then those of the refusals.
const OUTCOMES: [&str; 27] = [
    "served",
    "backend_refused",
    "abandoned",
    PANIC,
    "invalid",
    "malformed_form",
    "body_too_large",
    "too_many_pixels",
    "answer_too_large",
    "key_and_token",
    "invalid_key",
    "invalid_token",
    "email_not_verified",
    "too_fast",
    "daily_limit",
    "monthly_limit",
    "bad_signature",
    "not_an_event",
    "not_found",
    "method_not_allowed",
    "backend_failed",
    "timed_out",
    "queue_full",
    "backend_unavailable",
    "backend_account_exhausted",
    "store_unavailable",
    "no_room",
];

/// An outcome without a name counts as a panic: it is a mistake of this program. A test says that there is none.
const UNKNOWN: usize = 3;

/// The outcome of a request that panicked. Its caller reads `internal_error`.
pub(in crate::telemetry) const PANIC: &str = "panic";

impl OutcomeName {
    /// The outcome of this name.
    pub(in crate::telemetry) fn named(name: &str) -> Self {
        Self(OUTCOMES.iter().position(|known| *known == name).unwrap_or(UNKNOWN))
    }
}

impl Label for OutcomeName {
    const NAMES: &'static [&'static str] = &OUTCOMES;

    fn number(self) -> usize {
        self.0
    }
}
