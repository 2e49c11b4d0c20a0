//! The errors of the operator's commands.

use crate::{
    domain::{account::Uid, api_key::KeyId},
    random::NoRandomness,
    store::Fault,
};

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The configuration has no such plan.
    #[error("there is no plan \"{name}\"; there are: {known}")]
    NoPlan {
        /// The name that was asked for.
        name: String,
        /// The plans that exist.
        known: String,
    },
    /// No such account.
    #[error("there is no account {0}")]
    NoAccount(Uid),
    /// No such key.
    #[error("there is no key with the id {}", .0.0)]
    NoKey(KeyId),
    /// The text to import cannot be a key.
    #[error(
        "this is not a key: a key has 16 to 256 printable ASCII characters without spaces, and the checksum of one that begins with rgw_live_ must be right"
    )]
    NotAKey,
    /// The key to import is stored already.
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
