//! Who is calling, and on whose account a picture is counted (contract, section 2).

use super::{credit::Burst, network::Network, period::BillingPeriod, time::UnixSeconds};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// An account's identifier: 1–128 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uid(String);

/// Why a text is no account identifier.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an account id is 1 to 128 characters, this one has {0}")]
pub struct BadUid(usize);

impl Uid {
    /// Takes any text of 1–128 characters; a store encodes what its own key syntax cannot carry.
    pub fn new(text: impl Into<String>) -> Result<Self, BadUid> {
        let text = text.into();
        match text.chars().count() {
            1..=128 => Ok(Self(text)),
            length => Err(BadUid(length)),
        }
    }

    /// The identifier as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Uid {
    type Error = BadUid;
    fn try_from(text: String) -> Result<Self, BadUid> {
        Self::new(text)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of the two usage counters a picture belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A signed-in user: `app_usage`.
    App,
    /// An API key: `api_usage`.
    Api,
}

impl Channel {
    /// `app` or `api`, as in the counters' names and the metrics' labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Api => "api",
        }
    }
}

/// One anonymous client: an IPv4 address or an IPv6 /64, spelled canonically.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientAddress(pub String);

/// The public identifier of an API key. It is no secret and opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

/// Whose allowance a hold is drawn on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payer {
    /// An account's pool of credits.
    Account(Uid),
    /// An anonymous client's daily allowance.
    Client(ClientAddress),
}

/// What the gateway knows of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The identifier.
    pub uid: Uid,
    /// The plan's name, shown as `membership`.
    pub membership: String,
    /// Included credits per window; never lowered by use (contract, section 3).
    pub credits: u64,
    /// Prepaid balance. Below zero only after a keep that came later than its lease, or where credits that were spent
    /// already have been refunded.
    pub prepaid: i64,
    /// Whether the e-mail address has been verified; otherwise every call is 403.
    pub email_verified: bool,
    /// What it has other than its plan has it, until the next plan change.
    #[serde(flatten)]
    pub overrides: Overrides,
    /// Stripe's latest known period, once a webhook has written it.
    pub billing_period: Option<BillingPeriod>,
}

/// Numbers of an account's own, which go before its plan's; `None` for the plan's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// The short-term limit.
    pub burst: Option<Burst>,
    /// How many more turns than others it gets when there is a line before the backend.
    pub priority: Option<u8>,
    /// The most pixels that a picture may have; 0 for as many as the backend takes.
    pub max_pixels: Option<u64>,
}

impl Overrides {
    /// These, and for what they leave open, those of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            burst: self.burst.or(other.burst),
            priority: self.priority.or(other.priority),
            max_pixels: self.max_pixels.or(other.max_pixels),
        }
    }
}

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
    /// From when on it is refused.
    pub expires: Option<UnixSeconds>,
    /// When it was revoked.
    pub revoked: Option<UnixSeconds>,
    /// Where it may be used from; empty for anywhere.
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
