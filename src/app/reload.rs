//! Takes up a new configuration while the gateway serves.
//!
//! Everything that can fail comes first. What requests are served by is then replaced in one step, and each request keeps
//! what it began with. What all requests share (the store's terms, our keys, the room for bodies) applies to the next step
//! that any of them takes.

use super::{
    ReloadError, observed,
    settings::{admin_snapshot, disk_rules, next_state, public_snapshot},
};
use crate::{
    backend::{Backend, KeyValues},
    clock::Clock,
    config::{Config, ConfigErrors, Differences},
    edge::{Live, Pair, PublicState, Routes, Snapshot, Tls, public_routes},
    spool::Budgets,
    store::LiveTerms,
    telemetry::{Process, change_log},
};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::Mutex;
use tracing::{error, info, warn};

/// The parts that outlive every configuration and take up its values.
pub(super) struct Parts {
    pub(super) terms: LiveTerms,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) budgets: Budgets,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) process: Arc<Process>,
    pub(super) clock: Clock,
}

/// The configuration in force, and the state of the public routes that follows from it.
struct InForce {
    config: Config,
    state: PublicState,
}

/// Replaces the configuration.
pub(super) struct Reloads {
    parts: Parts,
    public: Live,
    admin: Live,
    /// Locked while a reload runs.
    in_force: Mutex<InForce>,
}

impl Reloads {
    /// Begins with the configuration of the start. `admin` are the operators' routes.
    pub(super) fn new(parts: Parts, config: Config, state: PublicState, admin: Routes) -> Self {
        let public = public_snapshot(&config, public_routes(Arc::new(state.clone())));
        let admin = admin_snapshot(&config, admin);
        let [public, admin] = [public, admin].map(|snapshot| Arc::new(ArcSwap::from_pointee(snapshot)));
        Self { parts, public, admin, in_force: Mutex::new(InForce { config, state }) }
    }

    /// What requests on the public listeners are served by.
    pub(super) fn public(&self) -> Live {
        Arc::clone(&self.public)
    }

    /// What requests on the admin listener are served by.
    pub(super) fn admin(&self) -> Live {
        Arc::clone(&self.admin)
    }

    /// See [`App::reload`](super::App::reload).
    pub(super) async fn reload(&self, read: Result<Config, ConfigErrors>) -> Result<(), ReloadError> {
        let mut in_force = self.in_force.lock().await;
        match self.take_up(&mut in_force, read).await {
            Ok(changed) => {
                self.parts.process.reloaded(self.parts.clock.now().seconds());
                info!(changed = changed.join(", "), "the configuration was reloaded");
                Ok(())
            }
            Err(error) => {
                self.parts.process.reload_refused();
                error!(%error, "the configuration was not reloaded, and the old one stays in force");
                Err(error)
            }
        }
    }

    /// Returns the settings that have changed.
    async fn take_up(
        &self,
        in_force: &mut InForce,
        read: Result<Config, ConfigErrors>,
    ) -> Result<Vec<String>, ReloadError> {
        let config = read?;
        let Differences { live, fixed } = in_force.config.differences(&config);
        if !fixed.is_empty() {
            return Err(ReloadError::NeedsRestart(fixed));
        }
        let keys = KeyValues::configured(&config.backend)?;
        if let (Some(tls), Some((certificate, key))) = (&self.parts.tls, config.listen.tls_files()) {
            tls.replace(Pair::read(certificate, key).await?).await;
        }
        for warning in config.warnings() {
            warn!("{warning}");
        }
        change_log(&config.log);
        self.parts.backend.use_keys(keys);
        self.parts.budgets.disk.share_by(disk_rules(&config));
        self.parts.terms.replace(config.terms());
        in_force.state.stripe.use_plans(&config);
        observed::take_up(&in_force.state.metrics, &config);
        in_force.state = next_state(&in_force.state, &config);
        replace(&self.public, public_snapshot(&config, public_routes(Arc::new(in_force.state.clone()))));
        replace(&self.admin, admin_snapshot(&config, self.admin.load().routes.clone()));
        in_force.config = config;
        Ok(live)
    }
}

/// A stop waits for requests that began under an earlier snapshot too.
fn replace(live: &Live, next: Snapshot) {
    let grace = next.grace.max(live.load().grace);
    live.store(Arc::new(Snapshot { grace, ..next }));
}
