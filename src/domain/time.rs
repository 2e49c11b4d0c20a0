//! Points in time and the UTC calendar. No clock is read here.

use jiff::{Span, civil};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Seconds in a day.
const DAY: i64 = 86_400;

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, where the calendar begins and ends.
const FIRST_MOMENT: i64 = -62_135_596_800;
const LAST_MOMENT: i64 = 253_402_300_799;

const EPOCH: civil::Date = civil::Date::constant(1970, 1, 1);

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

/// Microseconds since 1970-01-01T00:00:00Z: the resolution at which limits and leases are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// The second that this moment lies in.
    #[must_use]
    pub fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0.div_euclid(1_000_000))
    }

    /// This moment plus `span`; saturates at the end of time.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time from `self` until `later`; zero if that has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

impl UnixSeconds {
    /// The first microsecond of this second.
    #[must_use]
    pub fn micros(self) -> UnixMicros {
        UnixMicros(self.0.saturating_mul(1_000_000))
    }

    /// The UTC date that this second lies on. Moments outside the years 1–9999 are clamped.
    #[must_use]
    pub fn date(self) -> Day {
        let clamped = self.0.clamp(FIRST_MOMENT, LAST_MOMENT);
        let days = Span::new().try_days(clamped.div_euclid(DAY));
        let date = days.and_then(|days| EPOCH.checked_add(days)).unwrap_or(EPOCH);
        Day { year: date.year().unsigned_abs(), month: date.month().unsigned_abs(), day: date.day().unsigned_abs() }
    }

    /// The UTC calendar month that this second lies in.
    #[must_use]
    pub fn month(self) -> Month {
        let Day { year, month, .. } = self.date();
        Month { year, month }
    }
}

/// A calendar month in UTC (contract, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Month {
    /// 1–9999.
    pub year: u16,
    /// 1–12.
    pub month: u8,
}

impl Month {
    /// The first second of the month.
    #[must_use]
    pub fn start(self) -> UnixSeconds {
        midnight(self.year, self.month, 1)
    }

    /// The first second after the month.
    #[must_use]
    pub fn end(self) -> UnixSeconds {
        self.next().start()
    }

    /// The month after this one.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year.saturating_add(1), month: 1 }
        } else {
            Self { year: self.year, month: self.month.saturating_add(1) }
        }
    }
}

impl fmt::Display for Month {
    /// As the documented counter names spell it: the month is not zero-padded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.year, self.month)
    }
}

/// A calendar day in UTC: the window of the anonymous daily limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Day {
    /// 1–9999.
    pub year: u16,
    /// 1–12.
    pub month: u8,
    /// 1–31.
    pub day: u8,
}

impl Day {
    /// The first second after the day.
    #[must_use]
    pub fn end(self) -> UnixSeconds {
        UnixSeconds(midnight(self.year, self.month, self.day).0.saturating_add(DAY))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.year, self.month, self.day)
    }
}

/// Midnight UTC at the start of a date. Year 10000 (the month after 9999-12) is computed by days.
fn midnight(year: u16, month: u8, day: u8) -> UnixSeconds {
    if year > 9999 {
        return UnixSeconds(LAST_MOMENT + 1);
    }
    let (Ok(y), Ok(m), Ok(d)) = (i16::try_from(year), i8::try_from(month), i8::try_from(day)) else {
        return UnixSeconds(0);
    };
    civil::Date::new(y, m, d).map_or(UnixSeconds(0), |date| UnixSeconds(date.duration_since(EPOCH).as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_meet_without_a_gap() {
        let mut month = Month { year: 1970, month: 1 };
        for _ in 0..1_000 {
            assert_eq!(month.end(), month.next().start(), "{month}");
            assert_eq!(month.start().month(), month);
            assert_eq!(UnixSeconds(month.end().0 - 1).month(), month);
            month = month.next();
        }
    }

    #[test]
    fn the_month_of_a_counter_name_is_not_padded() {
        assert_eq!(UnixSeconds(1_772_366_400).month().to_string(), "2026:3");
    }

    #[test]
    fn far_years_stay_inside_the_calendar() {
        assert_eq!(UnixSeconds(i64::MAX).month(), Month { year: 9999, month: 12 });
        assert_eq!(Month { year: 9999, month: 12 }.end(), UnixSeconds(253_402_300_800));
        let last = Day { year: 9999, month: 12, day: 31 };
        assert_eq!((UnixSeconds(LAST_MOMENT).date(), last.end()), (last, UnixSeconds(LAST_MOMENT + 1)));
        assert_eq!(UnixSeconds(i64::MIN).month(), Month { year: 1, month: 1 });
        assert_eq!(Month { year: 1, month: 1 }.start(), UnixSeconds(-62_135_596_800));
    }
}
