//! The id of a request, in its answer and in the log.

use super::reply::REQUEST_ID;
use crate::{domain::shared_text::SharedText, random::fresh_operation_id};
use hyper::HeaderMap;

/// The longest id of a caller's own that is used.
const LONGEST_REQUEST_ID: usize = 128;

/// The caller's own id if it is sane, else a fresh one.
pub(super) fn request_id(headers: &HeaderMap) -> SharedText {
    let sane = |text: &&str| {
        (1..=LONGEST_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    match headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane) {
        Some(own) => own.into(),
        None => fresh_operation_id().map_or_else(|_| "unknown".into(), |id| id.0),
    }
}
