//! All errors that a caller can get, with their words: the one table (contract, section 1).

use super::{complaint::Complaint, order_fault::OrderFault};
use std::{borrow::Cow, time::Duration};

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The form or the query has these faults; at least one.
    Invalid(Vec<Complaint>),
    /// The same in the dialect of remove.bg.
    Order(Vec<OrderFault>),
    /// The multipart body breaks its own framing.
    MalformedForm,
    /// A body that no documented message covers.
    BodyTooLarge,
    /// The picture has more pixels than this gateway's backend takes, though its width and height are within the
    /// contract.
    TooManyPixels {
        /// Width × height of the picture.
        pixels: u64,
        /// The configured maximum.
        most: u64,
    },
    /// The requested answer is known to be longer than this gateway keeps.
    AnswerTooLarge {
        /// The answer's.
        bytes: u64,
        /// The configured maximum.
        most: u64,
    },
    /// An API key and a user token at once.
    KeyAndToken,
    /// No such API key, or none where one is needed.
    InvalidKey,
    /// A bad, expired or wrong-audience user token.
    InvalidToken,
    /// The account's e-mail address is not verified.
    EmailNotVerified,
    /// The short-term limit.
    TooFast {
        /// The time until asking again makes sense.
        retry_after: Duration,
    },
    /// The anonymous daily limit.
    DailyLimit {
        /// The time until asking again makes sense.
        retry_after: Duration,
    },
    /// The account has no credit left.
    MonthlyLimit {
        /// The time until asking again makes sense.
        retry_after: Duration,
    },
    /// A webhook that is not signed by Stripe, or not lately.
    BadSignature,
    /// A webhook with a valid signature that is not an event.
    NotAnEvent,
    /// No such path.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// A mistake in this program. The words promise nothing, because nobody knows how far the request had come.
    Internal,
    /// The backend failed, or its answer was incomplete.
    BackendFailed,
    /// The backend, or the request as a whole, took too long.
    TimedOut,
    /// Something that a picture needs is unavailable right now.
    Unavailable {
        /// The reason.
        shortage: Shortage,
        /// The time until asking again makes sense.
        retry_after: Duration,
    },
}

/// The reason of a 503. All share one message, and the code tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The queue before the backend is full, or too long for the request's deadline.
    QueueFull,
    /// No backend answers.
    BackendUnavailable,
    /// Our own account at the backend is spent or asked too fast.
    BackendAccountExhausted,
    /// The store, or an identity provider's keys, cannot be read.
    StoreUnavailable,
    /// No memory or disk is left for a body.
    NoRoom,
}

impl Shortage {
    /// Every shortage.
    pub const ALL: [Self; 5] = [
        Self::QueueFull,
        Self::BackendUnavailable,
        Self::BackendAccountExhausted,
        Self::StoreUnavailable,
        Self::NoRoom,
    ];

    /// The contract's `code` (section 1).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::BackendUnavailable => "backend_unavailable",
            Self::BackendAccountExhausted => "backend_account_exhausted",
            Self::StoreUnavailable => "store_unavailable",
            Self::NoRoom => "no_room",
        }
    }
}

impl Refusal {
    /// The words for the caller.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        let words = match self {
            Self::Invalid(complaints) => match complaints.as_slice() {
                [only] => return only.message().into(),
                _ => "Multiple validation errors",
            },
            Self::Order(faults) => match faults.as_slice() {
                [only] => return only.title(),
                _ => "Multiple validation errors",
            },
            Self::TooManyPixels { pixels, most } => {
                return format!("Image has {pixels} pixels, which exceeds the maximum of {most} processed here.")
                    .into();
            }
            Self::AnswerTooLarge { bytes, most } => {
                return format!(
                    "The result would have {bytes} bytes, which exceeds the maximum of {most} sent from here. Ask for \
                     another format or for a smaller picture."
                )
                .into();
            }
            Self::MalformedForm => "Malformed multipart/form-data body",
            Self::BodyTooLarge => "Request body is too large.",
            Self::KeyAndToken => "This is a mistake: Cannot use both API key and user token",
            Self::InvalidKey => "invalid api key",
            Self::InvalidToken => "invalid user token",
            Self::EmailNotVerified => "Email address not verified \u{2013} please check your inbox",
            Self::TooFast { .. } => "You're making requests too quickly, Please Upgrade or slow down.",
            Self::DailyLimit { .. } => "You've reached your daily limit. Please sign up for more access.",
            Self::MonthlyLimit { .. } => "You've reached your monthly limit. Consider purchasing more credits.",
            Self::BadSignature => "invalid signature",
            Self::NotAnEvent => "The body is not a snapshot event of Stripe.",
            Self::NotFound => "not found",
            Self::MethodNotAllowed => "method not allowed",
            Self::Internal => "Internal error.",
            Self::BackendFailed => "The background-removal service failed. You have not been charged.",
            Self::TimedOut => "The background-removal service timed out. You have not been charged.",
            Self::Unavailable { .. } => "The service is busy. Please retry shortly.",
        };
        words.into()
    }

    /// A short name from a closed set, for metrics and logs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::Order(_) => "invalid",
            Self::MalformedForm => "malformed_form",
            Self::BodyTooLarge => "body_too_large",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::AnswerTooLarge { .. } => "answer_too_large",
            Self::KeyAndToken => "key_and_token",
            Self::InvalidKey => "invalid_key",
            Self::InvalidToken => "invalid_token",
            Self::EmailNotVerified => "email_not_verified",
            Self::TooFast { .. } => "too_fast",
            Self::DailyLimit { .. } => "daily_limit",
            Self::MonthlyLimit { .. } => "monthly_limit",
            Self::BadSignature => "bad_signature",
            Self::NotAnEvent => "not_an_event",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Internal => "internal_error",
            Self::BackendFailed => "backend_failed",
            Self::TimedOut => "timed_out",
            Self::Unavailable { shortage, .. } => shortage.code(),
        }
    }

    /// Whether the cause is a mistake of this program.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Internal)
    }

    /// Whether the cause is on our side, so that an operator should look at it.
    #[must_use]
    pub fn is_our_fault(&self) -> bool {
        matches!(self, Self::Internal | Self::BackendFailed | Self::TimedOut | Self::Unavailable { .. })
    }

    /// The time until asking again makes sense; sent as `Retry-After` with every 429 and 503.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooFast { retry_after }
            | Self::DailyLimit { retry_after }
            | Self::MonthlyLimit { retry_after }
            | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            Self::Invalid(_)
            | Self::Order(_)
            | Self::MalformedForm
            | Self::BodyTooLarge
            | Self::TooManyPixels { .. }
            | Self::AnswerTooLarge { .. }
            | Self::KeyAndToken
            | Self::InvalidKey
            | Self::InvalidToken
            | Self::EmailNotVerified
            | Self::BadSignature
            | Self::NotAnEvent
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Internal
            | Self::BackendFailed
            | Self::TimedOut => None,
        }
    }
}
