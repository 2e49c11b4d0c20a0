//! How errors are written: in our form, or in that of the API that was called. Status codes and bodies of others' APIs are
//! known here only.

#[cfg(test)]
mod tests;

use super::{
    dialect_headers::{LIMIT, REMAINING, RESET},
    rate_limit::{self, whole_seconds},
    reply,
    state::PublicState,
};
use crate::domain::{
    complaint::Complaint,
    limit::Limit,
    refusal::Refusal,
    removebg::{ErrorEntry, errors},
    time::UnixSeconds,
};
use axum::response::Response;
use hyper::{HeaderMap, StatusCode, header};
use serde::Serialize;

/// Where remove.bg's API lies.
const REMOVEBG: &str = "/v1.0/";

/// Where the API of `rembg s` lies.
const REMBG: &str = "/api/remove";

/// How errors are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum ErrorForm {
    /// In the contract's form.
    Own,
    /// In that of remove.bg's API.
    RemoveBg {
        /// What times are told by.
        now: UnixSeconds,
        /// Whether no credentials were sent.
        without_key: bool,
    },
    /// In that of `rembg s`.
    Rembg,
}

#[derive(Serialize)]
struct RemoveBgBody {
    errors: Vec<ErrorEntry>,
}

#[derive(Serialize)]
struct RembgBody {
    detail: String,
}

impl ErrorForm {
    /// The form of the API that has this path.
    pub(super) fn of(public: &PublicState, path: &str) -> Self {
        if public.dialects.removebg && path.starts_with(REMOVEBG) {
            Self::RemoveBg { now: public.rmbg.clock.now().seconds(), without_key: false }
        } else if public.dialects.rembg && path == REMBG {
            Self::Rembg
        } else {
            Self::Own
        }
    }

    /// An error. The limits are empty if none has been checked.
    pub(super) fn write(self, refusal: &Refusal, limits: &[Limit], request_id: &str) -> Response {
        let mut answer = match self {
            Self::Own => reply::refused(refusal, request_id),
            Self::RemoveBg { now, without_key } => removebg((now, without_key), refusal, limits, request_id),
            Self::Rembg => rembg(refusal, request_id),
        };
        rate_limit::write(answer.headers_mut(), limits);
        answer
    }
}

fn removebg(
    (now, without_key): (UnixSeconds, bool),
    refusal: &Refusal,
    limits: &[Limit],
    request_id: &str,
) -> Response {
    let status = removebg_status(refusal);
    let mut answer = reply::json(&RemoveBgBody { errors: errors(refusal, without_key) }, request_id);
    *answer.status_mut() = status;
    if let Some(span) = refusal.retry_after().filter(|_| status != StatusCode::PAYMENT_REQUIRED) {
        let headers = answer.headers_mut();
        headers.insert(header::RETRY_AFTER, whole_seconds(span).into());
        if status == StatusCode::TOO_MANY_REQUESTS {
            let reset = seconds_after(now, whole_seconds(span));
            for (name, value) in [(LIMIT, 0), (REMAINING, 0), (RESET, reset)] {
                headers.insert(name, value.into());
            }
            write_limit(headers, now, limits);
        }
    }
    answer
}

fn removebg_status(refusal: &Refusal) -> StatusCode {
    if matches!(refusal, Refusal::InvalidKey | Refusal::InvalidToken | Refusal::EmailNotVerified) {
        StatusCode::FORBIDDEN
    } else if matches!(refusal, Refusal::MonthlyLimit { .. }) {
        StatusCode::PAYMENT_REQUIRED
    } else if matches!(refusal, Refusal::TooManyPixels { .. }) {
        StatusCode::BAD_REQUEST
    } else {
        reply::status_of(refusal)
    }
}

/// Tells the short-term limit as remove.bg does, or without one the month's.
pub(super) fn write_limit(headers: &mut HeaderMap, now: UnixSeconds, limits: &[Limit]) {
    if let Some((limit, left)) = limits.first().and_then(|limit| Some((limit, limit.left?))) {
        let reset = seconds_after(now, whole_seconds(left.resets_in));
        for (name, value) in [(LIMIT, limit.quota), (REMAINING, left.requests), (RESET, reset)] {
            headers.insert(name, value.into());
        }
    }
}

fn seconds_after(now: UnixSeconds, seconds: u64) -> u64 {
    u64::try_from(now.0).unwrap_or_default().saturating_add(seconds)
}

/// Our status and our sentence.
fn rembg(refusal: &Refusal, request_id: &str) -> Response {
    let mut detail = refusal.message().into_owned();
    let mut status = reply::status_of(refusal);
    if let Refusal::Invalid(complaints) = refusal {
        detail = complaints.iter().map(Complaint::message).collect::<Vec<_>>().join(" ");
        if complaints.contains(&Complaint::MissingFile) {
            status = StatusCode::UNPROCESSABLE_ENTITY;
        }
    }
    let mut answer = reply::json(&RembgBody { detail }, request_id);
    *answer.status_mut() = status;
    if let Some(span) = refusal.retry_after() {
        answer.headers_mut().insert(header::RETRY_AFTER, whole_seconds(span).into());
    }
    answer
}
