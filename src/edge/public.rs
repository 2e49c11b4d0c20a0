//! The public listener's routes.

use super::{
    cors::{Cors, cors},
    deliveries::Deliveries,
    in_flight::{self, InFlight},
    ingress::Ingress,
    pages,
    panics::{catch_panics, failed},
    rate_limit,
    reply::{self, REQUEST_ID},
    webhook::stripe_webhook,
};
use crate::{
    domain::refusal::Refusal,
    pages::Pages,
    random::fresh_operation_id,
    rmbg::{Rmbg, Served, Stop, Upload},
    stripe::webhook::Webhook,
    telemetry::{Metrics, Outcome, Record, Route, panics},
    usage::{NoReport, UsageReports},
};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{from_fn_with_state, map_response},
    response::Response,
    routing::{get, post},
};
use http_body::Body as _;
use hyper::HeaderMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The longest request id of a caller's own that is kept.
const LONGEST_REQUEST_ID: usize = 128;

/// What the public routes need.
pub struct Public {
    /// What comes before everything else.
    pub ingress: Ingress,
    /// Callers in browsers.
    pub cors: Arc<Cors>,
    /// `POST /rmbg`
    pub rmbg: Rmbg,
    /// `GET /api/membership-usage`
    pub usage: UsageReports,
    /// `POST /api/webhooks/stripe`
    pub stripe: Webhook,
    /// Memory for its deliveries under way.
    pub deliveries: Arc<Deliveries>,
    /// What browsers are shown.
    pub pages: Pages,
    /// Where records go.
    pub metrics: Arc<Metrics>,
    /// Requests under way, the settling of those whose caller has left included.
    pub tasks: TaskTracker,
}

/// The routes of the contract.
pub fn public_routes(public: Arc<Public>) -> Router {
    let cors = from_fn_with_state(Arc::clone(&public.cors), cors);
    let catch_panics = from_fn_with_state(Arc::clone(&public), catch_panics);
    Router::new()
        .route("/rmbg", post(rmbg))
        .route("/api/membership-usage", get(membership_usage))
        .route("/api/webhooks/stripe", post(stripe_webhook))
        .route("/healthz", get(async || "ok\n"))
        .merge(pages::routes(&public.pages))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(catch_panics)
        .layer(cors)
        .layer(map_response(pages::harmless))
        .with_state(public)
}

/// Runs the journey as a task of its own: hyper drops this future when the caller leaves, and the credit must be settled
/// all the same.
async fn rmbg(State(public): State<Arc<Public>>, request: Request) -> Response {
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
    public: Arc<Public>,
    request: Request,
    mut record: Record,
    (gone, sender): (CancellationToken, oneshot::Sender<Response>),
) {
    let (head, body) = request.into_parts();
    let mut upload = Upload::new(&head.headers, body);
    let (counted, visitor) = public.ingress.enter(&head.headers, &head.extensions, &mut record);
    let counted = Arc::new(counted);
    let served = match &visitor {
        Ok(visitor) => {
            // The credit that it holds is given back by whoever drops it.
            let served = panics::caught(public.rmbg.serve(visitor, &mut upload, &gone, &mut record)).await;
            served.unwrap_or_else(|panics::Panicked| Err(Refusal::Internal.into()))
        }
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
    let mut answer = match served {
        Ok(served) => {
            record.spent = served.spent;
            record.bytes_out = served.answer.body.len();
            record.outcome = if served.answer.status == 400 { Outcome::BackendRefused } else { Outcome::Served };
            reply::picture(served, &record.request_id)
        }
        Err(Stop::Refused { refusal, cause }) => {
            let answer = reply::refused(&refusal, &record.request_id);
            record.cause = cause;
            record.outcome = Outcome::Refused(refusal);
            answer
        }
        Err(Stop::Gone) => return None,
    };
    rate_limit::write(answer.headers_mut(), &record.limits);
    Some(answer)
}

async fn membership_usage(State(public): State<Arc<Public>>, request: Request) -> Response {
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
    drain(&public, request, Arc::clone(&counted));
    in_flight::until_sent(answer, counted)
}

pub(super) async fn unknown_path(State(public): State<Arc<Public>>, request: Request) -> Response {
    refuse(&public, request, Refusal::NotFound)
}

async fn unknown_method(State(public): State<Arc<Public>>, request: Request) -> Response {
    refuse(&public, request, Refusal::MethodNotAllowed)
}

fn refuse(public: &Public, request: Request, refusal: Refusal) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::Other);
    let (counted, refusal) = match public.ingress.count_in(request.headers(), request.extensions(), &mut record) {
        Ok((guard, _)) => (Some(guard), refusal),
        Err(too_many) => (None, too_many),
    };
    let answer = reply::refused(&refusal, &record.request_id);
    record.outcome = Outcome::Refused(refusal);
    public.metrics.finish(&record);
    let counted = Arc::new(counted);
    drain(public, request, Arc::clone(&counted));
    in_flight::until_sent(answer, counted)
}

/// Lets a body that nobody reads run out beside its answer, so that whoever sends it sees the answer. The request is in
/// flight until then.
pub(super) fn drain(public: &Public, request: Request, counted: Arc<Option<InFlight>>) {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return;
    }
    let upload = Upload::new(&head.headers, body);
    public.tasks.spawn(async move {
        let _counted = counted;
        upload.drain().await;
    });
}

/// The caller's own id if it is sane, else a fresh one.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let sane = |text: &&str| {
        (1..=LONGEST_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    match headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane) {
        Some(own) => own.to_owned(),
        None => fresh_operation_id().map_or_else(|_| "unknown".into(), |id| id.0),
    }
}
