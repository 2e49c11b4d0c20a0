//! An answer on its way to the listener.

use super::in_flight::{self, InFlight};
use crate::spool::Claim;
use axum::response::Response;
use std::sync::Arc;

/// An answer, and what is kept until its last byte is sent.
pub(super) struct Answered {
    pub(super) response: Response,
    /// Keeps the request in flight. The bodies of routed answers do so themselves.
    pub(super) in_flight: Option<Arc<InFlight>>,
    /// The space that the answer takes from others.
    pub(super) claim: Option<Claim>,
}

impl From<Response> for Answered {
    fn from(mut response: Response) -> Self {
        let claim = response.extensions_mut().remove();
        Self { response, in_flight: None, claim }
    }
}

/// For the router, which knows nothing but responses.
impl From<Answered> for Response {
    fn from(Answered { mut response, in_flight, claim }: Answered) -> Self {
        if let Some(claim) = claim {
            response.extensions_mut().insert(claim);
        }
        match in_flight {
            Some(in_flight) => in_flight::until_sent(response, in_flight),
            None => response,
        }
    }
}
