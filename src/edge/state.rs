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
    /// What browsers are shown.
    pub pages: Pages,
    /// Where records go.
    pub metrics: Arc<Metrics>,
    /// Requests under way, the settling of those whose caller has left included.
    pub tasks: TaskTracker,
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
