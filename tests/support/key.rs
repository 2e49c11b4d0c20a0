//! API keys as the command line makes them.

use rembg_gateway::{
    domain::{account::Uid, api_key::ApiKey, time::UnixSeconds},
    identity::{Keyring, api_key},
    store::Store,
};
use secrecy::ExposeSecret as _;

/// Puts a fresh key into a store, after a change of what it may do. Answers with the key.
pub async fn put_key(
    store: &dyn Store,
    keyring: &Keyring,
    (uid, created): (&Uid, UnixSeconds),
    change: impl FnOnce(&mut ApiKey),
) -> String {
    let key = api_key::generate().unwrap();
    let mut made = ApiKey {
        id: keyring.fresh_id().unwrap(),
        uid: uid.clone(),
        name: String::new(),
        hint: api_key::hint(&key),
        created,
        expires: None,
        revoked: None,
        networks: Vec::new(),
        monthly_cap: None,
    };
    change(&mut made);
    store.put_key(&keyring.hash(&key), &made).await.unwrap();
    key.expose_secret().to_owned()
}
