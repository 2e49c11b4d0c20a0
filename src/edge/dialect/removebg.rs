//! remove.bg's API: `POST /v1.0/removebg` and `GET /v1.0/account`.

use super::list_ignored;
use crate::{
    domain::{refusal::Refusal, removebg::AccountAnswer, time::UnixSeconds},
    edge::{
        dialect_headers::{FOREGROUND_HEIGHT, FOREGROUND_LEFT, FOREGROUND_TOP, FOREGROUND_WIDTH, HEIGHT, TYPE, WIDTH},
        error_form::{ErrorForm, write_limit},
        in_flight,
        noted::note,
        refuse::refuse_uncounted,
        reply,
        request_id::request_id,
        rmbg::{Call, serve_routed},
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
use hyper::header::{self, HeaderMap, HeaderValue};
use std::sync::Arc;

/// The type of every subject, as nobody looks what it is.
const OTHER: HeaderValue = HeaderValue::from_static("other");

/// `POST /v1.0/removebg`
pub(in crate::edge) async fn removebg(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let (credentials, errors) = credentials(&public, request.headers());
    let (now, json) = (public.rmbg.clock.now().seconds(), asks_for_json(request.headers()));
    let answer = move |served, request_id: &str| answer(served, (now, json), request_id);
    let call =
        Call { route: Route::RemoveBg, dialect: Dialect::RemoveBg, credentials, answer: Box::new(answer), errors };
    serve_routed(&public, request, call).await
}

/// `GET /v1.0/account`
pub(in crate::edge) async fn account(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let mut record = Record::begin(request_id(request.headers()), Route::RemoveBgAccount);
    let (in_flight, address) = match public.ingress.enter(&request, &mut record) {
        Ok(entered) => entered,
        Err(too_many) => return refuse_uncounted(&public, request, record, too_many),
    };
    let (credentials, errors) = credentials(&public, request.headers());
    let visitor = public.ingress.visitor_with(address, credentials, &mut record);
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
            let answer = errors.write(&refusal, &[], &record.request_id);
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

/// API keys only. Beside them, how errors are written.
fn credentials(public: &PublicState, headers: &HeaderMap) -> (Result<Credentials, Refusal>, ErrorForm) {
    let errors = |without_key| ErrorForm::RemoveBg { now: public.rmbg.clock.now().seconds(), without_key };
    match Credentials::from_headers(headers, &public.ingress.token_header) {
        Ok(Credentials::None) => (Err(Refusal::InvalidKey), errors(true)),
        Ok(Credentials::Token(_)) | Err(Refusal::InvalidToken) => (Err(Refusal::InvalidKey), errors(false)),
        other => (other, errors(false)),
    }
}

/// Whether JSON alone is asked for. HTTP libraries name it among others by themselves, and their callers expect a picture.
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

fn answer(mut served: Served, (now, json): (UnixSeconds, bool), request_id: &str) -> Response {
    let (limits, extras) = (served.limits.clone(), std::mem::take(&mut served.extras));
    let area = extras.made.and_then(|made| made.foreground);
    let [top, left, width, height] = area.map_or([0; 4], |area| [area.top, area.left, area.width, area.height]);
    let mut answer = if json {
        let end = format!(
            "\",\"foreground_top\":{top},\"foreground_left\":{left},\"foreground_width\":{width},\
             \"foreground_height\":{height}}}}}"
        );
        reply::picture_in_json(served, ("{\"data\":{\"result_b64\":\"", &end), request_id)
    } else {
        reply::picture(served, request_id)
    };
    let headers = answer.headers_mut();
    if let Some(made) = extras.made {
        let (x, y) = made.size;
        headers.extend([(WIDTH, x.into()), (HEIGHT, y.into())]);
        headers.extend([(FOREGROUND_TOP, top.into()), (FOREGROUND_LEFT, left.into())]);
        headers.extend([(FOREGROUND_WIDTH, width.into()), (FOREGROUND_HEIGHT, height.into())]);
    }
    if extras.names_type {
        headers.insert(TYPE, OTHER);
    }
    list_ignored(headers, &extras.ignored);
    write_limit(headers, now, &limits);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_json_alone_gets_it() {
        for (accept, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("*/*", false),
            ("application/json, text/plain, */*", false),
            ("image/png", false),
        ] {
            let headers: HeaderMap = [(header::ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            assert_eq!(asks_for_json(&headers), json, "{accept}");
        }
        assert!(!asks_for_json(&HeaderMap::new()));
    }
}
