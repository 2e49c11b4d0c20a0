//! Plans: the terms of accounts, by the name of their membership; and the terms on which a subscription keeps a plan.

use super::{
    account::{Account, Overrides},
    period::Window,
    rate_limit::Burst,
    time::UnixSeconds,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One plan of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a section")]
pub struct Plan {
    /// Included credits per window; written to the account when the plan is assigned.
    pub credits: u64,
    /// The short-term limit of the account.
    pub burst: Burst,
    /// When the backend has more pictures than it can take, payers take turns. Priority N gets N more turns than 0. The
    /// default is 0.
    #[serde(default)]
    pub priority: u8,
    /// Pictures with more pixels are refused, however many the backend takes; 0 for no such limit.
    #[serde(default)]
    pub max_pixels: Option<u64>,
}

/// The time for which a subscription goes on without a renewal, and the plan that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long a billing period whose renewal webhook has not come goes on, predicted.
    pub renewal_grace: Duration,
    /// The plan that an account falls to: its name and its included credits.
    pub default_plan: (String, u64),
}

impl Terms {
    /// The window in force for an account.
    #[must_use]
    pub fn window(&self, account: &Account, now: UnixSeconds) -> Window {
        Window::at(account.billing_period.as_ref(), self.renewal_grace, now)
    }

    /// Whether a stored account is on the default plan by now, though that is not written yet.
    #[must_use]
    pub fn must_fall(&self, stored: &Account, now: UnixSeconds) -> bool {
        stored.billing_period.is_some_and(|period| period.must_fall(self.renewal_grace, now))
    }

    /// A stored account as it counts now. It is on the default plan from the second in which its subscription lapses,
    /// whenever that is written.
    #[must_use]
    pub fn in_force(&self, stored: Account, now: UnixSeconds) -> Account {
        if !self.must_fall(&stored, now) {
            return stored;
        }
        let (membership, credits) = self.default_plan.clone();
        let mut fallen = Account { membership, credits, overrides: Overrides::default(), ..stored };
        if let Some(period) = &mut fallen.billing_period {
            period.fallen = true;
        }
        fallen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{account::Uid, period::BillingPeriod};

    #[test]
    fn an_account_falls_to_the_default_plan_in_the_second_in_which_its_subscription_lapses() {
        let terms = Terms { renewal_grace: Duration::from_secs(10), default_plan: ("Free".into(), 50) };
        let account = |period| Account {
            uid: Uid::new("42").unwrap(),
            membership: "Courtesy".into(),
            credits: 7,
            prepaid: 3,
            email_verified: true,
            overrides: Overrides { priority: Some(9), ..Overrides::default() },
            billing_period: period,
        };
        let period = BillingPeriod::new(UnixSeconds(100), UnixSeconds(200));
        let cancelled = BillingPeriod { ends_at: Some(UnixSeconds(150)), ..period };
        let fallen = BillingPeriod { fallen: true, ..period };
        for (stored, now, membership) in [
            (None, 1_000, "Courtesy"),
            (Some(period), 209, "Courtesy"),
            (Some(period), 210, "Free"),
            (Some(cancelled), 149, "Courtesy"),
            (Some(cancelled), 150, "Free"),
            // Assigned after the fall.
            (Some(fallen), 1_000, "Courtesy"),
        ] {
            let seen = terms.in_force(account(stored), UnixSeconds(now));
            assert_eq!((seen.membership.as_str(), seen.prepaid), (membership, 3), "{stored:?} at {now}");
            let free = membership == "Free";
            assert_eq!((seen.credits, seen.overrides.priority), if free { (50, None) } else { (7, Some(9)) });
            assert!(!terms.must_fall(&seen, UnixSeconds(now)));
        }
    }
}
