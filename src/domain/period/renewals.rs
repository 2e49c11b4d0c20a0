//! The periods that follow a stated one: the calendar arithmetic of renewals.

use super::{BillingPeriod, IntervalUnit};
use crate::domain::time::UnixSeconds;
use jiff::{Timestamp, civil, tz::TimeZone};

const DAY: i64 = 86_400;
/// The first second of the year 10000, where the calendar stops.
const END_OF_TIME: UnixSeconds = UnixSeconds(253_402_300_800);

/// Boundaries of the periods after a first end, each computed from that end, so that clamping to a short month never
/// moves the anchor day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewals {
    first: UnixSeconds,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Seconds(i64),
    /// So many months, on this day of the month where the month has it.
    Months(i64, i8),
}

impl Renewals {
    /// The renewals of a stored period; the first window starts at its end.
    pub(super) fn of(period: &BillingPeriod) -> Self {
        let months = |count: i64| Step::Months(count, anchor_day(period));
        let step = match period.interval.map(|interval| (interval.unit, i64::from(interval.count.max(1)))) {
            Some((IntervalUnit::Day, count)) => Step::Seconds(count * DAY),
            Some((IntervalUnit::Week, count)) => Step::Seconds(count * 7 * DAY),
            Some((IntervalUnit::Month, count)) => months(count),
            Some((IntervalUnit::Year, count)) => months(count * 12),
            None => match (whole_months(period), period.end.0.saturating_sub(period.start.0)) {
                (Some(count), _) => months(count),
                (None, length) if length > 0 => Step::Seconds(length),
                (None, _) => months(1),
            },
        };
        Self { first: period.end, step }
    }

    /// Monthly from `first` on.
    pub(super) fn monthly(first: UnixSeconds) -> Self {
        Self { first, step: Step::Months(1, civil_of(first).day()) }
    }

    /// The window that `moment`, not before the first, lies in: start and end (exclusive).
    pub(super) fn around(&self, moment: UnixSeconds) -> (UnixSeconds, UnixSeconds) {
        let longest = match self.step {
            Step::Seconds(step) => step,
            Step::Months(count, _) => count * 31 * DAY,
        };
        // No period is longer than that: the estimate is never too high, and too low by few.
        let mut count = moment.min(END_OF_TIME).0.saturating_sub(self.first.0).max(0) / longest;
        while self.boundary(count + 1) <= moment && self.boundary(count + 1) < END_OF_TIME {
            count += 1;
        }
        (self.boundary(count), self.boundary(count + 1))
    }

    /// The windows one after another, first to last.
    pub(super) fn windows(self) -> impl Iterator<Item = (UnixSeconds, UnixSeconds)> {
        (0..).map(move |count| (self.boundary(count), self.boundary(count + 1))).take_while(|(start, end)| start < end)
    }

    fn boundary(&self, count: i64) -> UnixSeconds {
        match self.step {
            _ if count == 0 => self.first,
            Step::Seconds(step) => {
                UnixSeconds(self.first.0.saturating_add(step.saturating_mul(count))).min(END_OF_TIME)
            }
            Step::Months(months, day) => {
                months_after(self.first, months.saturating_mul(count), day).unwrap_or(END_OF_TIME)
            }
        }
    }
}

/// The day of the month to renew on: that of the subscription's anchor, else of the period's start, whichever first
/// explains the day on which the period ends; else that day itself (after a trial, or when the anchor was reset).
fn anchor_day(period: &BillingPeriod) -> i8 {
    let end = civil_of(period.end).date();
    [period.anchor, Some(period.start)]
        .into_iter()
        .flatten()
        .map(|anchor| civil_of(anchor).day())
        .find(|day| (*day).min(end.days_in_month()) == end.day())
        .unwrap_or(end.day())
}

/// How many calendar months a period of unknown interval has, if it has whole ones.
fn whole_months(period: &BillingPeriod) -> Option<i64> {
    let (start, end) = (civil_of(period.start), civil_of(period.end));
    let months = month_number(end) - month_number(start);
    let lower = start.day().min(end.date().days_in_month()) == end.day();
    let upper = end.day().min(start.date().days_in_month()) == start.day();
    (months >= 1 && start.time() == end.time() && (lower || upper)).then_some(months)
}

fn months_after(base: UnixSeconds, months: i64, day: i8) -> Option<UnixSeconds> {
    let base = civil_of(base);
    let number = month_number(base).checked_add(months)?;
    let year = i16::try_from(number.div_euclid(12)).ok()?;
    let month = i8::try_from(number.rem_euclid(12) + 1).ok()?;
    let first = civil::Date::new(year, month, 1).ok()?;
    let date = civil::Date::new(year, month, day.min(first.days_in_month())).ok()?;
    let zoned = date.to_datetime(base.time()).to_zoned(TimeZone::UTC).ok()?;
    Some(UnixSeconds(zoned.timestamp().as_second()))
}

fn month_number(date: civil::DateTime) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

fn civil_of(moment: UnixSeconds) -> civil::DateTime {
    let clamped = moment.0.clamp(-62_135_596_800, 253_402_207_199);
    Timestamp::from_second(clamped).unwrap_or_default().to_zoned(TimeZone::UTC).datetime()
}
