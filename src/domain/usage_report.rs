//! The answers of `GET /api/membership-usage` (contract, section 4).
//!
//! Parse the query ([`UsageQuery::parse`]), read the counters that it names, build the answer ([`MembershipUsage`] or
//! [`BillingCycles`]). The wire's names are spelled here and in [`query`].

pub mod query;
#[cfg(test)]
mod tests;

pub use query::{Asked, ReportQuery, UsageQuery};

use super::{
    account::Account,
    period::{BillingPeriod, Window, predicted_end},
    time::UnixSeconds,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Included credits used, by channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// By signed-in users.
    pub app: u64,
    /// By API keys.
    pub api: u64,
}

/// The answer, but for list mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MembershipUsage {
    /// The plan's name.
    pub membership: String,
    /// Included credits per window, now.
    pub credits: u64,
    /// Prepaid balance, now.
    pub prepaid_credits: i64,
    /// Usage by signed-in users in the month or cycle that was asked for.
    #[serde(rename = "app_usage")]
    pub app_usage: u64,
    /// The same by API keys.
    #[serde(rename = "api_usage")]
    pub api_usage: u64,
    /// Present only if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_cycle: Option<BillingCycle>,
}

impl MembershipUsage {
    /// The answer for an account. `usage` is read from the counters that [`ReportQuery::counters`] names.
    #[must_use]
    pub fn new(account: &Account, usage: Usage, billing_cycle: Option<BillingCycle>) -> Self {
        Self {
            membership: account.membership.clone(),
            credits: account.credits,
            prepaid_credits: account.prepaid.max(0),
            app_usage: usage.app,
            api_usage: usage.api,
            billing_cycle,
        }
    }
}

/// The `billingCycle` member: one window, and the credits left in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingCycle {
    /// First second.
    pub period_start_unix: i64,
    /// The end, as section 4 shows ends.
    pub period_end_unix: i64,
    /// Included credits used by signed-in users.
    pub app_usage: u64,
    /// Included credits used by API keys.
    pub api_usage: u64,
    /// The account's present allowance.
    pub included_credits: u64,
    /// The account's present prepaid balance.
    pub prepaid_credits: i64,
    /// Both channels' usage.
    pub used_included_credits: u64,
    /// The rest of the allowance; never below zero.
    pub remaining_included_credits: u64,
    /// Whether this is a window of Stripe's, not the calendar month.
    pub stripe_billing_synced: bool,
}

impl BillingCycle {
    /// The window in force.
    #[must_use]
    pub fn current(account: &Account, window: &Window, usage: Usage) -> Self {
        // A calendar month shows its last second, a window of Stripe's its end as stated.
        let synced = window.cycle().is_some();
        let end = if synced { window.end } else { last_second_before(window.end) };
        Self::new(account, (window.start, end), usage, synced)
    }

    /// The window that starts at `start`, which may be past or may never have existed. `starts` are the starts of the
    /// account's windows with usage counters, in any order.
    #[must_use]
    pub fn of_cycle(
        account: &Account,
        start: UnixSeconds,
        usage: Usage,
        window: &Window,
        starts: &[UnixSeconds],
    ) -> Self {
        let stated = account.billing_period.map(|period| period.start);
        let known = starts.iter().copied().chain(stated).chain(window.cycle());
        let next = known.filter(|other| *other > start).min();
        let end = shown_end(start, next, window, account.billing_period.as_ref());
        Self::new(account, (start, end), usage, true)
    }

    fn new(account: &Account, (start, end): (UnixSeconds, UnixSeconds), usage: Usage, synced: bool) -> Self {
        let used = usage.app.saturating_add(usage.api);
        Self {
            period_start_unix: start.0,
            period_end_unix: end.0,
            app_usage: usage.app,
            api_usage: usage.api,
            included_credits: account.credits,
            prepaid_credits: account.prepaid.max(0),
            used_included_credits: used,
            remaining_included_credits: account.credits.saturating_sub(used),
            stripe_billing_synced: synced,
        }
    }
}

/// The answer of list mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingCycles {
    /// Newest first.
    pub billing_cycles: Vec<ListedCycle>,
}

/// One listed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedCycle {
    /// First second; may be sent back as `periodStartUnix`.
    pub period_start_unix: i64,
    /// The end, inferred.
    pub period_end_unix: i64,
    /// Included credits used by signed-in users.
    pub app_usage: u64,
    /// Included credits used by API keys.
    pub api_usage: u64,
}

impl BillingCycles {
    /// Lists an account's windows: those with usage counters, in any order, and the one that Stripe stated last.
    #[must_use]
    pub fn new(account: &Account, cycles: impl IntoIterator<Item = (UnixSeconds, Usage)>, window: &Window) -> Self {
        let period = account.billing_period.as_ref();
        let mut windows: BTreeMap<_, _> = cycles.into_iter().map(|(start, usage)| (start, Some(usage))).collect();
        if let Some(period) = period {
            windows.entry(period.start).or_insert(Some(Usage::default()));
        }
        // A predicted window in force that has no usage yet is not listed, but ends the one before it.
        if let Some(current) = window.cycle() {
            windows.entry(current).or_insert(None);
        }
        let mut next = None;
        let mut billing_cycles = Vec::with_capacity(windows.len());
        for (start, usage) in windows.into_iter().rev() {
            let end = shown_end(start, next.replace(start), window, period);
            billing_cycles.extend(usage.map(|usage| ListedCycle {
                period_start_unix: start.0,
                period_end_unix: end.0,
                app_usage: usage.app,
                api_usage: usage.api,
            }));
        }
        Self { billing_cycles }
    }
}

/// The end that is shown for a cycle: the stated end if it is in force, else the second before the next one's start,
/// else the second before its predicted end.
fn shown_end(
    start: UnixSeconds,
    next: Option<UnixSeconds>,
    window: &Window,
    period: Option<&BillingPeriod>,
) -> UnixSeconds {
    match next {
        _ if window.cycle() == Some(start) => window.end,
        Some(next) => last_second_before(next),
        None => last_second_before(predicted_end(period, start)),
    }
}

fn last_second_before(end: UnixSeconds) -> UnixSeconds {
    UnixSeconds(end.0.saturating_sub(1))
}
