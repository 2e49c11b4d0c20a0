//! `POST /rmbg`: the journey of one picture, and its answer.

use super::{in_flight, panics::failed, rate_limit, reply, request_id::request_id, state::PublicState};
use crate::{
    rmbg::{Served, Stop, Upload},
    telemetry::{Outcome, Record, Route, panics},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Runs the journey as a task of its own: hyper drops this future when the caller leaves, and the credit must be settled
/// all the same.
pub(super) async fn rmbg(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let gone = CancellationToken::new();
    let _left = gone.clone().drop_guard();
    let request_id = request_id(request.headers());
    let (sender, answer) = oneshot::channel();
    let record = || Record::begin(request_id.clone(), Route::Rmbg);
    let journey = journey(Arc::clone(&public), request, record(), (gone, sender));
    public.tasks.spawn(panics::of_request(request_id.clone(), journey));
    // Nobody answers only after a panic.
    answer.await.unwrap_or_else(|_| failed(&public, record()))
}

async fn journey(
    public: Arc<PublicState>,
    request: Request,
    mut record: Record,
    (gone, sender): (CancellationToken, oneshot::Sender<Response>),
) {
    let (head, body) = request.into_parts();
    let mut upload = Upload::new(&head.headers, body);
    let (counted, visitor) = public.ingress.enter(&head.headers, &head.extensions, &mut record);
    let counted = Arc::new(counted);
    let served = match &visitor {
        Ok(visitor) => public.rmbg.serve(visitor, &mut upload, &gone, &mut record).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    let answer = answer_to(served, &mut record);
    if let Ok(visitor) = &visitor {
        public.ingress.remember(visitor, &record.outcome);
    }
    if gone.is_cancelled() && record.spent.is_none() {
        record.outcome = Outcome::Abandoned;
    }
    public.metrics.finish(&record);
    if let Some(answer) = answer {
        // Nobody receives it when the caller has left; what was served is counted, as the contract says.
        drop(sender.send(in_flight::until_sent(answer, Arc::clone(&counted))));
        upload.drain().await;
    }
    drop(counted);
}

fn answer_to(served: Result<Served, Stop>, record: &mut Record) -> Option<Response> {
    match served {
        Ok(served) => {
            record.spent = served.spent;
            record.bytes_out = served.answer.body.len();
            record.outcome = if served.answer.status == 400 { Outcome::BackendRefused } else { Outcome::Served };
            Some(reply::picture(served, &record.request_id))
        }
        Err(Stop::Refused { refusal, cause, limits }) => {
            let mut answer = reply::refused(&refusal, &record.request_id);
            rate_limit::write(answer.headers_mut(), &limits);
            record.cause = cause;
            record.outcome = Outcome::Refused(refusal);
            Some(answer)
        }
        Err(Stop::Gone) => None,
    }
}
