//! One service, which removes backgrounds at an address.

use super::{
    Answer, CutRequest, Failure,
    exchange::{AttemptError, Exchange},
    rembg_server::RembgServer,
    remote_rmbg::RmbgService,
};
use std::sync::Arc;

/// A service. The pool calls it once it has a slot for the request.
pub(super) enum Service {
    /// It speaks `POST /rmbg` itself.
    Rmbg(RmbgService),
    /// It is the server `rembg s`.
    Rembg(RembgServer),
}

impl Service {
    /// Sends the request once and reads the whole answer.
    pub(super) async fn send(&self, exchange: &mut Exchange) -> Result<Answer, AttemptError> {
        match self {
            Self::Rmbg(service) => service.send(exchange).await,
            Self::Rembg(server) => Box::pin(server.send(exchange)).await,
        }
    }

    /// Completes the service's answer after it has arrived and the slot is free again.
    pub(super) async fn finish(&self, request: &Arc<CutRequest>, answer: Answer) -> Result<Answer, Failure> {
        match self {
            Self::Rmbg(_) => Ok(answer),
            Self::Rembg(server) => Box::pin(server.finish(request, answer)).await,
        }
    }

    /// Whether the service answers a health check. The check is never charged.
    pub(super) async fn probe(&self) -> bool {
        match self {
            Self::Rmbg(service) => service.probe().await,
            Self::Rembg(server) => server.probe().await,
        }
    }
}
