//! `POST /rmbg`, and the journey of one picture in any dialect, with its answer.

use super::{in_flight, rate_limit, reply, request_id::request_id, state::PublicState};
use crate::{
    domain::{limit::Limit, refusal::Refusal},
    identity::Credentials,
    rmbg::{Dialect, Served, Stop, Upload},
    telemetry::{Outcome, Record, Route, panics},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// How a dialect writes its answers.
pub(super) trait Answers: Send + Sync {
    /// A picture.
    fn served(&self, served: Served, request_id: &str) -> Response;

    /// An error. The limits are empty if none has been checked.
    fn refused(&self, refusal: &Refusal, limits: &[Limit], request_id: &str) -> Response;
}

/// A request in some dialect, but for its body.
pub(super) struct Call {
    pub(super) route: Route,
    pub(super) dialect: Dialect,
    /// What it sends to prove who it is.
    pub(super) credentials: Result<Credentials, Refusal>,
    pub(super) answers: Box<dyn Answers>,
}

struct Own;

impl Answers for Own {
    fn served(&self, served: Served, request_id: &str) -> Response {
        reply::picture(served, request_id)
    }

    fn refused(&self, refusal: &Refusal, limits: &[Limit], request_id: &str) -> Response {
        let mut answer = reply::refused(refusal, request_id);
        rate_limit::write(answer.headers_mut(), limits);
        answer
    }
}

pub(super) async fn rmbg(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let credentials = Credentials::from_headers(request.headers(), &public.ingress.token_header);
    let call = Call { route: Route::Rmbg, dialect: Dialect::Rmbg, credentials, answers: Box::new(Own) };
    serve(public, request, call).await
}

/// Runs the journey as a task of its own: hyper drops this future when the caller leaves, and the credit must be settled
/// all the same.
pub(super) async fn serve(public: Arc<PublicState>, request: Request, call: Call) -> Response {
    let gone = CancellationToken::new();
    let _left = gone.clone().drop_guard();
    let request_id = request_id(request.headers());
    let (sender, answer) = oneshot::channel();
    let call = Arc::new(call);
    let journey = journey(Arc::clone(&public), request, Arc::clone(&call), (gone, sender));
    public.tasks.spawn(panics::of_request(request_id.clone(), journey));
    // Nobody answers only after a panic.
    answer.await.unwrap_or_else(|_| {
        let mut record = Record::begin(request_id, call.route);
        record.outcome = Outcome::Refused(Refusal::Internal);
        public.metrics.finish(&record);
        call.answers.refused(&Refusal::Internal, &[], &record.request_id)
    })
}

async fn journey(
    public: Arc<PublicState>,
    request: Request,
    call: Arc<Call>,
    (gone, sender): (CancellationToken, oneshot::Sender<Response>),
) {
    let (head, body) = request.into_parts();
    let mut record = Record::begin(request_id(&head.headers), call.route);
    let mut upload = Upload::new(&head.headers, body).in_dialect(call.dialect.clone());
    let entered = public.ingress.enter_with(&head.headers, &head.extensions, call.credentials.clone(), &mut record);
    let (counted, visitor) = entered;
    let counted = Arc::new(counted);
    let served = match &visitor {
        Ok(visitor) => public.rmbg.serve(visitor, &mut upload, &gone, &mut record).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    let answer = answer_to(served, &*call.answers, &mut record);
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

fn answer_to(served: Result<Served, Stop>, answers: &dyn Answers, record: &mut Record) -> Option<Response> {
    match served {
        Ok(served) => {
            record.spent = served.spent;
            record.bytes_out = served.answer.body.len();
            record.outcome = if served.answer.status == 400 { Outcome::BackendRefused } else { Outcome::Served };
            Some(answers.served(served, &record.request_id))
        }
        Err(Stop::Refused { refusal, cause, limits }) => {
            let answer = answers.refused(&refusal, &limits, &record.request_id);
            record.cause = cause;
            record.outcome = Outcome::Refused(refusal);
            Some(answer)
        }
        Err(Stop::Gone) => None,
    }
}
