//! `GET /api/membership-usage`: how many credits an account has spent and has left (contract, section 4).

mod query_limits;

use crate::{
    clock::Clock,
    domain::{
        account::Account,
        period::Window,
        plan::Terms,
        refusal::{Refusal, Shortage},
        usage_report::{Asked, BillingCycle, BillingCycles, MembershipUsage, ReportQuery, Usage, UsageQuery},
    },
    identity::{ApiKeys, Credentials, Opening, Visitor},
    store::{Fault, Metering},
    telemetry::{CallerKind, Record},
};
use query_limits::QueryLimits;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// Answers `GET /api/membership-usage`.
pub struct UsageReports {
    store: Arc<dyn Metering>,
    api_keys: Arc<ApiKeys>,
    clock: Clock,
    terms: Terms,
    query_limits: QueryLimits,
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum UsageReport {
    /// List mode.
    Cycles(BillingCycles),
    /// Everything else.
    Usage(MembershipUsage),
}

/// What an account can still spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Included credits, in the window in force.
    pub included: u64,
    /// Prepaid credits.
    pub prepaid: u64,
}

/// Why there is no report: a refusal for the caller, and perhaps a cause for the log.
#[derive(Debug)]
pub struct NoReport {
    /// For the caller.
    pub refusal: Refusal,
    /// For the log.
    pub cause: Option<String>,
}

impl From<Refusal> for NoReport {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, cause: None }
    }
}

impl From<Fault> for NoReport {
    fn from(fault: Fault) -> Self {
        let retry_after = Duration::from_secs(1);
        let refusal = Refusal::Unavailable { shortage: Shortage::StoreUnavailable, retry_after };
        Self { refusal, cause: Some(fault.cause()) }
    }
}

impl UsageReports {
    /// Reports from this store. `terms` decide which window is in force.
    #[must_use]
    pub fn new(store: Arc<dyn Metering>, api_keys: Arc<ApiKeys>, clock: Clock, terms: Terms) -> Self {
        Self { store, api_keys, clock, terms, query_limits: QueryLimits::default() }
    }

    /// The answer to a raw query string, for a visitor with an API key.
    pub async fn report(&self, visitor: &Visitor, query: &str, record: &mut Record) -> Result<UsageReport, NoReport> {
        let account = self.account(visitor, record).await?;
        let now = self.clock.now().seconds();
        let window = self.terms.window(&account, now);
        let asked = match UsageQuery::parse(query).map_err(Refusal::Invalid)? {
            UsageQuery::ListBillingCycles => {
                let cycles = self.store.cycles(&account.uid).await?;
                return Ok(UsageReport::Cycles(BillingCycles::new(&account, cycles, &window)));
            }
            UsageQuery::Report(asked) => asked,
        };
        let counters = asked.counters(now);
        let usage = self.store.usage(&account.uid, counters).await?;
        let cycle = match asked.cycle_counters(&window) {
            // Read once, so that one answer does not contradict itself.
            Some(same) if same == counters => Some(self.cycle(&account, asked, usage, &window).await?),
            Some(other) => {
                let usage = self.store.usage(&account.uid, other).await?;
                Some(self.cycle(&account, asked, usage, &window).await?)
            }
            None => None,
        };
        Ok(UsageReport::Usage(MembershipUsage::new(&account, usage, cycle)))
    }

    /// What the account of an API key can still spend. It is asked for as often as the report may be.
    pub async fn balance(&self, visitor: &Visitor, record: &mut Record) -> Result<Balance, NoReport> {
        let account = self.account(visitor, record).await?;
        let window = self.terms.window(&account, self.clock.now().seconds());
        let usage = self.store.usage(&account.uid, window.counters()).await?;
        let used = usage.app.saturating_add(usage.api);
        let included = account.credits.saturating_sub(used);
        Ok(Balance { included, prepaid: u64::try_from(account.prepaid).unwrap_or(0) })
    }

    /// The `billingCycle` member: the window in force, or the one asked for by its start.
    async fn cycle(
        &self,
        account: &Account,
        asked: ReportQuery,
        usage: Usage,
        window: &Window,
    ) -> Result<BillingCycle, Fault> {
        let Asked::Cycle(start) = asked.asked else {
            return Ok(BillingCycle::current(account, window, usage));
        };
        let cycles = self.store.cycles(&account.uid).await?;
        let starts: Vec<_> = cycles.into_iter().map(|(start, _)| start).collect();
        Ok(BillingCycle::of_cycle(account, start, usage, window, &starts))
    }

    async fn account(&self, visitor: &Visitor, record: &mut Record) -> Result<Account, NoReport> {
        let Credentials::Key(key) = &visitor.credentials else {
            return Err(Refusal::InvalidKey.into());
        };
        let now = self.clock.now();
        let (key, account) = match self.api_keys.open(key, visitor.address, now.seconds()).await? {
            Opening::Account(opened) => *opened,
            Opening::Nothing(cause) => return Err(NoReport { refusal: Refusal::InvalidKey, cause }),
        };
        (record.uid, record.key) = (Some(account.uid.clone()), Some(key.id.clone()));
        record.caller = CallerKind::Api;
        if !account.email_verified {
            return Err(Refusal::EmailNotVerified.into());
        }
        self.query_limits.take(&key.id, now).map_err(|retry_after| Refusal::TooFast { retry_after })?;
        // A store may cache the account behind a key; the credits here must be current.
        Ok(self.store.account(&key.uid).await?.ok_or(Refusal::InvalidKey)?)
    }
}
