//! What the metrics look at by themselves at every scrape, and what they are told once at the start.

use super::settings::rules;
use crate::{
    config::{BackendKind, Config},
    identity::user_token::UserTokens,
    telemetry::Metrics,
};
use std::sync::Arc;

/// Tells the metrics what is running, and which series there are.
pub(super) fn tell(metrics: &Metrics, config: &Config) {
    take_up(metrics, config);
    let store = if config.store.sqlite_path().is_some() { "sqlite" } else { "redis" };
    let backend = match config.backend.kind {
        BackendKind::Builtin => "builtin",
        BackendKind::Rmbg => "rmbg",
        BackendKind::Rembg => "rembg",
    };
    metrics.runs(env!("CARGO_PKG_VERSION"), store, backend);
    metrics.account_is_exclusive(config.backend.reconcile.exclusive);
}

/// Tells the metrics what a reload may have changed. A plan that was there before keeps its series.
pub(super) fn take_up(metrics: &Metrics, config: &Config) {
    config.plans.keys().for_each(|plan| metrics.add_plan(plan));
    metrics.holds_last(rules(config).lease());
}

/// Has the ages of the keys of user tokens looked at.
pub(super) fn look_at_issuers(metrics: &Metrics, user_tokens: &Arc<UserTokens>) {
    // The parts own the metrics, and not the other way round.
    let user_tokens = Arc::downgrade(user_tokens);
    metrics.at_scrape(move |metrics| {
        if let Some(user_tokens) = user_tokens.upgrade() {
            metrics.see_issuers(&user_tokens.gauges());
        }
    });
}
