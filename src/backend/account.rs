//! Our own account at a metered service, as the service reports it: the credits left, and how far its count differs
//! from ours.

mod drift;

use super::{
    SetupError,
    credentials::{Chosen, KeyValues, Keys, LONGEST_REST},
    http::{Failed, Getter, HttpSettings},
};
use crate::{config::BackendConfig, domain::answer::KeyRefusal, telemetry::AccountGauges};
use drift::Drift;
use hyper::Uri;
use serde::Deserialize;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

/// The longest report that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The service was not reached, or did not answer 200.
    #[error("{0}")]
    Failed(#[from] Failed),
    /// Its answer is not a membership-usage report.
    #[error("its answer is no membership-usage report: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// The service's report of our account: its membership-usage (contract, section 4), as far as we need it.
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
    /// The credits that can still be spent, bought ones included.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let by_month = self.credits.saturating_sub(self.used());
        let included = self.billing_cycle.map_or(by_month, |cycle| cycle.remaining_included_credits);
        included.saturating_add(u64::try_from(self.prepaid_credits).unwrap_or(0))
    }

    /// The included credits that were used in the calendar month.
    fn used(&self) -> u64 {
        self.app_usage.saturating_add(self.api_usage)
    }
}

/// The address of our account's report, and the latest report. Each of our keys may have an account of its own; the
/// metrics show the account of the first key.
pub struct SharedAccount {
    getter: Getter,
    keys: Arc<Keys>,
    interval: Duration,
    seen: Mutex<Option<AccountGauges>>,
}

impl SharedAccount {
    /// `None` unless `backend.reconcile.url` is set. No request is sent yet.
    pub fn new(config: &BackendConfig) -> Result<Option<Self>, SetupError> {
        Self::of_keys(config, Arc::new(Keys::new(KeyValues::configured(config)?)))
    }

    /// Does the same as [`new`](Self::new), for keys that are in use.
    pub(super) fn of_keys(config: &BackendConfig, keys: Arc<Keys>) -> Result<Option<Self>, SetupError> {
        let Some(url) = &config.reconcile.url else { return Ok(None) };
        let address: Uri = url.parse().map_err(|_| SetupError::Address(url.clone()))?;
        let getter = Getter::new(with_cycle(&address), &HttpSettings::of(config))?;
        let interval = Duration::from_secs(config.reconcile.interval_s);
        Ok(Some(Self { getter, keys, interval, seen: Mutex::default() }))
    }

    /// Requests the report from the service.
    pub async fn report(&self) -> Result<AccountReport, AccountError> {
        self.report_of(self.keys.first().as_ref()).await
    }

    async fn report_of(&self, key: Option<&Chosen>) -> Result<AccountReport, AccountError> {
        let body = self.getter.get(key.map(|key| &key.value), LONGEST).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Requests the report of a key that the service has refused in an answer that a caller may have provoked. This
    /// request contains nothing from a caller, so its answer decides whether the key rests.
    pub(super) async fn decide(&self, key: &Chosen) {
        let number = key.number();
        match self.report_of(Some(key)).await {
            Ok(report) if report.remaining() == 0 => {
                warn!(key = number, "nothing is left on the account of our key; it rests until that has changed");
                self.keys.rest(key, KeyRefusal::Spent, Instant::now(), Some(LONGEST_REST));
            }
            Ok(_) => self.wake(key),
            Err(AccountError::Failed(Failed::Status(status @ (401 | 403)))) => {
                warn!(key = number, status, "the backend does not know our key; it rests for a while");
                self.keys.rest(key, KeyRefusal::Rejected, Instant::now(), None);
            }
            Err(error) => warn!(key = number, %error, "whether our key is good could not be found out"),
        }
    }

    /// Requests the report of each resting key except the first one. A good report wakes its key.
    async fn look_after_others(&self) {
        for key in self.keys.resting(Instant::now()).into_iter().filter(|key| key.number() > 1) {
            if self.report_of(Some(&key)).await.is_ok_and(|report| report.remaining() > 0) {
                self.wake(&key);
            }
        }
    }

    fn wake(&self, key: &Chosen) {
        if self.keys.wake(key, Instant::now()) {
            info!(key = key.number(), "credits are left on the account of our key; it is used again");
        }
    }

    /// The values of the latest report.
    pub(super) fn gauges(&self) -> Option<AccountGauges> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests the report at every interval. `served` returns how many pictures the service has returned to us so far.
    pub(super) async fn watch(&self, served: impl Fn() -> u64) {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut drift, mut key) = (Drift::default(), None);
        loop {
            ticks.tick().await;
            // A reload may put another key first, perhaps one of another account.
            let first = self.keys.first();
            match self.report_of(first.as_ref()).await {
                Ok(report) => {
                    let value = first.as_ref().map(|first| first.value.clone());
                    if key != value {
                        drift.changes_account();
                        key = value;
                    }
                    let beyond = drift.learn(report.used(), report.prepaid_credits, served());
                    let gauges = AccountGauges { remaining: report.remaining(), used: drift.used(), drift: beyond };
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(gauges);
                    if let Some(first) = first.filter(|_| report.remaining() > 0) {
                        self.wake(&first);
                    }
                }
                Err(error) => warn!(%error, "the shared account's usage could not be read"),
            }
            self.look_after_others().await;
        }
    }
}

/// The report's address, with the query that also asks for the billing cycle.
fn with_cycle(address: &Uri) -> Uri {
    let text = address.to_string();
    let joint = if text.contains('?') { '&' } else { '?' };
    format!("{text}{joint}expand=billing_cycle").parse().unwrap_or_else(|_| address.clone())
}
