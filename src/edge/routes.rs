//! The routes of the listeners, and what is done for each of their answers.

use super::{
    answered::Answered,
    dialect::{
        rembg::{remove, remove_url},
        removebg::{account, removebg},
    },
    membership_usage::membership_usage,
    pages::{self, harmless},
    panics::catch_panics,
    peer::Peer,
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
    middleware::from_fn_with_state,
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
    /// What serves callers; `None` on a listener for operators.
    public: Option<Arc<PublicState>>,
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self { router, public: None }
    }
}

impl Routes {
    /// Answers a request of this peer.
    pub(super) async fn answer(&self, request: Request<Body>, peer: Peer) -> Answered {
        let mut answer = match &self.public {
            Some(public) => self.for_page(public, request, peer).await,
            None => self.routed(request, peer).await,
        };
        harmless(&mut answer.response);
        answer
    }

    /// Answers preflights, which count against no limit. To every other answer, adds the headers for the page that asked.
    async fn for_page(&self, public: &Arc<PublicState>, request: Request<Body>, peer: Peer) -> Answered {
        if let Some(answer) = public.cors.preflight(&request) {
            return answer.into();
        }
        let allowed = public.cors.allows(request.headers());
        // Most requests are pictures. They do not need the router.
        let is_picture = *request.method() == Method::POST && request.uri().path() == PICTURES;
        let mut answer = if is_picture { rmbg(public, request, peer).await } else { self.routed(request, peer).await };
        public.cors.mark(answer.response.headers_mut(), allowed);
        answer
    }

    async fn routed(&self, mut request: Request<Body>, peer: Peer) -> Answered {
        request.extensions_mut().insert(peer);
        match self.router.clone().call(request).await {
            Ok(response) => response.into(),
            Err(never) => match never {},
        }
    }
}

/// The routes of the contract. A panic is counted as the [`Route`] that stands beside the path.
pub fn public_routes(public: Arc<PublicState>) -> Routes {
    Routes { router: router(Arc::clone(&public)), public: Some(public) }
}

fn router(public: Arc<PublicState>) -> Router {
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
