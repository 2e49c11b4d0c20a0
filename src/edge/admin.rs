//! The admin listener's routes: liveness, readiness, metrics.

use super::{pages::harmless, panics::catch_panics_of_operators, reply, state::AdminState};
use crate::domain::refusal::Refusal;
use axum::{
    Router,
    extract::State,
    middleware::{from_fn, map_response},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hyper::{StatusCode, header};
use serde::Serialize;
use std::sync::Arc;

/// The operators' routes.
pub fn admin_routes(admin: Arc<AdminState>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || reply::refused(&Refusal::NotFound, ""))
        .method_not_allowed_fallback(async || reply::refused(&Refusal::MethodNotAllowed, ""))
        .layer(from_fn(catch_panics_of_operators))
        .layer(map_response(harmless))
        .with_state(admin)
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    store: bool,
    backend: bool,
}

async fn ready(State(admin): State<Arc<AdminState>>) -> Response {
    let (store, backend) = tokio::join!(admin.store.ping(), admin.backend.ready());
    let store = store.is_ok();
    let ready = store && backend;
    let answer = axum::Json(Readiness { ready, store, backend });
    if ready {
        return answer.into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], answer).into_response()
}

async fn metrics(State(admin): State<Arc<AdminState>>) -> Response {
    let holds_open = admin.store.holds_open().await.ok();
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
