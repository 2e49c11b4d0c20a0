//! The public listener's routes, and the layers that every request to them passes.

use super::{
    cors::cors,
    dialect::{
        rembg::{remove, remove_url},
        removebg::{account, removebg},
    },
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
    let counted_as = |route| from_fn_with_state((Arc::clone(&public), route), catch_panics);
    Router::new()
        .route("/rmbg", post(rmbg).layer(counted_as(Route::Rmbg)))
        .route("/api/membership-usage", get(membership_usage).layer(counted_as(Route::MembershipUsage)))
        .route("/api/webhooks/stripe", post(stripe_webhook).layer(counted_as(Route::StripeWebhook)))
        .route("/healthz", get(async || "ok\n").layer(counted_as(Route::Other)))
        .merge(dialects(&public))
        .merge(pages::routes(&public.pages).layer(counted_as(Route::Pages)))
        .fallback(unknown_path.layer(counted_as(Route::Other)))
        .method_not_allowed_fallback(unknown_method.layer(counted_as(Route::Other)))
        .layer(cors)
        .layer(map_response(pages::harmless))
        .with_state(public)
}

/// The routes of others' APIs.
fn dialects(public: &Arc<PublicState>) -> Router<Arc<PublicState>> {
    let counted_as = |route| from_fn_with_state((Arc::clone(public), route), catch_panics);
    let mut router = Router::new();
    if public.dialects.removebg {
        router = router
            .route("/v1.0/removebg", post(removebg).layer(counted_as(Route::RemoveBg)))
            .route("/v1.0/account", get(account).layer(counted_as(Route::RemoveBgAccount)));
    }
    if public.dialects.rembg {
        router = router
            .route("/api/remove", post(remove).layer(counted_as(Route::Rembg)))
            .route("/api/remove", get(remove_url).layer(counted_as(Route::Rembg)));
    }
    router
}
