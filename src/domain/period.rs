//! Billing windows: the counters that admission and `billingCycle` read at a moment (contract, section 3).
//!
//! Stripe's latest known period counts until it ends; then predicted periods follow one another until the renewal
//! webhook comes or the account lapses; without Stripe, and after a lapse, it is the UTC calendar month.

mod renewals;
#[cfg(test)]
mod tests;

use super::time::{Month, UnixSeconds};
use renewals::Renewals;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The stored state of an account's subscription: Stripe's latest known period, and the interval that predicts the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingPeriod {
    /// First second; `billing_period_start`.
    pub start: UnixSeconds,
    /// First second after it, as Stripe sends it; `billing_period_end`.
    pub end: UnixSeconds,
    /// How often the price renews. Without it, the period's own length is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// The subscription's `billing_cycle_anchor`, for its day of the month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<UnixSeconds>,
    /// When a cancellation takes effect or has taken effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<UnixSeconds>,
    /// Whether the fall to the default plan has been written. A plan that is assigned after that stays.
    #[serde(default)]
    pub fallen: bool,
}

impl BillingPeriod {
    /// A period of which only the start and the end are known, as other software writes it.
    #[must_use]
    pub fn new(start: UnixSeconds, end: UnixSeconds) -> Self {
        Self { start, end, interval: None, anchor: None, ends_at: None, fallen: false }
    }

    /// The moment from which the account is on the default plan and the calendar month: when the cancellation takes
    /// effect, or `grace` after the end if no renewal has come by then.
    #[must_use]
    pub fn lapses(&self, grace: Duration) -> UnixSeconds {
        let overdue = UnixSeconds(self.end.0.saturating_add(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX)));
        self.ends_at.map_or(overdue, |ends| ends.min(overdue))
    }

    /// Whether the default plan is still to be written to the account; `fallen` then says that it has been.
    #[must_use]
    pub fn must_fall(&self, grace: Duration, now: UnixSeconds) -> bool {
        !self.fallen && now >= self.lapses(grace)
    }
}

/// A price's interval: so many days, weeks, months or years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The unit.
    pub unit: IntervalUnit,
    /// The number of units; at least 1.
    pub count: u32,
}

/// The unit of a price's interval, spelled as Stripe does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalUnit {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// A calendar month.
    Month,
    /// Twelve calendar months.
    Year,
}

impl IntervalUnit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// `day`, `week`, `month` or `year`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// The counters of one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counters {
    /// Of a UTC calendar month.
    Month(Month),
    /// Of the billing cycle that starts then.
    Cycle(UnixSeconds),
}

/// The kind of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// The UTC calendar month.
    Calendar(Month),
    /// The period that Stripe stated.
    Stated,
    /// A period after it, whose renewal webhook has not come yet.
    Predicted,
}

/// The window in force at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its kind.
    pub kind: WindowKind,
    /// First second.
    pub start: UnixSeconds,
    /// First second after it: as Stripe stated or would state it.
    pub end: UnixSeconds,
    /// The moment at which another window comes into force: the end, or a lapse before it.
    pub until: UnixSeconds,
}

impl Window {
    /// The window in force at `now`. A period that is stated ahead of this clock has begun.
    #[must_use]
    pub fn at(period: Option<&BillingPeriod>, grace: Duration, now: UnixSeconds) -> Self {
        let Some(period) = period else { return Self::calendar(now) };
        let lapses = period.lapses(grace);
        let moment = now.max(period.start);
        if moment >= lapses {
            return Self::calendar(now);
        }
        if moment < period.end {
            let until = period.end.min(lapses);
            return Self { kind: WindowKind::Stated, start: period.start, end: period.end, until };
        }
        let (start, end) = Renewals::of(period).around(moment);
        Self { kind: WindowKind::Predicted, start, end, until: end.min(lapses) }
    }

    /// Start of the billing cycle that usage is counted under beside the month; `None` without Stripe.
    #[must_use]
    pub fn cycle(&self) -> Option<UnixSeconds> {
        match self.kind {
            WindowKind::Calendar(_) => None,
            WindowKind::Stated | WindowKind::Predicted => Some(self.start),
        }
    }

    /// The counters that enforcement reads.
    #[must_use]
    pub fn counters(&self) -> Counters {
        match self.kind {
            WindowKind::Calendar(month) => Counters::Month(month),
            WindowKind::Stated | WindowKind::Predicted => Counters::Cycle(self.start),
        }
    }

    fn calendar(now: UnixSeconds) -> Self {
        let month = now.month();
        Self { kind: WindowKind::Calendar(month), start: month.start(), end: month.end(), until: month.end() }
    }
}

/// The end (exclusive) that was predicted for the window that starts at `start`: by the stored period if the window is
/// that or follows it, else a month later.
#[must_use]
pub fn predicted_end(period: Option<&BillingPeriod>, start: UnixSeconds) -> UnixSeconds {
    let end = match period {
        Some(period) if start == period.start => period.ends_at.map_or(period.end, |ends| ends.min(period.end)),
        Some(period) if start >= period.end => Renewals::of(period).around(start).1,
        Some(_) | None => Renewals::monthly(start).around(start).1,
    };
    // Beyond the calendar, and where stored numbers contradict each other, a window still has its first second.
    end.max(UnixSeconds(start.0.saturating_add(1)))
}

/// All usage of one cycle's counters, to be moved to another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The start of the cycle that was predicted.
    pub from: UnixSeconds,
    /// The start of the cycle that it turned out to be.
    pub to: UnixSeconds,
}

/// The moves that are due when `stated` replaces `stored` at `now`: each predicted window that may hold usage goes to the window
/// in which its last moment lies by the new period. One that ended before the new start stays as it is.
#[must_use]
pub fn moves(stored: &BillingPeriod, stated: &BillingPeriod, grace: Duration, now: UnixSeconds) -> Vec<Move> {
    let lapses = stored.lapses(grace);
    let now = now.max(stated.start);
    let last = now.min(UnixSeconds(lapses.0.saturating_sub(1))).max(stated.start);
    let counted = Renewals::of(stored).windows().take_while(|(start, _)| *start <= now && *start < lapses);
    counted
        .filter_map(|(from, end)| {
            let moment = UnixSeconds(end.0.saturating_sub(1)).min(last);
            let to = match moment {
                _ if moment < stated.start => return None,
                _ if moment < stated.end => stated.start,
                _ => Renewals::of(stated).around(moment).0,
            };
            (from != to).then_some(Move { from, to })
        })
        .collect()
}
