//! API keys as they are stored: everything but the key itself (contract, section 2).

use super::{account::Uid, network::Network, shared_text::SharedText, time::UnixSeconds};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The public identifier of an API key. It is no secret and opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub SharedText);

/// One API key as stored: everything but the key itself, which only its owner has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Public identifier, used to revoke.
    pub id: KeyId,
    /// The account that the key opens.
    pub uid: Uid,
    /// The owner's own name for it; may be empty.
    pub name: String,
    /// Prefix and last four characters, enough to recognise a key by.
    pub hint: String,
    /// When it was made.
    pub created: UnixSeconds,
    /// The moment from which it is refused.
    pub expires: Option<UnixSeconds>,
    /// When it was revoked.
    pub revoked: Option<UnixSeconds>,
    /// The networks that it may be used from; empty for anywhere.
    pub networks: Vec<Network>,
    /// Credits of either pool that it may spend in a UTC month; `None` for as many as the account has.
    pub monthly_cap: Option<u64>,
}

impl ApiKey {
    /// Whether the key opens its account at `now`.
    #[must_use]
    pub fn is_live(&self, now: UnixSeconds) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|end| now < end)
    }

    /// Whether the key may be used from this address.
    #[must_use]
    pub fn is_allowed_from(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address))
    }
}

/// HMAC-SHA256 of an API key under the gateway's pepper, in hexadecimal: how a store finds a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(pub String);
