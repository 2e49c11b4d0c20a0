//! Serves the pages, their assets and the description of the API, from memory.

use super::{
    in_flight, noted::note, refuse::refuse_uncounted, reply, request_id::request_id, state::PublicState,
    unknown::unknown_path, unread::drain,
};
use crate::{
    failpoint::{self, Point},
    pages::{File, Found, Pages},
    telemetry::{Outcome, Record, Route},
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use hyper::{
    HeaderMap, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use std::sync::Arc;

/// The policy of pages: they may load their own scripts and styles, show pictures that they make, and call this gateway.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The policy of all other answers. If one is opened as a page, it may do nothing.
const OTHER_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// The browser asks for the file each time, and it is sent only if it has changed.
const FRESH: HeaderValue = HeaderValue::from_static("no-cache");

/// The browser never asks for the file again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The routes of the files for browsers.
pub(super) fn routes(pages: &Pages) -> Router<Arc<PublicState>> {
    let described =
        Router::new().route("/api/openapi", get(openapi_json)).route("/api/openapi.yaml", get(openapi_yaml));
    let router = pages.paths().fold(described, |router, path| router.route(path, get(page)));
    if pages.paths().next().is_some() { router.route("/assets/{name}", get(asset)) } else { router }
}

/// Marks every answer, so that browsers do not guess its type and run nothing in it unless it is a page.
pub(super) fn harmless(answer: &mut Response) {
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(OTHER_POLICY);
}

async fn page(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let found = public.pages.page(path, query, listed(request.headers(), &header::ACCEPT_LANGUAGE));
    let Some(Found { file, language, by_preference }) = found else {
        return unknown_path(State(Arc::clone(&public)), request).await;
    };
    let mut answer = answer(&public, request, file, FRESH);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language));
    if by_preference {
        headers.append(header::VARY, HeaderValue::from_static("accept-language"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

async fn openapi_json(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    described(&public, request, &public.pages.openapi().json)
}

async fn openapi_yaml(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    described(&public, request, &public.pages.openapi().yaml)
}

/// Answers with the description. Pages of all origins may read it, because it contains nothing private.
fn described(public: &PublicState, request: Request, file: &File) -> Response {
    let mut answer = answer(public, request, file, FRESH);
    answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}

/// The path contains the hash of the file, so the file at a path never changes.
async fn asset(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let name = request.uri().path().strip_prefix("/assets/").unwrap_or_default();
    let Some(file) = public.pages.asset(name) else {
        return unknown_path(State(Arc::clone(&public)), request).await;
    };
    answer(&public, request, file, FOR_EVER)
}

/// Answers with the file, or that the caller already has it.
fn answer(public: &PublicState, request: Request, file: &File, kept: HeaderValue) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::Pages);
    let in_flight = match public.ingress.enter(&request, &mut record) {
        Ok((in_flight, _)) => in_flight,
        Err(too_many) => return refuse_uncounted(public, request, record, too_many),
    };
    failpoint::reach(Point::InPage);
    record.outcome = Outcome::Served;
    let mut answer = sent(request.headers(), file);
    answer.headers_mut().insert(header::CACHE_CONTROL, kept);
    let answer = reply::with_request_id(answer, &record.request_id);
    note(&answer, &mut record);
    public.metrics.finish(&record);
    drain(&public.tasks, request, Arc::clone(&in_flight));
    in_flight::until_sent(answer, in_flight)
}

fn sent(asked: &HeaderMap, file: &File) -> Response {
    let gzipped = file.gzipped().filter(|_| takes_gzip(listed(asked, &header::ACCEPT_ENCODING)));
    let tag = format!("\"{}{}\"", file.hash(), if gzipped.is_some() { "-gzip" } else { "" });
    let known = listed(asked, &header::IF_NONE_MATCH);
    let has_it =
        known.split(',').any(|known| matches!(known.trim().trim_start_matches("W/"), own if own == tag || own == "*"));
    let body = gzipped.unwrap_or(file.plain()).clone();
    let mut answer = Response::new(if has_it { Body::empty() } else { Body::from(body) });
    if has_it {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = answer.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    if file.gzipped().is_some() {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if !has_it {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        if gzipped.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    answer
}

/// Whether the client accepts gzip. A weight of 0 means that it does not.
fn takes_gzip(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// The value of a header that browsers send only once.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
