//! The short-term limit: GCRA, the bucket kept as one number.

use super::{credit::Burst, time::UnixMicros};
use std::time::Duration;

/// What the bucket says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it through, and store this as the bucket's new theoretical arrival time.
    Admit(UnixMicros),
    /// Too fast; the bucket stays as it was, and has room again after this long.
    Wait(Duration),
}

impl Burst {
    /// Microseconds between two requests at the long-run rate.
    #[must_use]
    pub fn interval_micros(self) -> i64 {
        60_000_000 / i64::from(self.per_minute.max(1))
    }

    /// Judges one request at `now`, given the theoretical arrival time stored by the last one that was let through.
    ///
    /// A stored time that this bucket could not have reached counts as full, no fuller: a raised plan unblocks at once, and
    /// a clock that was set back locks nobody out.
    #[must_use]
    pub fn judge(self, stored: Option<UnixMicros>, now: UnixMicros) -> Verdict {
        let interval = self.interval_micros();
        let whole = interval * i64::from(self.size.max(1));
        let full = now.0.saturating_add(whole);
        let arrival = stored.map_or(now.0, |tat| tat.0.clamp(now.0, full));
        let next = arrival.saturating_add(interval);
        let earliest = next - whole;
        if earliest > now.0 {
            Verdict::Wait(Duration::from_micros((earliest - now.0).unsigned_abs()))
        } else {
            Verdict::Admit(UnixMicros(next))
        }
    }
}
