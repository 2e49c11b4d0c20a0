//! The API of the open-source server `rembg s`: `/api/remove`.

use super::list_ignored;
use crate::{
    domain::rembg_form::Parameters,
    edge::{
        dialect_headers::MODEL,
        error_form::ErrorForm,
        reply,
        rmbg::{Call, serve_routed},
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
use hyper::header::HeaderValue;
use std::sync::Arc;

/// The parameter that may hold an API key.
const KEY: &str = "key";

/// The parameter of a picture's URL.
const URL: &str = "url";

/// `POST /api/remove`
pub(in crate::edge) async fn remove(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let parameters = parameters(&public, query, &[]);
    let call = call(&public, &request, Dialect::Rembg(parameters));
    serve_routed(&public, request, call).await
}

/// `GET /api/remove?url=`
pub(in crate::edge) async fn remove_url(State(public): State<Arc<PublicState>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let parameters = parameters(&public, query, &[URL]);
    let url = value(query, URL);
    let call = call(&public, &request, Dialect::RembgUrl(parameters, url));
    serve_routed(&public, request, call).await
}

fn call(public: &PublicState, request: &Request, dialect: Dialect) -> Call {
    let query = request.uri().query().unwrap_or_default();
    let key = if public.dialects.key_in_query { value(query, KEY) } else { None };
    let credentials = Credentials::with_bearer_keys(request.headers(), &public.ingress.token_header, key.as_deref());
    let model = Arc::clone(&public.dialects.model);
    let answer = move |served, request_id: &str| answer(served, &model, request_id);
    Call { route: Route::Rembg, dialect, credentials, answer: Box::new(answer), errors: ErrorForm::Rembg }
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

fn answer(mut served: Served, model: &str, request_id: &str) -> Response {
    let ignored = std::mem::take(&mut served.extras.ignored);
    let mut answer = reply::picture(served, request_id);
    let headers = answer.headers_mut();
    if let Ok(model) = HeaderValue::try_from(model) {
        headers.insert(MODEL, model);
    }
    list_ignored(headers, &ignored);
    answer
}
