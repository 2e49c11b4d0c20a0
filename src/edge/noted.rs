//! Notes an answer in the record of its request.

use crate::telemetry::Record;
use axum::response::Response;
use http_body::Body as _;
use hyper::header::CONTENT_LENGTH;

/// Notes the answer's status and its length. A stream does not know its length, but the header does.
pub(super) fn note(answer: &Response, record: &mut Record) {
    let announced = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    record.status = Some(answer.status().as_u16());
    record.bytes_out = announced.or_else(|| answer.body().size_hint().exact()).unwrap_or(0);
}
