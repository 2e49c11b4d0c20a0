//! The state that the routes of a listener share.

use super::{cors::Cors, deliveries::Deliveries, ingress::Ingress};
use crate::{
    backend::Backend,
    clock::Clock,
    domain::readiness::GatewayState,
    pages::Pages,
    rmbg::Rmbg,
    spool::Budgets,
    store::Metering,
    stripe::webhook::Webhook,
    telemetry::{Metrics, Process},
    usage::UsageReports,
};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// The state of the public routes. It never changes: a reload of the configuration makes the next one. What is counted is
/// shared by all of them.
#[derive(Clone)]
pub struct PublicState {
    /// The first checks of every request.
    pub ingress: Ingress,
    /// The rules for callers in browsers.
    pub cors: Arc<Cors>,
    /// Serves `POST /rmbg`.
    pub rmbg: Rmbg,
    /// Serves `GET /api/membership-usage`.
    pub usage: Arc<UsageReports>,
    /// Serves `POST /api/webhooks/stripe`.
    pub stripe: Arc<Webhook>,
    /// The memory for deliveries of Stripe that are still arriving.
    pub deliveries: Arc<Deliveries>,
    /// The APIs of others that are spoken here.
    pub dialects: DialectRules,
    /// The files for browsers.
    pub pages: Arc<Pages>,
    /// The metrics that records are counted in.
    pub metrics: Arc<Metrics>,
    /// The tasks of requests, including the settling of those whose caller has left.
    pub tasks: TaskTracker,
}

/// The APIs of others that are spoken here.
#[derive(Clone, Debug)]
pub struct DialectRules {
    /// remove.bg's.
    pub removebg: bool,
    /// That of `rembg s`.
    pub rembg: bool,
    /// Whether callers in the latter may send their API key in the query.
    pub key_in_query: bool,
    /// What they are told that has served them.
    pub model: Arc<str>,
}

/// The state of the admin routes.
pub struct AdminState {
    /// The store, for its readiness and its open holds.
    pub store: Arc<dyn Metering>,
    /// The backend, for its readiness.
    pub backend: Arc<dyn Backend>,
    /// The metrics that are shown.
    pub metrics: Arc<Metrics>,
    /// The budgets whose use is shown.
    pub budgets: Budgets,
    /// Whether it is about to stop, and its certificate.
    pub process: Arc<Process>,
    /// The clock by which the certificate expires.
    pub clock: Clock,
}

impl AdminState {
    /// What the readiness follows from, as it is now. The store and the backend are asked.
    pub(super) async fn look(&self) -> GatewayState {
        let (store, backend_up) = tokio::join!(self.store.ping(), self.backend.ready());
        let (process, backend) = (self.process.gauges(), self.backend.gauges());
        GatewayState {
            phase: process.phase,
            store_up: store.is_ok(),
            backend_up,
            certificate: process.certificate_age(self.clock.now().seconds()),
            keys_resting: backend.keys.resting,
            account_exhausted: backend.keys.exhausted || backend.account.is_some_and(|account| account.remaining == 0),
            journal_waiting: self.store.gauges().journal_waiting,
        }
    }
}
