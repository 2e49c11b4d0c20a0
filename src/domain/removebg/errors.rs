//! What a refusal is called in this dialect.

use crate::domain::{
    complaint::Complaint,
    order_fault::{FileRole, OrderFault},
    refusal::Refusal,
};
use serde::Serialize;
use std::borrow::Cow;

/// One entry of an error's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorEntry {
    /// For people.
    pub title: Cow<'static, str>,
    /// For people too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    /// For programs.
    pub code: Cow<'static, str>,
}

impl ErrorEntry {
    fn new(title: impl Into<Cow<'static, str>>, code: &'static str) -> Self {
        Self { title: title.into(), detail: None, code: code.into() }
    }
}

impl From<&OrderFault> for ErrorEntry {
    fn from(fault: &OrderFault) -> Self {
        Self { title: fault.title(), detail: fault.detail(), code: fault.code() }
    }
}

/// The entries that say why a request is refused. `without_key` is whether it was sent without any proof.
#[must_use]
pub fn errors(refusal: &Refusal, without_key: bool) -> Vec<ErrorEntry> {
    let entry = match refusal {
        Refusal::Order(faults) => return faults.iter().map(ErrorEntry::from).collect(),
        Refusal::Invalid(complaints) => return complaints.iter().map(of_picture).collect(),
        Refusal::TooManyPixels { pixels, most } => {
            ErrorEntry::from(&OrderFault::ResolutionTooHigh { found: format!("{pixels} pixels large"), most: *most })
        }
        Refusal::InvalidKey if without_key => ErrorEntry::new("Missing API Key", "auth_failed"),
        Refusal::InvalidKey | Refusal::InvalidToken => ErrorEntry::new("API Key invalid", "auth_failed"),
        Refusal::EmailNotVerified => {
            ErrorEntry { detail: Some(refusal.message()), ..ErrorEntry::new("API Key invalid", "auth_failed") }
        }
        Refusal::MonthlyLimit { .. } => ErrorEntry::new("Insufficient credits", "insufficient_credits"),
        Refusal::TooFast { .. } | Refusal::DailyLimit { .. } => {
            ErrorEntry::new("Rate limit exceeded", "rate_limit_exceeded")
        }
        Refusal::MalformedForm => ErrorEntry::new("Malformed request body", refusal.reason()),
        Refusal::BodyTooLarge
        | Refusal::AnswerTooLarge { .. }
        | Refusal::KeyAndToken
        | Refusal::BadSignature
        | Refusal::NotAnEvent
        | Refusal::NotFound
        | Refusal::MethodNotAllowed
        | Refusal::Internal
        | Refusal::BackendFailed
        | Refusal::TimedOut
        | Refusal::Unavailable { .. } => ErrorEntry::new(refusal.message(), refusal.reason()),
    };
    vec![entry]
}

/// What a backend, or the work on the picture, has against it: the only complaints of ours that an order can meet.
fn of_picture(complaint: &Complaint) -> ErrorEntry {
    if *complaint == Complaint::CorruptImage {
        return ErrorEntry::from(&OrderFault::FailedToRead(FileRole::Image));
    }
    ErrorEntry::new(complaint.message(), "invalid")
}
