//! The public listener's routes, and the layers that requests to them pass. Pictures in our own form go straight.

use super::{
    answered::Answered,
    cors::cors,
    dialect::{
        rembg::{remove, remove_url},
        removebg::{account, removebg},
    },
    listener::Peer,
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
    body::Body,
    handler::Handler as _,
    middleware::{from_fn_with_state, map_response},
    routing::{get, post},
};
use hyper::{Method, Request};
use std::sync::Arc;
use tower_service::Service as _;

/// Where pictures are sent.
const PICTURES: &str = "/rmbg";

/// What answers a listener's requests.
#[derive(Clone)]
pub struct Routes {
    router: Router,
    /// What serves pictures; `None` on a listener for operators.
    pictures: Option<Arc<PublicState>>,
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self { router, pictures: None }
    }
}

impl Routes {
    /// Answers a request of this peer.
    pub(super) async fn answer(&self, mut request: Request<Body>, peer: Peer) -> Answered {
        if let Some(public) = &self.pictures
            && *request.method() == Method::POST
            && request.uri().path() == PICTURES
        {
            return rmbg(public, request, peer).await;
        }
        request.extensions_mut().insert(peer);
        match self.router.clone().call(request).await {
            Ok(response) => response.into(),
            Err(never) => match never {},
        }
    }
}

/// The routes of the contract. A panic is counted as the [`Route`] that stands beside the path.
pub fn public_routes(public: Arc<PublicState>) -> Routes {
    Routes { router: router(Arc::clone(&public)), pictures: Some(public) }
}

fn router(public: Arc<PublicState>) -> Router {
    let cors = from_fn_with_state(Arc::clone(&public.cors), cors);
    let counted_as = |route| from_fn_with_state((Arc::clone(&public), route), catch_panics);
    Router::new()
        // Other methods get here, and are told this one.
        .route("/rmbg", post(unknown_method))
        .route("/api/membership-usage", get(membership_usage).layer(counted_as(Route::MembershipUsage)))
        .route("/api/webhooks/stripe", post(stripe_webhook).layer(counted_as(Route::StripeWebhook)))
        .route("/healthz", get(async || "ok\n").layer(counted_as(Route::Other)))
        .merge(dialects(&public))
        .merge(pages::routes(&public.pages).layer(counted_as(Route::Pages)))
        .fallback(unknown_path.layer(counted_as(Route::Other)))
        .method_not_allowed_fallback(unknown_method.layer(counted_as(Route::Other)))
        .layer(cors)
        .layer(map_response(pages::all_harmless))
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
