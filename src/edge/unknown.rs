//! Paths and methods that the contract does not have.

use super::{dialect, in_flight, request_id::request_id, state::PublicState, unread::drain};
use crate::{
    domain::refusal::Refusal,
    telemetry::{Outcome, Record, Route},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use std::sync::Arc;

pub(super) async fn unknown_path(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    refuse(&public, request, Refusal::NotFound)
}

pub(super) async fn unknown_method(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    refuse(&public, request, Refusal::MethodNotAllowed)
}

fn refuse(public: &PublicState, request: Request, refusal: Refusal) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::Other);
    let (counted, refusal) = match public.ingress.count_in(request.headers(), request.extensions(), &mut record) {
        Ok((guard, _)) => (Some(guard), refusal),
        Err(too_many) => (None, too_many),
    };
    let answer = dialect::refused(public, request.uri().path(), &refusal, &record.request_id);
    record.outcome = Outcome::Refused(refusal);
    public.metrics.finish(&record);
    let counted = Arc::new(counted);
    drain(&public.tasks, request, Arc::clone(&counted));
    in_flight::until_sent(answer, counted)
}
