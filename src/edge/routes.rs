//! The public listener's routes, and the layers that every request to them passes.

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
use crate::telemetry::Route;
use axum::{
    Router,
    handler::Handler as _,
    middleware::{from_fn_with_state, map_response},
    routing::{get, post},
};
use std::sync::Arc;

/// The routes of the contract. A panic is counted as the [`Route`] that stands beside the path.
pub fn public_routes(public: Arc<PublicState>) -> Router {
    let cors = from_fn_with_state(Arc::clone(&public.cors), cors);
    let counted_as = |route| from_fn_with_state((Arc::clone(&public.metrics), route), catch_panics);
    Router::new()
        .route("/rmbg", post(rmbg).layer(counted_as(Route::Rmbg)))
        .route("/api/membership-usage", get(membership_usage).layer(counted_as(Route::MembershipUsage)))
        .route("/api/webhooks/stripe", post(stripe_webhook).layer(counted_as(Route::StripeWebhook)))
        .route("/healthz", get(async || "ok\n").layer(counted_as(Route::Other)))
        .merge(pages::routes(&public.pages).layer(counted_as(Route::Pages)))
        .fallback(unknown_path.layer(counted_as(Route::Other)))
        .method_not_allowed_fallback(unknown_method.layer(counted_as(Route::Other)))
        .layer(cors)
        .layer(map_response(pages::harmless))
        .with_state(public)
}
