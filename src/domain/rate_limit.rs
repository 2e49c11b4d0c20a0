//! The short-term limit: GCRA, the bucket kept as one number.

use super::time::UnixMicros;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The short-term limit: a bucket of `size` requests that refills at `per_minute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(expecting = "a section")]
pub struct Burst {
    /// Requests a minute in the long run; 1 to [`Burst::MOST`].
    pub per_minute: u32,
    /// Requests at once after a rest; 1 to [`Burst::MOST`].
    pub size: u32,
}

impl Burst {
    /// The largest value of either number. Requests are microseconds apart, and a whole bucket must fit where the
    /// stores keep it.
    pub const MOST: u32 = 1_000_000;

    /// A limit with these numbers, each within its bounds.
    #[must_use]
    pub fn of(per_minute: u64, size: u64) -> Self {
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { per_minute: number(per_minute), size: number(size) }.bounded()
    }

    /// The same with both numbers within their bounds: anybody may have written the stored ones.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { per_minute: self.per_minute.clamp(1, Self::MOST), size: self.size.clamp(1, Self::MOST) }
    }
}

/// The bucket's decision on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request is admitted. Store this as the bucket's new theoretical arrival time.
    Admit(UnixMicros),
    /// The request is too fast. The bucket stays as it was, and has room again after this time.
    Wait(Duration),
}

impl Burst {
    /// Microseconds between two requests at the long-run rate; at least 60.
    #[must_use]
    pub fn interval_micros(self) -> i64 {
        60_000_000 / i64::from(self.bounded().per_minute)
    }

    /// Microseconds that an empty bucket takes to be full.
    #[must_use]
    pub fn whole_micros(self) -> i64 {
        self.interval_micros() * i64::from(self.bounded().size)
    }

    /// Judges one request at `now`, given the theoretical arrival time stored by the last one that was let through.
    ///
    /// A stored time that this bucket could not have reached admits one request and goes on from a full bucket's time.
    /// So a raised plan unblocks at once, and a clock that was set back locks nobody out.
    #[must_use]
    pub fn judge(self, stored: Option<UnixMicros>, now: UnixMicros) -> Verdict {
        let (interval, whole) = (self.interval_micros(), self.whole_micros());
        let furthest = now.0.saturating_add(whole);
        let arrival = match stored {
            Some(tat) if tat.0 > furthest => furthest.saturating_sub(interval),
            Some(tat) => tat.0.max(now.0),
            None => now.0,
        };
        let next = arrival.saturating_add(interval);
        if next > furthest {
            Verdict::Wait(Duration::from_micros(next.abs_diff(furthest)))
        } else {
            Verdict::Admit(UnixMicros(next))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEN_A_MINUTE: Burst = Burst { per_minute: 10, size: 3 };
    const INTERVAL: i64 = 6_000_000;

    #[test]
    fn a_rested_bucket_gives_its_size_at_once_and_then_one_an_interval() {
        let mut stored = None;
        for (now, verdict) in [
            (0, Verdict::Admit(UnixMicros(INTERVAL))),
            (0, Verdict::Admit(UnixMicros(2 * INTERVAL))),
            (0, Verdict::Admit(UnixMicros(3 * INTERVAL))),
            (0, Verdict::Wait(Duration::from_secs(6))),
            (INTERVAL - 1, Verdict::Wait(Duration::from_micros(1))),
            (INTERVAL, Verdict::Admit(UnixMicros(4 * INTERVAL))),
            (INTERVAL, Verdict::Wait(Duration::from_secs(6))),
            (100 * INTERVAL, Verdict::Admit(UnixMicros(101 * INTERVAL))),
        ] {
            assert_eq!(TEN_A_MINUTE.judge(stored, UnixMicros(now)), verdict, "at {now}");
            if let Verdict::Admit(tat) = verdict {
                stored = Some(tat);
            }
        }
    }

    #[test]
    fn a_bucket_from_a_poorer_plan_or_a_later_clock_locks_nobody_out() {
        for stored in [3 * INTERVAL + 1, 3_600_000_000, i64::MAX] {
            let Verdict::Admit(tat) = TEN_A_MINUTE.judge(Some(UnixMicros(stored)), UnixMicros(0)) else {
                panic!("{stored} should let one through");
            };
            assert_eq!(TEN_A_MINUTE.judge(Some(tat), UnixMicros(0)), Verdict::Wait(Duration::from_secs(6)));
        }
    }

    #[test]
    fn a_limit_of_nothing_is_read_as_one() {
        let nothing = Burst { per_minute: 0, size: 0 };
        assert_eq!(nothing.judge(None, UnixMicros(0)), Verdict::Admit(UnixMicros(60_000_000)));
        assert_eq!(nothing.judge(Some(UnixMicros(60_000_000)), UnixMicros(0)), Verdict::Wait(Duration::from_mins(1)));
    }

    /// The textbook's token bucket: a level that rises with time, in microseconds' worth of tokens.
    struct Bucket {
        level: i64,
        seen: i64,
    }

    impl Bucket {
        fn ask(&mut self, burst: Burst, now: i64) -> Result<(), Duration> {
            let (cost, brim) = (burst.interval_micros(), burst.interval_micros() * i64::from(burst.size));
            self.level = brim.min(self.level + (now - self.seen));
            self.seen = now;
            if self.level < cost {
                return Err(Duration::from_micros((cost - self.level).unsigned_abs()));
            }
            self.level -= cost;
            Ok(())
        }
    }

    #[test]
    fn every_limit_and_every_stored_time_has_a_verdict() {
        let numbers = [0, 1, 59, 60_000_000, 60_000_001, u32::MAX];
        let times = [i64::MIN, -1, 0, 1_772_366_400_000_000, i64::MAX];
        for (per_minute, size) in numbers.into_iter().flat_map(|one| numbers.map(|other| (one, other))) {
            let burst = Burst { per_minute, size };
            assert!(burst.interval_micros() >= 60 && burst.whole_micros() >= 60, "{burst:?}");
            // A full bucket's number, and those that a store's Lua computes with, are exact there.
            assert!(1_772_366_400_000_000 + burst.whole_micros() < 1 << 53, "{burst:?}");
            for (stored, now) in times.into_iter().flat_map(|stored| times.map(|now| (stored, now))) {
                let verdict = burst.judge(Some(UnixMicros(stored)), UnixMicros(now));
                assert!(verdict != Verdict::Wait(Duration::ZERO), "{burst:?}, {stored} at {now}");
                let left = burst.remaining(UnixMicros(now).until(UnixMicros(stored)));
                assert!(left.requests <= burst.bounded().size.into(), "{burst:?}, {stored} at {now}: {left:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_admitted_equals_a_token_bucket(
            per_minute in 1u32..2_000,
            size in 1u32..20,
            pauses in prop::collection::vec(prop_oneof![Just(0i64), 1..100_000i64, 100_000..100_000_000i64], 1..200),
        ) {
            let burst = Burst { per_minute, size };
            let mut now = 1_772_366_400_000_000;
            let mut bucket = Bucket { level: i64::from(size) * burst.interval_micros(), seen: now };
            let mut stored = None;
            for pause in pauses {
                now += pause;
                let judged = match burst.judge(stored, UnixMicros(now)) {
                    Verdict::Admit(tat) => {
                        stored = Some(tat);
                        Ok(())
                    }
                    Verdict::Wait(wait) => Err(wait),
                };
                prop_assert_eq!(judged, bucket.ask(burst, now));
            }
        }
    }
}
