//! The public listener's routes, and what every request to them goes through.

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
    state::{DialectRules, PublicState},
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
        .merge(dialects(&public.dialects))
        .merge(pages::routes(&public.pages))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(catch_panics)
        .layer(cors)
        .layer(map_response(pages::harmless))
        .with_state(public)
}

/// The routes of others' APIs.
fn dialects(rules: &DialectRules) -> Router<Arc<PublicState>> {
    let mut router = Router::new();
    if rules.removebg {
        router = router.route("/v1.0/removebg", post(removebg)).route("/v1.0/account", get(account));
    }
    if rules.rembg {
        router = router.route("/api/remove", post(remove)).route("/api/remove", get(remove_url));
    }
    router
}
