//! Events whose results a store may have lost are processed again.

use super::intake::{Intake, JournalEvent, Taken, unexpected};
use crate::{
    clock::Clock,
    config::Config,
    store::{self, Billing, Reprocess},
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use std::sync::Arc;

/// Processes the journal's events as a gateway of this configuration does.
pub struct Reprocessor {
    /// Of the start. The plans are those of the latest.
    config: Config,
    latest: ArcSwap<Config>,
    clock: Clock,
}

impl Reprocessor {
    /// For a gateway of this configuration.
    #[must_use]
    pub fn new(config: &Config, clock: Clock) -> Self {
        Self { config: config.clone(), latest: ArcSwap::from_pointee(config.clone()), clock }
    }

    /// Uses the plans of this configuration from now on.
    pub fn use_plans(&self, config: &Config) {
        self.latest.store(Arc::new(config.clone()));
    }
}

#[async_trait]
impl Reprocess for Reprocessor {
    async fn process(&self, store: Arc<dyn Billing>, event: &str) -> store::Result<()> {
        let intake = Intake::new(store, &self.config, self.clock.clone()).with_plans(&self.latest.load());
        match serde_json::from_str(event).map_err(|error| unexpected(&error))? {
            JournalEvent::Event(event) => intake.take(*event, &mut Taken::default()).await,
            JournalEvent::Move(id, uid, at) => intake.move_at(&id, &uid, at).await.map(drop),
        }
    }
}
