//! Our own account at a metered service, as the service sees it: what is left, and what it counted that we do not know of.

mod drift;

use super::{
    SetupError,
    http::{Failed, Getter, HttpSettings},
    set_up::header_value,
};
use crate::{config::BackendConfig, telemetry::AccountGauges};
use drift::Drift;
use hyper::{Uri, header::HeaderValue};
use serde::Deserialize;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// Bytes of the longest report that is read.
const LONGEST: usize = 64 * 1024;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The service was not reached, or did not answer 200.
    #[error("{0}")]
    Failed(#[from] Failed),
    /// Its answer is not what membership-usage answers.
    #[error("its answer is no membership-usage report: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// What the service reports of our account: its membership-usage (contract, section 4), as far as we need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountReport {
    credits: u64,
    prepaid_credits: i64,
    #[serde(rename = "app_usage")]
    app_usage: u64,
    #[serde(rename = "api_usage")]
    api_usage: u64,
    billing_cycle: Option<Cycle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cycle {
    remaining_included_credits: u64,
}

impl AccountReport {
    /// Credits that can still be spent, bought ones included.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let by_month = self.credits.saturating_sub(self.used());
        let included = self.billing_cycle.map_or(by_month, |cycle| cycle.remaining_included_credits);
        included.saturating_add(u64::try_from(self.prepaid_credits).unwrap_or(0))
    }

    /// Included credits used in the calendar month.
    fn used(&self) -> u64 {
        self.app_usage.saturating_add(self.api_usage)
    }
}

/// Where our account's report is, and what it said.
pub struct SharedAccount {
    getter: Getter,
    key: Option<HeaderValue>,
    interval: Duration,
    seen: Mutex<Option<AccountGauges>>,
}

impl SharedAccount {
    /// `None` unless `backend.reconcile.url` is set. Nothing is asked yet.
    pub fn new(config: &BackendConfig) -> Result<Option<Self>, SetupError> {
        let Some(url) = &config.reconcile.url else { return Ok(None) };
        let address: Uri = url.parse().map_err(|_| SetupError::Address(url.clone()))?;
        let getter = Getter::new(with_cycle(&address), &HttpSettings::of(config))?;
        let key = config.given_api_keys()?.first().map(header_value).transpose()?;
        let interval = Duration::from_secs(config.reconcile.interval_s);
        Ok(Some(Self { getter, key, interval, seen: Mutex::default() }))
    }

    /// Asks the service.
    pub async fn report(&self) -> Result<AccountReport, AccountError> {
        let body = self.getter.get(self.key.as_ref(), LONGEST).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// What the latest report said.
    pub(super) fn gauges(&self) -> Option<AccountGauges> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks again and again; `served` tells how many pictures the service has answered us so far.
    pub(super) async fn watch(&self, served: impl Fn() -> u64) {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drift = Drift::default();
        loop {
            ticks.tick().await;
            match self.report().await {
                Ok(report) => {
                    let drift = drift.learn(report.used(), report.prepaid_credits, served());
                    let gauges = AccountGauges { remaining: report.remaining(), drift };
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(gauges);
                }
                Err(error) => warn!(%error, "the shared account's usage could not be read"),
            }
        }
    }
}

/// The report's address, asking for the billing cycle too.
fn with_cycle(address: &Uri) -> Uri {
    let text = address.to_string();
    let joint = if text.contains('?') { '&' } else { '?' };
    format!("{text}{joint}expand=billing_cycle").parse().unwrap_or_else(|_| address.clone())
}
