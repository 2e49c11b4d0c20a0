//! What an operator can be told.

use crate::{
    domain::{account::Uid, api_key::KeyId},
    random::NoRandomness,
    store::Fault,
};

/// Why a verb did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The configuration has no such plan.
    #[error("there is no plan \"{name}\"; there are: {known}")]
    NoPlan {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// No such account.
    #[error("there is no account {0}")]
    NoAccount(Uid),
    /// No such key.
    #[error("there is no key with the id {}", .0.0)]
    NoKey(KeyId),
    /// What was to be imported cannot be a key.
    #[error(
        "this is no key: it must be 16 to 256 printable ASCII characters without spaces, and one that begins with rgw_live_ must be without a typo"
    )]
    NotAKey,
    /// What was to be imported is there.
    #[error("this key exists already, as {}", .0.0)]
    KnownKey(KeyId),
    /// A key that would never work.
    #[error("the key would have expired already")]
    Expired,
    /// No key can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] Fault),
}
