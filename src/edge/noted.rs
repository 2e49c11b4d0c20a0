//! The length of an answer, and what of an answer is noted in the record of its request.

use crate::telemetry::Record;
use axum::response::Response;
use http_body::Body as _;
use hyper::header::CONTENT_LENGTH;

/// Notes the answer's status and its length.
pub(super) fn note(answer: &Response, record: &mut Record) {
    record.status = Some(answer.status().as_u16());
    record.bytes_out = length(answer).unwrap_or(0);
}

/// The length of the answer's body in bytes. A stream does not know its length, but the header does.
pub(super) fn length(answer: &Response) -> Option<u64> {
    let announced = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    announced.or_else(|| answer.body().size_hint().exact())
}
