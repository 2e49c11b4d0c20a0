//! CORS (in the Fetch standard): which web pages may call, and which headers of the answers they may read.

use super::{dialect_headers, rate_limit, reply};
use axum::{extract::Request, response::Response};
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderName, HeaderValue},
};

/// How long a browser may keep a preflight's answer, in seconds. Chrome keeps none for longer.
const REMEMBERED: HeaderValue = HeaderValue::from_static("7200");

/// The rules for web pages that call.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Vec<String>,
    allowed_headers: HeaderValue,
    exposed_headers: HeaderValue,
}

impl Cors {
    /// Allows pages of these origins to call; `*` allows all. User tokens are sent in `token_header`.
    #[must_use]
    pub fn new(origins: Vec<String>, token_header: &HeaderName) -> Self {
        let allowed = ["x-api-key", token_header.as_str(), "content-type", reply::REQUEST_ID.as_str()].join(", ");
        let exposed = [
            header::RETRY_AFTER,
            rate_limit::LEFT,
            rate_limit::POLICY,
            reply::CREDITS_CHARGED,
            reply::CREDITS_REMAINING,
            reply::REQUEST_ID,
        ];
        let exposed: Vec<HeaderName> = exposed.into_iter().chain(dialect_headers::ALL).collect();
        let exposed = exposed.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ");
        let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        Self { origins, allowed_headers: value(allowed), exposed_headers: value(exposed) }
    }

    /// The value of `Access-Control-Allow-Origin` for the page that calls, if it may.
    pub(super) fn allows(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.is_off() {
            return None;
        }
        let origin = headers.get(header::ORIGIN)?;
        if self.origins.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// The answer to a preflight; `None` for any other request.
    pub(super) fn preflight(&self, request: &Request) -> Option<Response> {
        if self.is_off() || !is_preflight(request) {
            return None;
        }
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let (headers, allowed) = (response.headers_mut(), self.allows(request.headers()));
        if allowed.is_some() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.allowed_headers.clone());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
        }
        permit(headers, allowed);
        Some(response)
    }

    /// Adds to an answer the headers for the page that asked, which has this permission.
    pub(super) fn mark(&self, headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
        if self.is_off() {
            return;
        }
        if allowed.is_some() {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed_headers.clone());
        }
        permit(headers, allowed);
    }

    fn is_off(&self) -> bool {
        self.origins.is_empty()
    }
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds the permission, if there is one. `Vary` keeps caches from serving the answer, or its lack of a permission, to
/// another page.
fn permit(headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(allowed) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    }
}
