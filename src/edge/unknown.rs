//! Paths and methods that the contract does not have.

use super::{
    error_form::ErrorForm,
    in_flight,
    refuse::{refuse, refuse_uncounted},
    request_id::request_id,
    state::PublicState,
    unread::drain,
};
use crate::{
    domain::refusal::Refusal,
    telemetry::{Record, Route},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use std::sync::Arc;

pub(super) async fn unknown_path(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    answer(&public, request, Refusal::NotFound)
}

pub(super) async fn unknown_method(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    answer(&public, request, Refusal::MethodNotAllowed)
}

fn answer(public: &PublicState, request: Request, refusal: Refusal) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::Other);
    match public.ingress.enter(&request, &mut record) {
        Ok((in_flight, _)) => {
            let form = ErrorForm::of(public, request.uri().path());
            drain(&public.tasks, request, Arc::clone(&in_flight));
            in_flight::until_sent(refuse(&public.metrics, record, refusal, form), in_flight)
        }
        Err(too_many) => refuse_uncounted(public, request, record, too_many),
    }
}
