//! The API of the open-source server `rembg s`: `/api/remove`.

use super::list_ignored;
use crate::{
    domain::{complaint::Complaint, limit::Limit, refusal::Refusal, rembg_form::Parameters},
    edge::{
        dialect_headers::MODEL,
        rate_limit::{self, whole_seconds},
        reply,
        rmbg::{self, Call, serve},
        state::PublicState,
    },
    identity::Credentials,
    rmbg::{Dialect, Served},
    telemetry::Route,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use hyper::{
    StatusCode,
    header::{self, HeaderValue},
};
use serde::Serialize;
use std::sync::Arc;

/// The one path of this API.
pub(in crate::edge) const PATH: &str = "/api/remove";

/// The parameter that may hold an API key.
const KEY: &str = "key";

/// The parameter of a picture's URL.
const URL: &str = "url";

struct Answers {
    model: Arc<str>,
}

#[derive(Serialize)]
struct ErrorBody {
    detail: String,
}

/// `POST /api/remove`
pub(in crate::edge) async fn remove(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let parameters = parameters(&public, query, &[]);
    let call = call(&public, &request, Dialect::Rembg(parameters));
    serve(public, request, call).await
}

/// `GET /api/remove?url=`
pub(in crate::edge) async fn remove_url(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let parameters = parameters(&public, query, &[URL]);
    let url = value(query, URL);
    let call = call(&public, &request, Dialect::RembgUrl(parameters, url));
    serve(public, request, call).await
}

fn call(public: &PublicState, request: &Request, dialect: Dialect) -> Call {
    let query = request.uri().query().unwrap_or_default();
    let key = if public.dialects.key_in_query { value(query, KEY) } else { None };
    let credentials = Credentials::with_bearer_keys(request.headers(), &public.ingress.token_header, key.as_deref());
    let answers = Answers { model: Arc::clone(&public.dialects.model) };
    Call { route: Route::Rembg, dialect, credentials, answers: Box::new(answers) }
}

/// A key in the query is listed as a parameter that means nothing, unless it does.
fn parameters(public: &PublicState, query: &str, not_listed: &[&str]) -> Parameters {
    let key = public.dialects.key_in_query.then_some(KEY);
    let not_listed: Vec<&str> = not_listed.iter().copied().chain(key).collect();
    Parameters::of_query(query, &not_listed)
}

fn value(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

impl rmbg::Answers for Answers {
    fn served(&self, mut served: Served, request_id: &str) -> Response {
        let ignored = std::mem::take(&mut served.told.ignored);
        let mut answer = reply::picture(served, request_id);
        let headers = answer.headers_mut();
        if let Ok(model) = HeaderValue::try_from(&*self.model) {
            headers.insert(MODEL, model);
        }
        list_ignored(headers, &ignored);
        answer
    }

    fn refused(&self, refusal: &Refusal, limits: &[Limit], request_id: &str) -> Response {
        let mut answer = error(refusal, request_id);
        rate_limit::write(answer.headers_mut(), limits);
        answer
    }
}

/// Our status and our sentence.
pub(in crate::edge) fn error(refusal: &Refusal, request_id: &str) -> Response {
    let detail = match refusal {
        Refusal::Invalid(complaints) => complaints.iter().map(Complaint::message).collect::<Vec<_>>().join(" "),
        other => other.message().into_owned(),
    };
    let mut answer = reply::json(&ErrorBody { detail }, request_id);
    *answer.status_mut() = match refusal {
        Refusal::Invalid(complaints) if complaints.contains(&Complaint::MissingFile) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        other => reply::status_of(other),
    };
    if let Some(span) = refusal.retry_after() {
        answer.headers_mut().insert(header::RETRY_AFTER, whole_seconds(span).into());
    }
    answer
}
