//! `POST /rmbg`; runs the journey of one picture, whatever it is written in, and answers.

use super::{
    error_form::ErrorForm,
    in_flight::{self, InFlight},
    noted::note,
    refuse::{refuse, refuse_uncounted},
    reply,
    request_id::request_id,
    state::PublicState,
};
use crate::{
    domain::refusal::Refusal,
    identity::Credentials,
    rmbg::{Dialect, Served, Stop, Upload},
    telemetry::{Outcome, Record, Route, panics},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use std::{net::IpAddr, sync::Arc};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Writes the answer to a served request of this id.
type Answer = Box<dyn Fn(Served, &str) -> Response + Send + Sync>;

/// A request in some dialect, but for its body.
pub(super) struct Call {
    pub(super) route: Route,
    pub(super) dialect: Dialect,
    pub(super) credentials: Result<Credentials, Refusal>,
    pub(super) answer: Answer,
    pub(super) errors: ErrorForm,
}

pub(super) async fn rmbg(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let call = Call {
        route: Route::Rmbg,
        dialect: Dialect::Rmbg,
        credentials: Credentials::from_headers(request.headers(), &public.ingress.token_header),
        answer: Box::new(reply::picture),
        errors: ErrorForm::Own,
    };
    serve(public, request, call).await
}

/// Runs the journey as a task of its own: hyper drops this future when the caller leaves, but the credit must be settled
/// all the same.
pub(super) async fn serve(public: Arc<PublicState>, request: Request, call: Call) -> Response {
    let errors = call.errors;
    let request_id = request_id(request.headers());
    let mut record = Record::begin(request_id.clone(), call.route);
    let entered = match public.ingress.enter(&request, &mut record) {
        Ok(entered) => entered,
        Err(too_many) => return refuse_uncounted(&public, request, record, too_many),
    };
    let (lost, gone) = (record.again(), CancellationToken::new());
    let _left = gone.clone().drop_guard();
    let (sender, answer) = oneshot::channel();
    let journey = journey(Arc::clone(&public), (request, record, call), entered, (gone, sender));
    public.tasks.spawn(panics::of_request(request_id, journey));
    // The sender is dropped without an answer only after a panic.
    let panicked = |_| refuse(&public.metrics, lost, Refusal::Internal, errors);
    answer.await.unwrap_or_else(panicked)
}

async fn journey(
    public: Arc<PublicState>,
    (request, mut record, call): (Request, Record, Call),
    (in_flight, address): (Arc<InFlight>, IpAddr),
    (gone, sender): (CancellationToken, oneshot::Sender<Response>),
) {
    let (head, body) = request.into_parts();
    let mut upload = Upload::new(&head.headers, body).in_dialect(call.dialect);
    let visitor = public.ingress.visitor_with(address, call.credentials, &mut record);
    let served = match &visitor {
        Ok(visitor) => public.rmbg.serve(visitor, &mut upload, &gone, &mut record).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    record.received = upload.received();
    let answer = answer_to(served, (&call.answer, call.errors), &mut record);
    if let Some(answer) = &answer {
        note(answer, &mut record);
    }
    if let Ok(visitor) = &visitor {
        public.ingress.remember(visitor, &record.outcome);
    }
    // A picture that was served is counted, whether or not somebody was still there.
    if gone.is_cancelled() && record.outcome != Outcome::Served {
        (record.outcome, record.status) = (Outcome::Abandoned, None);
    }
    public.metrics.finish(&record);
    if let Some(answer) = answer {
        // If the caller has left, sending fails. A served picture still counts, as the contract says.
        drop(sender.send(in_flight::until_sent(answer, Arc::clone(&in_flight))));
        upload.drain().await;
    }
    drop(in_flight);
}

fn answer_to(
    served: Result<Served, Stop>,
    (answer, errors): (&Answer, ErrorForm),
    record: &mut Record,
) -> Option<Response> {
    match served {
        Ok(served) => {
            record.spent = served.spent;
            record.outcome = if served.answer.status == 400 { Outcome::BackendRefused } else { Outcome::Served };
            Some(answer(served, &record.request_id))
        }
        Err(Stop::Refused { refusal, cause, limits }) => {
            let answer = errors.write(&refusal, &limits, &record.request_id);
            record.cause = cause;
            record.outcome = Outcome::Refused(refusal);
            Some(answer)
        }
        Err(Stop::Gone) => None,
    }
}
