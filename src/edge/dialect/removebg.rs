//! remove.bg's API: `POST /v1.0/removebg` and `GET /v1.0/account`.

#[cfg(test)]
mod tests;

use super::list_ignored;
use crate::{
    domain::{
        limit::Limit,
        refusal::Refusal,
        removebg::{AccountAnswer, ErrorEntry, errors},
        time::UnixSeconds,
    },
    edge::{
        dialect_headers::{
            FOREGROUND_HEIGHT, FOREGROUND_LEFT, FOREGROUND_TOP, FOREGROUND_WIDTH, HEIGHT, LIMIT, REMAINING, RESET,
            TYPE, WIDTH,
        },
        in_flight,
        rate_limit::{self, whole_seconds},
        reply,
        request_id::request_id,
        rmbg::{self, Call, serve},
        state::PublicState,
        unread::drain,
    },
    identity::Credentials,
    rmbg::{Dialect, Served},
    telemetry::{Outcome, Record, Route},
    usage::NoReport,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use hyper::{
    StatusCode,
    header::{self, HeaderMap, HeaderValue},
};
use serde::Serialize;
use std::sync::Arc;

/// The type of every subject, as nobody looks what it is.
const OTHER: HeaderValue = HeaderValue::from_static("other");

/// How answers are written.
#[derive(Clone, Copy, Debug)]
pub(in crate::edge) struct Answers {
    /// What times are told by.
    pub(in crate::edge) now: UnixSeconds,
    /// Whether the picture is to come as a text in JSON.
    pub(in crate::edge) json: bool,
    /// Whether no proof was sent.
    pub(in crate::edge) without_key: bool,
}

#[derive(Serialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

/// `POST /v1.0/removebg`
pub(in crate::edge) async fn removebg(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let (credentials, without_key) = credentials(&public, request.headers());
    let answers =
        Answers { now: public.rmbg.clock.now().seconds(), json: asks_for_json(request.headers()), without_key };
    let call = Call { route: Route::RemoveBg, dialect: Dialect::RemoveBg, credentials, answers: Box::new(answers) };
    serve(public, request, call).await
}

/// `GET /v1.0/account`
pub(in crate::edge) async fn account(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::RemoveBgAccount);
    let (credentials, without_key) = credentials(&public, request.headers());
    let entered = public.ingress.enter_with(request.headers(), request.extensions(), credentials, &mut record);
    let (counted, visitor) = entered;
    let balance = match &visitor {
        Ok(visitor) => public.usage.balance(visitor, &mut record).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    let answer = match balance {
        Ok(balance) => {
            record.outcome = Outcome::Served;
            reply::json(&AccountAnswer::new(balance.included, balance.prepaid), &record.request_id)
        }
        Err(NoReport { refusal, cause }) => {
            record.cause = cause;
            let answers = Answers { now: public.rmbg.clock.now().seconds(), json: false, without_key };
            let answer = answers.error(&refusal, &[], &record.request_id);
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

/// API keys only. Beside them, whether no proof was sent.
fn credentials(public: &PublicState, headers: &HeaderMap) -> (Result<Credentials, Refusal>, bool) {
    match Credentials::from_headers(headers, &public.ingress.token_header) {
        Ok(Credentials::None) => (Err(Refusal::InvalidKey), true),
        Ok(Credentials::Token(_)) => (Err(Refusal::InvalidKey), false),
        other => (other, false),
    }
}

/// JSON alone. HTTP libraries name it among others by themselves, and their callers expect a picture.
fn asks_for_json(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::ACCEPT).iter();
    match (lines.next().and_then(|line| line.to_str().ok()), lines.next()) {
        (Some(line), None) => {
            let kind = line.split(';').next().unwrap_or_default().trim();
            !line.contains(',') && kind.eq_ignore_ascii_case("application/json")
        }
        _ => false,
    }
}

impl rmbg::Answers for Answers {
    fn served(&self, mut served: Served, request_id: &str) -> Response {
        let (limits, told) = (served.limits.clone(), std::mem::take(&mut served.told));
        let area = told.made.and_then(|made| made.foreground);
        let [top, left, width, height] = area.map_or([0; 4], |area| [area.top, area.left, area.width, area.height]);
        let mut answer = if self.json {
            let end = format!(
                "\",\"foreground_top\":{top},\"foreground_left\":{left},\"foreground_width\":{width},\
                 \"foreground_height\":{height}}}}}"
            );
            reply::picture_in_json(served, ("{\"data\":{\"result_b64\":\"", &end), request_id)
        } else {
            reply::picture(served, request_id)
        };
        let headers = answer.headers_mut();
        if let Some(made) = told.made {
            let (x, y) = made.size;
            headers.extend([
                (WIDTH, x.into()),
                (HEIGHT, y.into()),
                (FOREGROUND_TOP, top.into()),
                (FOREGROUND_LEFT, left.into()),
            ]);
            headers.extend([(FOREGROUND_WIDTH, width.into()), (FOREGROUND_HEIGHT, height.into())]);
        }
        if told.names_type {
            headers.insert(TYPE, OTHER);
        }
        list_ignored(headers, &told.ignored);
        self.write_limit(headers, &limits);
        answer
    }

    fn refused(&self, refusal: &Refusal, limits: &[Limit], request_id: &str) -> Response {
        self.error(refusal, limits, request_id)
    }
}

impl Answers {
    /// An error, with what is left of the limits where one of them is the cause.
    pub(in crate::edge) fn error(&self, refusal: &Refusal, limits: &[Limit], request_id: &str) -> Response {
        let status = status_of(refusal);
        let mut answer = reply::json(&ErrorBody { errors: errors(refusal, self.without_key) }, request_id);
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        rate_limit::write(headers, limits);
        if status == StatusCode::PAYMENT_REQUIRED {
            return answer;
        }
        if let Some(span) = refusal.retry_after() {
            headers.insert(header::RETRY_AFTER, whole_seconds(span).into());
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let reset = self.in_seconds(refusal.retry_after().map_or(0, whole_seconds));
            headers.extend([(LIMIT, 0.into()), (REMAINING, 0.into()), (RESET, reset.into())]);
            self.write_limit(headers, limits);
        }
        answer
    }

    /// The short-term limit, or without one the month's.
    fn write_limit(&self, headers: &mut HeaderMap, limits: &[Limit]) {
        if let Some((limit, left)) = limits.first().and_then(|limit| Some((limit, limit.left?))) {
            headers.insert(LIMIT, limit.quota.into());
            headers.insert(REMAINING, left.requests.into());
            headers.insert(RESET, self.in_seconds(whole_seconds(left.resets_in)).into());
        }
    }

    fn in_seconds(&self, seconds: u64) -> u64 {
        u64::try_from(self.now.0).unwrap_or_default().saturating_add(seconds)
    }
}

fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::InvalidKey | Refusal::InvalidToken | Refusal::EmailNotVerified => StatusCode::FORBIDDEN,
        Refusal::MonthlyLimit { .. } => StatusCode::PAYMENT_REQUIRED,
        Refusal::TooManyPixels { .. } => StatusCode::BAD_REQUEST,
        other => reply::status_of(other),
    }
}
