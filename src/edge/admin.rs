//! The admin listener's routes: liveness, readiness, metrics.

use super::{panics::catch_panics_of_operators, reply, routes::Routes, state::AdminState};
use crate::domain::{
    readiness::{Obstacle, Warning},
    refusal::Refusal,
};
use axum::{
    Router,
    extract::State,
    middleware::from_fn,
    response::{IntoResponse as _, Response},
    routing::get,
};
use hyper::{StatusCode, header};
use serde::Serialize;
use std::sync::Arc;

/// The operators' routes.
pub fn admin_routes(admin: Arc<AdminState>) -> Routes {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || reply::refused(&Refusal::NotFound, ""))
        .method_not_allowed_fallback(async || reply::refused(&Refusal::MethodNotAllowed, ""))
        .layer(from_fn(catch_panics_of_operators))
        .with_state::<()>(admin)
        .into()
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    store: bool,
    backend: bool,
    /// Why it is not ready, in codes; empty if it is.
    obstacles: Vec<&'static str>,
    /// What an operator should look at, in codes.
    warnings: Vec<&'static str>,
}

async fn ready(State(admin): State<Arc<AdminState>>) -> Response {
    let state = admin.look().await;
    let judged = state.judge();
    let answer = axum::Json(Readiness {
        ready: judged.is_ready(),
        store: state.store_up,
        backend: state.backend_up,
        obstacles: judged.obstacles.iter().copied().map(Obstacle::code).collect(),
        warnings: judged.warnings.iter().copied().map(Warning::code).collect(),
    });
    if judged.is_ready() {
        return answer.into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], answer).into_response()
}

async fn metrics(State(admin): State<Arc<AdminState>>) -> Response {
    // A store that can be read and not written to, as on a full disk, is not up.
    let (state, holds_open) = tokio::join!(admin.look(), admin.store.holds_in_flight());
    let holds_open = holds_open.ok().filter(|_| state.store_up);
    admin.metrics.see_readiness(&state.judge());
    admin.metrics.see_process(&admin.process.gauges());
    admin.metrics.see_store(&admin.store.gauges());
    admin.metrics.see_backend(&admin.backend.gauges());
    match admin.metrics.render(holds_open, &admin.budgets) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
