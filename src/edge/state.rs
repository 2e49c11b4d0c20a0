//! What the routes of each listener share.

use super::{cors::Cors, deliveries::Deliveries, ingress::Ingress};
use crate::{
    backend::Backend, pages::Pages, rmbg::Rmbg, spool::Budgets, store::Metering, stripe::webhook::Webhook,
    telemetry::Metrics, usage::UsageReports,
};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// What the public routes need.
pub struct PublicState {
    /// What comes before everything else.
    pub ingress: Ingress,
    /// Callers in browsers.
    pub cors: Arc<Cors>,
    /// `POST /rmbg`
    pub rmbg: Rmbg,
    /// `GET /api/membership-usage`
    pub usage: UsageReports,
    /// `POST /api/webhooks/stripe`
    pub stripe: Webhook,
    /// Memory for its deliveries under way.
    pub deliveries: Arc<Deliveries>,
    /// The APIs of others that are spoken here.
    pub dialects: DialectRules,
    /// What browsers are shown.
    pub pages: Pages,
    /// Where records go.
    pub metrics: Arc<Metrics>,
    /// Requests under way, the settling of those whose caller has left included.
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

/// What the admin routes need.
pub struct AdminState {
    /// Asked whether it is ready, and how many holds are open.
    pub store: Arc<dyn Metering>,
    /// Asked whether it is ready.
    pub backend: Arc<dyn Backend>,
    /// What to show.
    pub metrics: Arc<Metrics>,
    /// What to show.
    pub budgets: Budgets,
}
