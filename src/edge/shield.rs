//! The flood shield bounds what one client may do before it is identified.
//!
//! It counts in sketches of fixed size, so that memory stays the same whatever addresses an attacker invents. As two
//! clients can share counters, a count may be too high, but it is never too low. Each client has four counters, each in a
//! row of its own under a hash that is seeded at start, and the lowest of them is its count. So an innocent client is
//! refused only if it shares each of its four counters with an attacker:
//!
//! - Bad credentials have 65,536 counters a row. An address is not counted while it is refused, so at 60 a minute every
//!   attacking address fills one counter a row. Ten thousand of them fill 14 % of a row, and one innocent client in 2,500
//!   has four full counters. For one in two, it takes 120,000 addresses: seven million bad credentials a minute.
//! - Requests in flight have 8,192 counters a row. An address fills a counter with 512 requests, so a thousand addresses
//!   need half a million open requests before one innocent client in 5,700 is refused.

use crate::domain::client_address::first_of_client;
use pingora_limits::{
    inflight::{Guard, Inflight},
    rate::{Rate, RateComponents},
};
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const ROWS: usize = 4;
/// The counters in each row for bad credentials: with two windows, 4 MiB in all. Those for requests in flight take 256 KiB.
const COUNTERS: usize = 1 << 16;
const WINDOW: Duration = Duration::from_mins(1);

/// The limits of one client.
#[derive(Clone, Copy, Debug)]
pub struct ShieldLimits {
    /// The most bad credentials in a minute.
    pub bad_credentials_per_minute: NonZeroU32,
    /// The most requests in flight.
    pub in_flight_per_client: NonZeroU32,
}

/// Counts for each client address, in memory of fixed size. Clones share the counts.
#[derive(Clone)]
pub struct Shield {
    limits: ShieldLimits,
    counts: Arc<Counts>,
}

struct Counts {
    window: Duration,
    seed: RandomState,
    /// Locked, because `Rate` subtracts a reading of the clock from one that another thread may have taken earlier. Without
    /// overflow checks it then forgets both windows; with them it panics.
    bad_credentials: Mutex<Rate>,
    in_flight: Inflight,
}

/// Keeps a request in flight counted until it is dropped.
#[derive(Debug)]
pub struct InFlightGuard {
    _counted: Guard,
}

impl Shield {
    /// A shield with nothing counted yet.
    #[must_use]
    pub fn new(limits: ShieldLimits) -> Self {
        Self::with_window(limits, WINDOW)
    }

    fn with_window(limits: ShieldLimits, window: Duration) -> Self {
        let bad_credentials = Mutex::new(Rate::new_with_estimator_config(window, ROWS, COUNTERS));
        let counts = Counts { window, seed: RandomState::new(), bad_credentials, in_flight: Inflight::new() };
        Self { limits, counts: Arc::new(counts) }
    }

    /// A shield with the same counts and other limits.
    #[must_use]
    pub fn with_limits(&self, limits: ShieldLimits) -> Self {
        Self { limits, counts: Arc::clone(&self.counts) }
    }

    /// Counts one credential that was refused.
    pub fn bad_credential(&self, client: IpAddr) {
        self.rate().observe(&self.key(client), 1);
    }

    /// How long until a client's credentials are checked again; `None` if they are checked now.
    ///
    /// The minute slides: the count of the last whole window is weighted by how much of it is still within the minute.
    #[must_use]
    pub fn guessing_too_fast(&self, client: IpAddr) -> Option<Duration> {
        let limit = f64::from(self.limits.bad_credentials_per_minute.get());
        let windows = self.rate().rate_with(&self.key(client), |seen: RateComponents| {
            windows_until_below(
                limit,
                count(seen.prev_samples),
                count(seen.curr_samples),
                seen.current_interval_fraction,
            )
        });
        (windows > 0.0).then(|| self.counts.window.mul_f64(windows))
    }

    /// Counts a request until the guard is dropped; `None` if the client already has as many as it may.
    #[must_use]
    pub fn enter(&self, client: IpAddr) -> Option<InFlightGuard> {
        let limit = isize::try_from(self.limits.in_flight_per_client.get()).unwrap_or(isize::MAX);
        let (counted, now) = self.counts.in_flight.incr(self.key(client), 1);
        (now <= limit).then_some(InFlightGuard { _counted: counted })
    }

    /// Hashes the address once here, and not once for every row there.
    fn key(&self, client: IpAddr) -> u64 {
        self.counts.seed.hash_one(first_of_client(client))
    }

    fn rate(&self) -> MutexGuard<'_, Rate> {
        self.counts.bad_credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// How many windows, or parts of one, pass until the sliding count is below the limit if nothing more is counted; 0 if it
/// is below it now. `passed` is the part of the `current` window that is over.
fn windows_until_below(limit: f64, previous: f64, current: f64, passed: f64) -> f64 {
    let until = if previous * (1.0 - passed) + current < limit {
        0.0
    } else if current < limit {
        // `previous` fades within this window.
        1.0 - (limit - current) / previous - passed
    } else {
        // `current` fades only in the next window, when it is the previous one.
        2.0 - limit / current - passed
    };
    until.max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a count of one minute is far below 2^52")]
fn count(samples: isize) -> f64 {
    samples as f64
}

#[cfg(test)]
mod tests;
