//! A panic in a request ends only that request: the answer is a 500 in the form of the API that was called.

use super::{
    error_form::ErrorForm,
    refuse::refuse,
    reply::{self, REQUEST_ID},
    request_id::request_id,
    state::PublicState,
};
use crate::{
    domain::refusal::Refusal,
    telemetry::{Record, Route, milliseconds, panics},
};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use hyper::header::HeaderValue;
use std::sync::Arc;
use tokio::time::Instant;
use tracing::debug;

/// Gives each request its id and its trace, which no later step changes. One that panics is counted as this route.
pub(super) async fn catch_panics(
    State((public, route)): State<(Arc<PublicState>, Route)>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id(request.headers());
    if let Ok(value) = HeaderValue::try_from(id.as_str()) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let form = ErrorForm::of(&public, request.uri().path());
    let (started, context) = (Instant::now(), public.ingress.context_of(&request));
    request.extensions_mut().insert(context);
    let answered = panics::of_request(id.clone(), panics::caught(next.run(request))).await;
    let panicked = |panics::Panicked| {
        let mut record = Record { started, ..Record::begin(id, route) };
        context.note(&mut record);
        refuse(&public.metrics, record, Refusal::Internal, form)
    };
    answered.unwrap_or_else(panicked)
}

/// Does the same for operators' requests, which are not counted.
pub(super) async fn catch_panics_of_operators(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let known = ["/healthz", "/readyz", "/metrics"].into_iter().find(|known| *known == request.uri().path());
    let answered = panics::caught(next.run(request)).await;
    let answer = answered.unwrap_or_else(|panics::Panicked| reply::refused(&Refusal::Internal, ""));
    let (status, ms) = (answer.status().as_u16(), milliseconds(begun.elapsed()));
    debug!(path = known.unwrap_or("other"), status, ms, "operator's request");
    answer
}
