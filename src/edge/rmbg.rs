//! `POST /rmbg`; runs the journey of one picture, whatever it is written in, and answers.

use super::{
    answered::Answered,
    error_form::ErrorForm,
    ingress::RequestContext,
    noted::note,
    peer::Peer,
    refuse::{refuse, refuse_uncounted},
    reply,
    request_id::request_id,
    state::PublicState,
    unread::drain_rest,
};
use crate::{
    domain::refusal::Refusal,
    identity::Credentials,
    outlasting::Outlasting,
    rmbg::{Dialect, Gone, Served, Stop, Upload},
    telemetry::{Outcome, Record, Route, panics},
};
use axum::{extract::Request, response::Response};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

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

/// `POST /rmbg`
pub(super) async fn rmbg(public: &Arc<PublicState>, request: Request, Peer(peer): Peer) -> Answered {
    let call = Call {
        route: Route::Rmbg,
        dialect: Dialect::Rmbg,
        credentials: Credentials::from_headers(request.headers(), &public.ingress.token_header),
        answer: Box::new(reply::picture),
        errors: ErrorForm::Own,
    };
    let context = |request: &Request| public.ingress.context(request.headers(), peer.ip());
    serve(public, request, call, context).await
}

/// The same for requests that come through the router.
pub(super) async fn serve_routed(public: &Arc<PublicState>, request: Request, call: Call) -> Response {
    let context = |request: &Request| public.ingress.context_of(request);
    serve(public, request, call, context).await.into()
}

/// Serves a picture, in the task of its connection. A panic on the way is a refusal.
async fn serve(
    public: &Arc<PublicState>,
    request: Request,
    call: Call,
    context: impl FnOnce(&Request) -> RequestContext,
) -> Answered {
    let errors = call.errors;
    let mut lost = Record::begin(request_id(request.headers()), call.route);
    let work = async {
        context(&request).note(&mut lost);
        let (record, gone) = (lost.again(), Gone::default());
        let work = journey(Arc::clone(public), (request, record, call), gone.clone());
        let work = panics::of_request(lost.request_id.clone(), work);
        // A stop waits for the tasks of requests, and the token counts this one.
        let counted = public.tasks.token();
        // hyper drops this when the caller leaves, but the credit must be settled all the same.
        let outlasting = Outlasting::new(work, move |rest, runtime| {
            gone.note();
            counted.task_tracker().spawn_on(rest, runtime);
        });
        outlasting.await
    };
    match panics::caught(work).await {
        Ok(answer) => answer,
        Err(panics::Panicked) => refuse(&public.metrics, lost, Refusal::Internal, errors).into(),
    }
}

async fn journey(
    public: Arc<PublicState>,
    (request, mut record, call): (Request, Record, Call),
    gone: Gone,
) -> Answered {
    // Every context has an address.
    let client = record.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let in_flight = match public.ingress.count(client, &mut record) {
        Ok(in_flight) => in_flight,
        Err(too_many) => return refuse_uncounted(&public, request, record, too_many).into(),
    };
    let (head, body) = request.into_parts();
    let mut upload = Upload::new(&head.headers, body).in_dialect(call.dialect);
    let visitor = public.ingress.visitor_with(client, call.credentials, &mut record);
    let served = match &visitor {
        Ok(visitor) => public.rmbg.serve(visitor, &mut upload, &gone, &mut record).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    record.received = upload.received();
    let claim = served.as_ref().ok().map(|served| served.answer.body.claim());
    let response = answer_to(served, (&call.answer, call.errors), &mut record);
    note(&response, &mut record);
    if let Ok(visitor) = &visitor {
        public.ingress.remember(visitor, &record.outcome);
    }
    // A picture that was served is counted, whether or not somebody was still there.
    if record.outcome == Outcome::Abandoned || (gone.is_noted() && record.outcome != Outcome::Served) {
        (record.outcome, record.status) = (Outcome::Abandoned, None);
    }
    public.metrics.finish(&record);
    drain_rest(&public.tasks, upload, Arc::clone(&in_flight));
    Answered { response, in_flight: Some(in_flight), claim }
}

fn answer_to(served: Result<Served, Stop>, (answer, errors): (&Answer, ErrorForm), record: &mut Record) -> Response {
    match served {
        Ok(served) => {
            record.spent = served.spent;
            record.outcome = if served.answer.status == 400 { Outcome::BackendRefused } else { Outcome::Served };
            answer(served, &record.request_id)
        }
        Err(Stop::Refused { refusal, cause, limits }) => {
            let answer = errors.write(&refusal, &limits, &record.request_id);
            record.cause = cause;
            record.outcome = Outcome::Refused(refusal);
            answer
        }
        // Its body has broken off, but perhaps it still reads.
        Err(Stop::Gone) => errors.write(&Refusal::MalformedForm, &[], &record.request_id),
    }
}
