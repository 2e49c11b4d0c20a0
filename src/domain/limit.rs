//! Limits as callers see them: how much each allows, and how much of it is left.

use super::rate_limit::Burst;
use std::time::Duration;

/// A day: the window of the anonymous limit.
const DAY: Duration = Duration::from_hours(24);

/// One limit, in the words of draft-ietf-httpapi-ratelimit-headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `burst`, `month` or `day`.
    pub policy: &'static str,
    /// Requests that a whole window allows.
    pub quota: u64,
    /// The window's length, where that is always the same.
    pub window: Option<Duration>,
    /// The rest of it, if that is known.
    pub left: Option<LimitState>,
}

/// How much is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitState {
    /// Requests.
    pub requests: u64,
    /// The time until there are more: the whole quota, or at least one if none is left.
    pub resets_in: Duration,
}

impl LimitState {
    /// None, for so long.
    #[must_use]
    pub fn none_for(resets_in: Duration) -> Self {
        Self { requests: 0, resets_in }
    }
}

impl Limit {
    /// The short-term limit.
    #[must_use]
    pub fn burst(burst: Burst, left: Option<LimitState>) -> Self {
        let window = Duration::from_micros(burst.whole_micros().unsigned_abs());
        Self { policy: "burst", quota: burst.bounded().size.into(), window: Some(window), left }
    }

    /// The credits of an account's window. Prepaid credits are added to those that are left.
    #[must_use]
    pub fn month(quota: u64, left: Option<LimitState>) -> Self {
        Self { policy: "month", quota, window: None, left }
    }

    /// The pictures of an anonymous client's day.
    #[must_use]
    pub fn day(quota: u64, left: Option<LimitState>) -> Self {
        Self { policy: "day", quota, window: Some(DAY), left }
    }
}

impl Burst {
    /// The rest of a bucket that will be full after `full_in`: when its theoretical arrival time has come.
    #[must_use]
    pub fn remaining(self, full_in: Duration) -> LimitState {
        let whole = self.whole_micros();
        let room = whole - i64::try_from(full_in.as_micros()).unwrap_or(i64::MAX).min(whole);
        LimitState { requests: (room / self.interval_micros()).unsigned_abs(), resets_in: full_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{rate_limit::Verdict, time::UnixMicros};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_many_requests_as_are_left_are_let_through_and_no_more(
            per_minute in 1u32..2_000,
            size in 1u32..20,
            ahead in 0i64..100_000_000,
        ) {
            let (burst, now) = (Burst { per_minute, size }, UnixMicros(1_772_366_400_000_000));
            let whole = burst.interval_micros() * i64::from(size);
            let mut arrival = UnixMicros(now.0 + ahead.min(whole));
            let full = arrival;
            let left = burst.remaining(now.until(arrival));
            let mut admitted = 0;
            while let Verdict::Admit(next) = burst.judge(Some(arrival), now) {
                (arrival, admitted) = (next, admitted + 1);
            }
            prop_assert_eq!(left.requests, admitted);
            let rested = UnixMicros(now.0 + i64::try_from(left.resets_in.as_micros()).unwrap());
            prop_assert_eq!(burst.remaining(rested.until(full)).requests, u64::from(size));
        }
    }

    #[test]
    fn a_bucket_that_is_fuller_than_it_can_be_has_nothing_left() {
        let burst = Burst { per_minute: 60, size: 2 };
        assert_eq!(burst.remaining(Duration::MAX).requests, 0);
    }
}
