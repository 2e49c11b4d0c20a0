//! A panic in a request ends that request and nothing else: 500 in our form.

use super::{
    dialect,
    reply::{self, REQUEST_ID},
    request_id::request_id,
    state::PublicState,
};
use crate::{
    domain::refusal::Refusal,
    telemetry::{Outcome, Record, Route, panics},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use hyper::header::HeaderValue;
use std::sync::Arc;

/// Gives each request its id for good, and answers for one that panics.
pub(super) async fn catch_panics(State(public): State<Arc<PublicState>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    if let Ok(value) = HeaderValue::try_from(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let path = request.uri().path().to_owned();
    let route = match path.as_str() {
        "/rmbg" => Route::Rmbg,
        "/v1.0/removebg" => Route::RemoveBg,
        "/v1.0/account" => Route::RemoveBgAccount,
        dialect::rembg::PATH => Route::Rembg,
        "/api/membership-usage" => Route::MembershipUsage,
        "/api/webhooks/stripe" => Route::StripeWebhook,
        _ => Route::Other,
    };
    let answered = panics::of_request(id.clone(), panics::caught(next.run(request))).await;
    answered.unwrap_or_else(|panics::Panicked| failed(&public, &path, Record::begin(id, route)))
}

/// The same for operators.
pub(super) async fn catch_panics_of_operators(request: Request, next: Next) -> Response {
    let answered = panics::caught(next.run(request)).await;
    answered.unwrap_or_else(|panics::Panicked| reply::refused(&Refusal::Internal, ""))
}

/// The answer to a request of which nothing is left but that it was there.
fn failed(public: &PublicState, path: &str, mut record: Record) -> Response {
    record.outcome = Outcome::Refused(Refusal::Internal);
    public.metrics.finish(&record);
    dialect::refused(public, path, &Refusal::Internal, &record.request_id)
}
