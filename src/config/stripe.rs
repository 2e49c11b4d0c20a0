//! `[stripe]`

use super::secrets::{self, SecretError};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// `[stripe]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct StripeConfig {
    /// Signing secrets of the webhook endpoint (`whsec_…`). Several while one is rolled; none turns the webhook off.
    #[serde(serialize_with = "secrets::serialize_list")]
    pub webhook_secrets: Vec<SecretString>,
    /// A file that holds signing secrets, one a line.
    pub webhook_secrets_file: Option<PathBuf>,
    /// How many seconds a signature may be old, or ahead of this clock.
    pub tolerance_s: u64,
    /// The plan of each price, by price id or lookup key.
    pub prices: BTreeMap<String, String>,
    /// Prepaid credits of each payment link (`plink_…`), for sessions whose metadata names no `credits`. A session does not
    /// tell how many were bought: adjustable quantities must be off.
    pub packs: BTreeMap<String, u64>,
    /// Days for which a plan goes on after its period has ended without a renewal, or after the news that its period is
    /// unpaid. Stripe retries a webhook for three.
    pub renewal_grace_days: u32,
    /// Whether events of connected accounts (Connect), which carry `account`, count like the endpoint's own.
    pub connected_accounts: bool,
    /// What a refunded pack does to the prepaid balance.
    pub refunds: ReversalPolicy,
    /// What a disputed pack does to the prepaid balance.
    pub disputes: ReversalPolicy,
}

impl Default for StripeConfig {
    fn default() -> Self {
        Self {
            webhook_secrets: Vec::new(),
            webhook_secrets_file: None,
            tolerance_s: 300,
            prices: BTreeMap::new(),
            packs: BTreeMap::new(),
            renewal_grace_days: 3,
            connected_accounts: false,
            refunds: ReversalPolicy::Debit,
            disputes: ReversalPolicy::Debit,
        }
    }
}

impl StripeConfig {
    /// The signing secrets that the operator gave, by value or by file; none turns the webhook off.
    pub fn given_webhook_secrets(&self) -> Result<Vec<SecretString>, SecretError> {
        secrets::given_list(&self.webhook_secrets, self.webhook_secrets_file.as_deref())
    }

    /// How long a plan goes on after its period has ended without a renewal.
    #[must_use]
    pub fn renewal_grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.renewal_grace_days) * 86_400)
    }
}

/// What happens to prepaid credits whose payment is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReversalPolicy {
    /// They are taken back too, in proportion.
    Debit,
    /// They stay.
    Ignore,
}
