//! What a command works with.

use super::Failure;
use crate::{
    admin::Admin,
    clock::Clock,
    config::Config,
    domain::time::UnixSeconds,
    identity::Keyring,
    store::{self, Store},
};
use std::sync::Arc;

/// The configuration and the time; the rest is opened by the commands that need it.
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) clock: Clock,
}

impl Session {
    pub(super) fn new(config: Config) -> Self {
        Self { config, clock: Clock::Own }
    }

    pub(super) async fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        // The pepper first: a store without one would have lost it.
        self.keyring()?;
        Ok(store::open(&self.config, self.clock.clone()).await?)
    }

    pub(super) async fn admin(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.store().await?, &self.config))
    }

    pub(super) fn keyring(&self) -> Result<Keyring, Failure> {
        Ok(Keyring::open(&self.config)?)
    }

    pub(super) fn now(&self) -> UnixSeconds {
        self.clock.now().seconds()
    }
}
