//! Writes the contract's answers. Only this module knows their status codes and JSON error bodies (section 1).

#[cfg(test)]
mod described;
#[cfg(test)]
mod tests;

use super::{
    rate_limit::{self, whole_seconds},
    spooled_body::SpooledBody,
};
use crate::{
    domain::{
        base64::{self, Encoder},
        complaint::Complaint,
        refusal::Refusal,
    },
    rmbg::Served,
    spool::Spooled,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use hyper::{
    HeaderMap, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use serde::Serialize;
use std::{io, sync::Arc};

/// The id of the request, in the answer and in the log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How many credits the answer cost.
pub(super) const CREDITS_CHARGED: HeaderName = HeaderName::from_static("x-credits-charged");

/// How many credits the account can still spend.
pub(super) const CREDITS_REMAINING: HeaderName = HeaderName::from_static("x-credits-remaining");

/// Room for the headers of a picture, whichever dialect it is in: they are put into their map without growing it.
const HEADERS: usize = 12;

/// The error body. The members that the contract does not have come last.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
    status: u16,
    code: &'a str,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Detail {
    field: &'static str,
    message: String,
}

/// An error of the contract.
pub(super) fn refused(refusal: &Refusal, request_id: &str) -> Response {
    let status = status_of(refusal);
    let body = ErrorBody {
        error: &refusal.message(),
        details: details_of(refusal),
        status: status.as_u16(),
        code: refusal.reason(),
        request_id,
    };
    let mut response = json(&body, request_id);
    *response.status_mut() = status;
    if let Some(span) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, whole_seconds(span).into());
    }
    response
}

/// The backend's answer: a picture, or its own 400.
pub(super) fn picture(served: Served, request_id: &str) -> Response {
    let answer = served.answer;
    let length = answer.body.len();
    let mut response = with_room(Body::new(SpooledBody::new(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    tell_credits(headers, served.spent.is_some(), served.remaining);
    if let Some(value) = answer.content_type.and_then(|kind| HeaderValue::try_from(kind).ok()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    rate_limit::write(headers, &served.limits);
    with_request_id(response, request_id)
}

/// A picture as base64 in a text of JSON, between these beginning and end.
pub(super) fn picture_in_json(served: Served, (start, end): (&str, &str), request_id: &str) -> Response {
    let body = served.answer.body;
    let length = start.len() as u64 + base64::encoded_length(body.len()) + end.len() as u64;
    let (start, end) = (Bytes::copy_from_slice(start.as_bytes()), Bytes::copy_from_slice(end.as_bytes()));
    let mut response = with_room(base64_of(body, start, end));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    tell_credits(headers, served.spent.is_some(), served.remaining);
    rate_limit::write(headers, &served.limits);
    with_request_id(response, request_id)
}

fn with_room(body: Body) -> Response {
    let mut response = Response::new(body);
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response
}

fn tell_credits(headers: &mut HeaderMap, spent: bool, remaining: Option<u64>) {
    headers.insert(CREDITS_CHARGED, u64::from(spent).into());
    if let Some(credits) = remaining {
        headers.insert(CREDITS_REMAINING, credits.into());
    }
}

/// `200` and a JSON value that caches must not keep: it is meant for one caller, and an error may soon be over.
pub(super) fn json(value: &impl Serialize, request_id: &str) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = with_room(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    with_request_id(response, request_id)
}

pub(super) fn with_request_id(mut response: Response, request_id: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The contract's status of each refusal.
pub(super) fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Invalid(_)
        | Refusal::Order(_)
        | Refusal::MalformedForm
        | Refusal::KeyAndToken
        | Refusal::BadSignature
        | Refusal::NotAnEvent => StatusCode::BAD_REQUEST,
        Refusal::BodyTooLarge | Refusal::TooManyPixels { .. } | Refusal::AnswerTooLarge { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Refusal::InvalidKey | Refusal::InvalidToken => StatusCode::UNAUTHORIZED,
        Refusal::EmailNotVerified => StatusCode::FORBIDDEN,
        Refusal::TooFast { .. } | Refusal::DailyLimit { .. } | Refusal::MonthlyLimit { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::BackendFailed => StatusCode::BAD_GATEWAY,
        Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::TimedOut => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// Two or more complaints are listed; a single one is the message itself.
fn details_of(refusal: &Refusal) -> Vec<Detail> {
    let detail = |complaint: &Complaint| Detail { field: complaint.field(), message: complaint.message() };
    if let Refusal::Invalid(complaints) = refusal
        && complaints.len() > 1
    {
        return complaints.iter().map(detail).collect();
    }
    Vec::new()
}

/// The body as base64, encoded as it is read back.
fn base64_of(spooled: Spooled, start: Bytes, end: Bytes) -> Body {
    let first = stream::once(async { Ok::<_, io::Error>(start) });
    let state = Some((Arc::new(spooled), 0, Encoder::default(), end));
    let rest = stream::try_unfold(state, |state| async {
        let Some((spooled, offset, mut encoder, end)) = state else { return Ok(None) };
        match spooled.piece_at(offset).await? {
            Some(piece) => {
                let text = Bytes::from(encoder.push(&piece));
                let next = offset + piece.len() as u64;
                Ok::<_, io::Error>(Some((text, Some((spooled, next, encoder, end)))))
            }
            None => Ok(Some((Bytes::from([&encoder.finish()[..], &end[..]].concat()), None))),
        }
    });
    Body::from_stream(first.chain(rest))
}
