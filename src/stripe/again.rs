//! Events whose results a store may have lost are processed again.

use super::{
    event::Event,
    intake::{Intake, Taken, unexpected},
};
use crate::{
    clock::Clock,
    config::Config,
    domain::{account::Uid, time::UnixMicros},
    store::{self, Billing, Reprocess},
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What has changed accounts, as it is noted in the store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Noted {
    /// One of Stripe's events.
    Event(Event),
    /// An operator's claim about an object's owner, at this moment.
    Move(String, Uid, UnixMicros),
}

/// Processes noted events as a gateway of this configuration does.
pub struct Again {
    /// Of the start. The plans are those of the latest.
    config: Config,
    latest: ArcSwap<Config>,
    clock: Clock,
}

impl Again {
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
impl Reprocess for Again {
    async fn process(&self, store: Arc<dyn Billing>, event: &str) -> store::Result<()> {
        let intake = Intake::new(store, &self.config, self.clock.clone()).with_plans(&self.latest.load());
        match serde_json::from_str(event).map_err(|error| unexpected(&error))? {
            Noted::Event(event) => intake.take(event, &mut Taken::default()).await,
            Noted::Move(id, uid, at) => intake.move_at(&id, &uid, at).await.map(drop),
        }
    }
}
