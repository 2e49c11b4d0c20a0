//! `GET /api/membership-usage`: what an account has spent and what is left (contract, section 4).

use crate::{
    clock::Clock,
    domain::{
        caller::{Account, Channel},
        period::{Counters, Window},
        refusal::Refusal,
        usage_report::{Asked, BillingCycle, BillingCycles, MembershipUsage, ReportQuery, UsageQuery},
    },
    identity::{Credentials, Keyring},
    store::{Fault, RENEWAL_GRACE, Store},
    telemetry::Record,
};
use hyper::HeaderMap;
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// Where an account's owner asks for its numbers.
pub struct UsageDesk {
    /// Accounts and counters.
    pub store: Arc<dyn Store>,
    /// How API keys are recognised.
    pub keyring: Keyring,
    /// What `now` is when no month is asked for.
    pub clock: Clock,
}

/// What is answered.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum UsageReport {
    /// List mode.
    Cycles(BillingCycles),
    /// Everything else.
    Usage(MembershipUsage),
}

/// Why there is no report: words for the caller, and perhaps some for the log.
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
        Self { refusal: Refusal::Busy { retry_after: Duration::from_secs(1) }, cause: Some(fault.to_string()) }
    }
}

impl UsageDesk {
    /// The answer to a raw query string. Only an API key opens it.
    pub async fn report(&self, headers: &HeaderMap, query: &str, record: &mut Record) -> Result<UsageReport, NoReport> {
        let account = self.account(headers).await?;
        record.uid = Some(account.uid.clone());
        record.channel = Some(Channel::Api);
        let now = self.clock.now().seconds();
        let window = Window::at(account.billing_period.as_ref(), RENEWAL_GRACE, now);
        let asked = match UsageQuery::parse(query).map_err(Refusal::Invalid)? {
            UsageQuery::ListBillingCycles => {
                let cycles = self.store.cycles(&account.uid).await?;
                return Ok(UsageReport::Cycles(BillingCycles::new(&account, cycles, &window)));
            }
            UsageQuery::Report(asked) => asked,
        };
        let usage = self.store.usage(&account.uid, asked.counters(now)).await?;
        let cycle = match asked.cycle_counters(&window) {
            Some(counters) => Some(self.cycle(&account, asked, counters, &window).await?),
            None => None,
        };
        Ok(UsageReport::Usage(MembershipUsage::new(&account, usage, cycle)))
    }

    /// The `billingCycle` member: the window in force, or the one asked for by its start.
    async fn cycle(
        &self,
        account: &Account,
        asked: ReportQuery,
        counters: Counters,
        window: &Window,
    ) -> Result<BillingCycle, Fault> {
        let usage = self.store.usage(&account.uid, counters).await?;
        let Asked::Cycle(start) = asked.asked else {
            return Ok(BillingCycle::current(account, window, usage));
        };
        let cycles = self.store.cycles(&account.uid).await?;
        let starts: Vec<_> = cycles.into_iter().map(|(start, _)| start).collect();
        Ok(BillingCycle::of_cycle(account, start, usage, window, &starts))
    }

    async fn account(&self, headers: &HeaderMap) -> Result<Account, NoReport> {
        let Credentials::Key(key) = Credentials::from_headers(headers)? else {
            return Err(Refusal::InvalidKey.into());
        };
        let now = self.clock.now().seconds();
        let (key, _) = self.keyring.account_of(&*self.store, &key, now).await?.ok_or(Refusal::InvalidKey)?;
        // A store may remember who a key belongs to; credits must be today's.
        let account = self.store.account(&key.uid).await?.ok_or(Refusal::InvalidKey)?;
        if account.email_verified { Ok(account) } else { Err(Refusal::EmailNotVerified.into()) }
    }
}
