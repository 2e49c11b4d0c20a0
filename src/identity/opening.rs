//! From an API key to the account that it opens.

use super::{Keyring, api_key};
use crate::{
    domain::{
        caller::{Account, ApiKey},
        time::UnixSeconds,
    },
    store::{self, Store},
};
use secrecy::SecretString;

impl Keyring {
    /// The live key and the account that it opens; `None` for a key that opens nothing at `now`. A key of our own making
    /// that was mistyped is recognised without asking the store.
    pub async fn account_of(
        &self,
        store: &dyn Store,
        key: &SecretString,
        now: UnixSeconds,
    ) -> store::Result<Option<(ApiKey, Account)>> {
        if !api_key::has_valid_shape(key) {
            return Ok(None);
        }
        Ok(store.caller_of_key(&self.hash(key)).await?.filter(|(key, _)| key.is_live(now)))
    }
}
