//! The flood shield: bounds on what one client may do before anybody knows who it is.
//!
//! Counting is by sketches of fixed size, so that memory stays the same whatever addresses an attacker invents. The
//! price is that a count may come out too high, never too low: two clients can share counters. A client is counted by
//! four counters, each in a row of its own under a hash seeded at start, and the lowest speaks. So an innocent one is
//! hurt only when each of its four is shared with an attacker:
//!
//! - Bad credentials, 65,536 counters a row. An address stops counting once it is refused, so at 60 a minute every
//!   attacking address fills one counter a row. Ten thousand of them fill 14 % of a row, and one innocent in 2,500 meets
//!   four full ones; for one in two it takes 120,000 addresses, which is seven million bad credentials a minute.
//! - Requests in flight, 8,192 counters a row. An address fills a counter with 512 requests, so a thousand addresses
//!   need half a million open requests to hurt one innocent in 5,700.

use crate::domain::client_address::ClientAddress;
use pingora_limits::{
    inflight::{Guard, Inflight},
    rate::{Rate, RateComponents},
};
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const ROWS: usize = 4;
/// Counters a row for bad credentials: with two windows, 4 MiB in all. Those in flight have pingora's own 256 KiB.
const COUNTERS: usize = 1 << 16;
const WINDOW: Duration = Duration::from_mins(1);

/// What one client may do.
#[derive(Clone, Copy, Debug)]
pub struct ShieldLimits {
    /// Bad credentials a minute.
    pub bad_credentials_per_minute: NonZeroU32,
    /// Requests at once.
    pub in_flight_per_client: NonZeroU32,
}

/// Counts by client address, in memory of fixed size.
pub struct Shield {
    limits: ShieldLimits,
    window: Duration,
    seed: RandomState,
    /// Locked, because `Rate` subtracts one reading of the clock from another that a second thread may have taken
    /// later: without overflow checks it then forgets both windows, with them it panics.
    bad_credentials: Mutex<Rate>,
    in_flight: Inflight,
}

/// One request in flight; counts until it is dropped.
#[derive(Debug)]
pub struct InFlightGuard {
    _counted: Guard,
}

impl Shield {
    /// A shield that has seen nothing yet.
    #[must_use]
    pub fn new(limits: ShieldLimits) -> Self {
        Self::with_window(limits, WINDOW)
    }

    fn with_window(limits: ShieldLimits, window: Duration) -> Self {
        let bad_credentials = Mutex::new(Rate::new_with_estimator_config(window, ROWS, COUNTERS));
        Self { limits, window, seed: RandomState::new(), bad_credentials, in_flight: Inflight::new() }
    }

    /// Counts one credential that opened nothing.
    pub fn bad_credential(&self, client: &ClientAddress) {
        self.rate().observe(&self.key(client), 1);
    }

    /// How long until a client's credentials are looked at again; `None` when they are now.
    ///
    /// The minute slides: what the last whole window counted weighs by how much of it still lies within the minute.
    #[must_use]
    pub fn guessing_too_fast(&self, client: &ClientAddress) -> Option<Duration> {
        let limit = f64::from(self.limits.bad_credentials_per_minute.get());
        let windows = self.rate().rate_with(&self.key(client), |seen: RateComponents| {
            windows_until_below(
                limit,
                count(seen.prev_samples),
                count(seen.curr_samples),
                seen.current_interval_fraction,
            )
        });
        (windows > 0.0).then(|| self.window.mul_f64(windows))
    }

    /// Counts a request in until the guard is dropped; `None` when the client has as many as it may.
    #[must_use]
    pub fn enter(&self, client: &ClientAddress) -> Option<InFlightGuard> {
        let limit = isize::try_from(self.limits.in_flight_per_client.get()).unwrap_or(isize::MAX);
        let (counted, now) = self.in_flight.incr(self.key(client), 1);
        (now <= limit).then_some(InFlightGuard { _counted: counted })
    }

    /// Hashed once here instead of once for every row there.
    fn key(&self, client: &ClientAddress) -> u64 {
        self.seed.hash_one(client)
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.bad_credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Windows, or parts of one, until the sliding count falls below the limit if nothing more is counted; 0 if it is now.
/// `passed` is how much of the `current` window is over.
fn windows_until_below(limit: f64, previous: f64, current: f64, passed: f64) -> f64 {
    let until = if previous * (1.0 - passed) + current < limit {
        0.0
    } else if current < limit {
        // `previous` fades within this window.
        1.0 - (limit - current) / previous - passed
    } else {
        // Only in the next window, as its previous one, will `current` fade.
        2.0 - limit / current - passed
    };
    until.max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "what one minute counts is far below 2^52")]
fn count(samples: isize) -> f64 {
    samples as f64
}

#[cfg(test)]
mod tests;
