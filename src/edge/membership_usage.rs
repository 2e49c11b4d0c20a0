//! `GET /api/membership-usage`

use super::{in_flight, reply, request_id::request_id, state::PublicState, unread::drain};
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
    let query = request.uri().query().unwrap_or_default();
    let (counted, visitor) = public.ingress.enter(request.headers(), request.extensions(), &mut record);
    let report = match &visitor {
        Ok(visitor) => public.usage.report(visitor, query, &mut record).await,
        // A user token opens nothing here, well-formed or not.
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
    public.metrics.finish(&record);
    let counted = Arc::new(counted);
    drain(&public.tasks, request, Arc::clone(&counted));
    in_flight::until_sent(answer, counted)
}
