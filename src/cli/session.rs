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

    /// The store, which must exist: only the commands that [`Self::store_or_new`] is for make one. A command in the wrong
    /// folder would otherwise report that all is well with nothing.
    pub(super) async fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        self.must_exist()?;
        self.store_or_new().await
    }

    /// [`Failure::NoStore`] if the store is a file and not there.
    pub(super) fn must_exist(&self) -> Result<(), Failure> {
        match self.config.store.sqlite_path() {
            Some(path) if !path.exists() => Err(Failure::NoStore(path.into())),
            Some(_) | None => Ok(()),
        }
    }

    /// The store, which is made if it does not exist.
    pub(super) async fn store_or_new(&self) -> Result<Arc<dyn Store>, Failure> {
        // The pepper is opened first, because a store that exists without its pepper counts as having lost it.
        self.keyring()?;
        Ok(store::open(&self.config, self.clock.clone()).await?)
    }

    pub(super) async fn admin(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.store().await?, &self.config))
    }

    /// The same on a store that is made if it does not exist.
    pub(super) async fn admin_or_new(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.store_or_new().await?, &self.config))
    }

    pub(super) fn keyring(&self) -> Result<Keyring, Failure> {
        Ok(Keyring::open(&self.config)?)
    }

    pub(super) fn now(&self) -> UnixSeconds {
        self.clock.now().seconds()
    }
}
