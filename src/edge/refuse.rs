//! Refusals that need no answer of a handler.

use super::{error_form::ErrorForm, noted::note, state::PublicState, unread::drain};
use crate::{
    domain::refusal::Refusal,
    telemetry::{Metrics, Outcome, Record},
};
use axum::{extract::Request, response::Response};

/// Ends the record with a refusal, and makes the answer in this form.
pub(super) fn refuse(metrics: &Metrics, mut record: Record, refusal: Refusal, form: ErrorForm) -> Response {
    let answer = form.write(&refusal, &[], &record.request_id);
    note(&answer, &mut record);
    record.outcome = Outcome::Refused(refusal);
    metrics.finish(&record);
    answer
}

/// Refuses a request that is not counted as in flight.
pub(super) fn refuse_uncounted(public: &PublicState, request: Request, record: Record, refusal: Refusal) -> Response {
    let form = ErrorForm::of(public, request.uri().path());
    drain(&public.tasks, request, ());
    refuse(&public.metrics, record, refusal, form)
}
