//! `[stripe]`

use super::secrets::{self, SecretError};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// `[stripe]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct StripeConfig {
    /// Signing secrets of the webhook endpoint (`whsec_…`). There may be several while one is rolled; without any, the
    /// webhook is off.
    #[serde(serialize_with = "secrets::serialize_list")]
    pub webhook_secrets: Vec<SecretString>,
    /// A file that holds signing secrets, one a line.
    pub webhook_secrets_file: Option<PathBuf>,
    /// Seconds that a signature may be old, or ahead of this clock.
    pub tolerance_s: u64,
    /// The plan of each price, by price id or lookup key.
    pub prices: BTreeMap<String, String>,
    /// Prepaid credits of each payment link (`plink_…`), for sessions whose metadata does not name `credits`. A session
    /// does not tell how many were bought, so adjustable quantities must be off.
    pub packs: BTreeMap<String, u64>,
    /// Days for which a plan continues after its period has ended without a renewal, or after Stripe has said that its
    /// period is unpaid. Stripe retries a webhook for three days.
    pub renewal_grace_days: u32,
    /// Whether events of connected accounts (Connect), which carry `account`, count like the endpoint's own.
    pub connected_accounts: bool,
    /// Whether a refunded pack lowers the prepaid balance.
    pub refunds: ReversalPolicy,
    /// Whether a disputed pack lowers the prepaid balance.
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
    /// The configured signing secrets, by value or from the file; without any, the webhook is off.
    pub fn given_webhook_secrets(&self) -> Result<Vec<SecretString>, SecretError> {
        secrets::given_list(&self.webhook_secrets, self.webhook_secrets_file.as_deref())
    }

    /// How long a plan continues after its period has ended without a renewal.
    #[must_use]
    pub fn renewal_grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.renewal_grace_days) * 86_400)
    }
}

/// The treatment of prepaid credits whose payment is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReversalPolicy {
    /// They are taken back too, in proportion.
    Debit,
    /// They stay.
    Ignore,
}
