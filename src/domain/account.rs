//! Accounts: the owners of credits, and the values that belong to one account alone (contract, section 2).

use super::{period::BillingPeriod, rate_limit::Burst, shared_text::SharedText};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An account's identifier: 1–128 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SharedText")]
pub struct Uid(SharedText);

/// Why a text is no account identifier.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an account id is 1 to 128 characters, this one has {0}")]
pub struct BadUid(usize);

impl Uid {
    /// Takes any text of 1–128 characters; a store encodes what its own key syntax cannot carry.
    pub fn new(text: impl Into<SharedText>) -> Result<Self, BadUid> {
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

impl TryFrom<SharedText> for Uid {
    type Error = BadUid;
    fn try_from(text: SharedText) -> Result<Self, BadUid> {
        Self::new(text)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.as_str().to_owned()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One account.
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
    /// Numbers of its own in place of its plan's, until the next plan change.
    #[serde(flatten)]
    pub overrides: Overrides,
    /// Stripe's latest known period, once a webhook has written it.
    pub billing_period: Option<BillingPeriod>,
}

/// An account's own numbers, which go before its plan's; `None` for the plan's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// The short-term limit.
    pub burst: Option<Burst>,
    /// How many more turns than others it gets when requests wait for the backend.
    pub priority: Option<u8>,
    /// The most pixels that a picture may have; 0 for as many as the backend takes.
    pub max_pixels: Option<u64>,
}

impl Overrides {
    /// These numbers, and those of `other` where these are `None`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            burst: self.burst.or(other.burst),
            priority: self.priority.or(other.priority),
            max_pixels: self.max_pixels.or(other.max_pixels),
        }
    }
}
