//! Finds the account that an API key opens, and records when keys are used.

use super::{Keyring, api_key};
use crate::{
    domain::{
        account::Account,
        api_key::{ApiKey, KeyId},
        time::UnixSeconds,
    },
    store::{Metering, Result},
};
use secrecy::SecretString;
use std::{
    collections::HashMap,
    mem,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often the uses of keys are written down: each key at most once in this time.
const WRITE_EVERY: Duration = Duration::from_mins(1);

/// What a key opens.
#[derive(Debug)]
pub enum Opening {
    /// Its account.
    Account(Box<(ApiKey, Account)>),
    /// Nothing. Callers are not told why; the log is, about a key that is stored.
    Nothing(Option<String>),
}

/// The keys of one store.
pub struct ApiKeys {
    store: Arc<dyn Metering>,
    keyring: Keyring,
    /// Keys used since they were last written down. Only keys that opened an account are here, so no more than exist.
    used: Mutex<HashMap<KeyId, UnixSeconds>>,
}

impl ApiKeys {
    /// The keys of this store, hashed as this keyring does.
    #[must_use]
    pub fn new(store: Arc<dyn Metering>, keyring: Keyring) -> Self {
        Self { store, keyring, used: Mutex::default() }
    }

    /// What a key opens at `now` for a caller at this address.
    /// A key of our own making that was mistyped is recognised without asking the store.
    pub async fn open(&self, key: &SecretString, address: IpAddr, now: UnixSeconds) -> Result<Opening> {
        let found = find(&*self.store, &self.keyring, key).await?;
        let Some((key, account)) = found else { return Ok(Opening::Nothing(None)) };
        let why = match key.is_live(now) {
            false if key.revoked.is_some() => "is revoked",
            false => "has expired",
            true if !key.is_allowed_from(address) => "is not allowed from the client's address",
            true => {
                self.used().insert(key.id.clone(), now);
                return Ok(Opening::Account(Box::new((key, account))));
            }
        };
        Ok(Opening::Nothing(Some(format!("{} {why}", key.id.0))))
    }

    /// Writes down, once a minute until `stop`, when keys were last used.
    pub async fn keep_writing_uses(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(WRITE_EVERY)).await.is_some() {
            self.write_uses().await;
        }
    }

    /// Writes down when keys were last used, all in one call and apart from any request. Uses that the store does not
    /// take are tried again the next time.
    pub async fn write_uses(&self) {
        let used: Vec<_> = mem::take(&mut *self.used()).into_iter().collect();
        if used.is_empty() {
            return;
        }
        if let Err(fault) = self.store.touch_keys(&used).await {
            warn!(%fault, keys = used.len(), "the last use of keys could not be written down");
            let mut newer = self.used();
            for (key, at) in used {
                newer.entry(key).or_insert(at);
            }
        }
    }

    fn used(&self) -> MutexGuard<'_, HashMap<KeyId, UnixSeconds>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stored key, under any of the peppers, and its account.
pub(crate) async fn find(
    store: &dyn Metering,
    keyring: &Keyring,
    key: &SecretString,
) -> Result<Option<(ApiKey, Account)>> {
    if !api_key::has_valid_shape(key) {
        return Ok(None);
    }
    for hash in keyring.hashes(key) {
        if let Some(found) = store.caller_of_key(&hash).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
