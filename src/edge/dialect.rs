//! The APIs of others that are spoken here: their routes, proofs, answers and errors. The journey between is the one of
//! `POST /rmbg`.

pub(super) mod rembg;
pub(super) mod removebg;

use super::{dialect_headers::IGNORED_PARAMETERS, reply, state::PublicState};
use crate::domain::refusal::Refusal;
use axum::response::Response;
use hyper::header::{HeaderMap, HeaderValue};

/// An error as the API writes it that a path belongs to.
pub(super) fn refused(public: &PublicState, path: &str, refusal: &Refusal, request_id: &str) -> Response {
    if public.dialects.removebg && path.starts_with("/v1.0/") {
        let answers = removebg::Answers { now: public.rmbg.clock.now().seconds(), json: false, without_key: false };
        answers.error(refusal, &[], request_id)
    } else if public.dialects.rembg && path == rembg::PATH {
        rembg::error(refusal, request_id)
    } else {
        reply::refused(refusal, request_id)
    }
}

/// Lists the names. Of a name, only what may stand in a header's list is shown.
fn list_ignored(headers: &mut HeaderMap, names: &[String]) {
    let shown = |c: char| if c.is_ascii_alphanumeric() || "_-.[]".contains(c) { c } else { '?' };
    let names: Vec<String> = names.iter().map(|name| name.chars().take(64).map(shown).collect()).collect();
    if let (false, Ok(value)) = (names.is_empty(), HeaderValue::try_from(names.join(", "))) {
        headers.insert(IGNORED_PARAMETERS, value);
    }
}
