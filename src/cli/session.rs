//! The configuration, the time, and what commands open with them.

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

/// The configuration and the time; each command opens the rest that it needs.
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) clock: Clock,
}

impl Session {
    pub(super) fn new(config: Config) -> Self {
        Self { config, clock: Clock::Own }
    }

    pub(super) async fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        // The pepper is opened first, because a store that exists without its pepper counts as having lost it.
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
