//! The public listener's routes, and what every request to them goes through.

use super::{
    cors::cors,
    membership_usage::membership_usage,
    pages,
    panics::catch_panics,
    rmbg::rmbg,
    state::PublicState,
    unknown::{unknown_method, unknown_path},
    webhook::stripe_webhook,
};
use axum::{
    Router,
    middleware::{from_fn_with_state, map_response},
    routing::{get, post},
};
use std::sync::Arc;

/// The routes of the contract.
pub fn public_routes(public: Arc<PublicState>) -> Router {
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
