//! `GET /api/membership-usage`

use super::{
    in_flight, noted::note, refuse::refuse_uncounted, reply, request_id::request_id, state::PublicState, unread::drain,
};
use crate::{
    domain::refusal::Refusal,
    telemetry::{Outcome, Record, Route},
    usage::NoReport,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use std::sync::Arc;

pub(super) async fn membership_usage(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::MembershipUsage);
    let (in_flight, address) = match public.ingress.enter(&request, &mut record) {
        Ok(entered) => entered,
        Err(too_many) => return refuse_uncounted(&public, request, record, too_many),
    };
    let visitor = public.ingress.visitor(address, request.headers(), &mut record);
    let query = request.uri().query().unwrap_or_default();
    let report = match &visitor {
        Ok(visitor) => public.usage.report(visitor, query, &mut record).await,
        // Reports need an API key. A user token is refused, whether it is well-formed or not.
        Err(Refusal::InvalidToken) => Err(Refusal::InvalidKey.into()),
        Err(refusal) => Err(refusal.clone().into()),
    };
    let answer = match report {
        Ok(report) => {
            record.outcome = Outcome::Served;
            reply::json(&report, &record.request_id)
        }
        Err(NoReport { refusal, cause }) => {
            record.cause = cause;
            let answer = reply::refused(&refusal, &record.request_id);
            record.outcome = Outcome::Refused(refusal);
            answer
        }
    };
    if let Ok(visitor) = &visitor {
        public.ingress.remember(visitor, &record.outcome);
    }
    note(&answer, &mut record);
    public.metrics.finish(&record);
    drain(&public.tasks, request, Arc::clone(&in_flight));
    in_flight::until_sent(answer, in_flight)
}
