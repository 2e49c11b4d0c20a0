//! A local check of the short-term limit: it rejects a flood of one known account before the store has to decide.

mod time;

use crate::domain::{account::Uid, rate_limit::Burst};
use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, Reference as _},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{
        StateStore,
        keyed::{DashMapStateStore, ShrinkableKeyedStateStore},
    },
};
use std::{
    collections::HashMap,
    fmt,
    num::NonZeroU32,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use time::LimiterClock;

/// The most accounts that are remembered, give or take one sweep. Further ones are left to the store.
const ACCOUNTS: usize = 100_000;
/// The most limits that are remembered. Plans are few, but an account may have a limit of its own.
const LIMITS: usize = 1_000;
/// Requests from one sweep to the next.
const SWEEP_EVERY: u64 = 4_096;
/// The bucket here refills faster than the store's by one part in this many.
const HEAD_START: u32 = 64;

/// A local pre-check of the store's short-term limit, for accounts that are known. It must not be used for invented
/// identities, because it remembers each.
///
/// The store decides, for all gateways together; this only rejects a request that the store surely would. So it counts
/// the requests that it let through and that were not given back, each from the moment it left for the store: on a
/// single gateway the store has counted at least as many. It also refills a little faster, so that clocks which drift
/// apart cannot make it the stricter one; each answer of the store takes that advantage back, see [`Passed`]. Only
/// while a denial is still on its way back can it be stricter, by that one request.
/// see [`Passed`]. Only while a no is still on its way back can it be stricter, by that one request.
pub struct AccountLimiter<C: Clock = LimiterClock> {
    clock: C,
    by_limit: RwLock<ByLimit<C>>,
    asked: AtomicU64,
    full: AtomicBool,
}

/// Limits by requests a minute and burst size.
type ByLimit<C> = HashMap<(u32, u32), Arc<Limit<C>>>;

/// The accounts that have the same limit.
struct Limit<C: Clock> {
    started: C::Instant,
    interval: Duration,
    /// How much sooner this bucket has room again than the store's bucket.
    head_start: Duration,
    /// How far the theoretical arrival may lie ahead.
    tolerance: Nanos,
    buckets: Buckets,
    limiter: RateLimiter<Uid, Buckets, C, NoOpMiddleware<C::Instant>>,
}

/// A request that was let through to the store. It must be told the store's decision; if it is dropped, the request
/// stays counted.
#[must_use]
pub struct Passed<C: Clock = LimiterClock> {
    uid: Uid,
    /// The limit, and the time since its start; `None` for a request that only the store judges.
    counted: Option<(Arc<Limit<C>>, Nanos)>,
}

impl AccountLimiter {
    /// A limiter that has seen no request. It goes by the monotonic clock, unless a test turns the time.
    #[must_use]
    pub fn new(clock: crate::clock::Clock) -> Self {
        Self::with_clock(LimiterClock::new(clock))
    }
}

impl<C: Clock + Clone> AccountLimiter<C> {
    fn with_clock(clock: C) -> Self {
        Self { clock, by_limit: RwLock::default(), asked: AtomicU64::new(0), full: AtomicBool::new(false) }
    }

    /// Lets a request of an account through to the store, or returns how long the store would have it wait. If this
    /// limiter was told the store's count of the last request, the time is never too short, and at most a second too
    /// long.
    pub fn allow(&self, uid: &Uid, burst: Burst) -> Result<Passed<C>, Duration> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep();
        }
        let uncounted = Passed { uid: uid.clone(), counted: None };
        if self.full.load(Ordering::Relaxed) {
            return Ok(uncounted);
        }
        let Some(limit) = self.limit(burst) else { return Ok(uncounted) };
        let now = self.clock.now();
        // The head start has made the bucket refill too early since the store's last answer; that time is added again.
        let wait = |denied: NotUntil<C::Instant>| denied.wait_time_from(now) + limit.head_start;
        limit.limiter.check_key(uid).map_err(wait)?;
        let since_start = now.duration_since(limit.started);
        Ok(Passed { counted: Some((limit, since_start)), ..uncounted })
    }

    fn limit(&self, burst: Burst) -> Option<Arc<Limit<C>>> {
        let key = (burst.per_minute, burst.size);
        if let Some(known) = self.by_limit.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(Arc::clone(known));
        }
        let mut by_limit = self.by_limit.write().unwrap_or_else(PoisonError::into_inner);
        if by_limit.len() >= LIMITS && !by_limit.contains_key(&key) {
            return None;
        }
        let limit = by_limit.entry(key).or_insert_with(|| Arc::new(Limit::new(burst, self.clock.clone())));
        Some(Arc::clone(limit))
    }

    /// Forgets every account whose bucket is full again.
    fn sweep(&self) {
        let mut by_limit = self.by_limit.write().unwrap_or_else(PoisonError::into_inner);
        by_limit.retain(|_, limit| {
            limit.limiter.retain_recent();
            !limit.limiter.is_empty()
        });
        let accounts: usize = by_limit.values().map(|limit| limit.limiter.len()).sum();
        self.full.store(accounts >= ACCOUNTS, Ordering::Relaxed);
    }
}

impl<C: Clock> Passed<C> {
    /// The store's short-term limit let the request through. By the store's count, the account's theoretical arrival
    /// time is now this far ahead.
    pub fn counted(self, ahead: Duration) {
        if let Some((limit, at)) = self.counted {
            limit.buckets.raise_to(&self.uid, at + Nanos::from(less_head_start(ahead)));
        }
    }

    /// The store found the account too fast after all, and says for how long. Nothing is let through before.
    pub fn too_fast(self, retry_after: Duration) {
        if let Some((limit, at)) = self.counted {
            let room_again = at + Nanos::from(less_head_start(retry_after));
            limit.buckets.empty_until(&self.uid, room_again + limit.tolerance, limit.interval);
        }
    }

    /// The store did not count the request.
    pub fn give_back(self) {
        if let Some((limit, _)) = self.counted {
            limit.buckets.put_one_back(&self.uid, limit.interval);
        }
    }
}

impl<C: Clock> fmt::Debug for Passed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passed").field("uid", &self.uid).finish_non_exhaustive()
    }
}

impl<C: Clock> fmt::Debug for AccountLimiter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountLimiter").field("asked", &self.asked).field("full", &self.full).finish_non_exhaustive()
    }
}

impl<C: Clock> Limit<C> {
    fn new(burst: Burst, clock: C) -> Self {
        let exact = Duration::from_micros(burst.interval_micros().unsigned_abs());
        let interval = less_head_start(exact);
        let size = NonZeroU32::new(burst.bounded().size).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MAX)).allow_burst(size);
        let buckets = Buckets::default();
        Self {
            started: clock.now(),
            interval,
            head_start: exact.saturating_sub(interval),
            tolerance: Nanos::from(interval) * u64::from(size.get() - 1),
            limiter: RateLimiter::new(quota, buckets.clone(), clock),
            buckets,
        }
    }
}

fn less_head_start(span: Duration) -> Duration {
    span.saturating_sub(span / HEAD_START)
}

/// governor's buckets, shared with its limiter, for operations that governor does not offer.
#[derive(Clone, Default)]
struct Buckets(Arc<DashMapStateStore<Uid>>);

impl Buckets {
    /// Lets nothing through before the moment that this arrival time means.
    fn raise_to(&self, uid: &Uid, arrival: Nanos) {
        let _always_replaced: Result<(), ()> =
            self.measure_and_replace(uid, |known| Ok(((), known.map_or(arrival, |known| known.max(arrival)))));
    }

    /// Puts one request back, and lets nothing through before the moment that this arrival time means.
    fn empty_until(&self, uid: &Uid, arrival: Nanos, interval: Duration) {
        let _always_replaced: Result<(), ()> = self.measure_and_replace(uid, |known| {
            let put_back = known.map_or(arrival, |known| known.saturating_sub(interval.into()));
            Ok(((), put_back.max(arrival)))
        });
    }

    fn put_one_back(&self, uid: &Uid, interval: Duration) {
        // `Err` leaves a bucket unchanged if nothing was taken from it.
        let _untouched: Result<(), ()> = self.measure_and_replace(uid, |arrival| {
            arrival.map(|arrival| ((), arrival.saturating_sub(interval.into()))).ok_or(())
        });
    }
}

impl StateStore for Buckets {
    type Key = Uid;

    fn measure_and_replace<T, F, E>(&self, key: &Uid, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, f)
    }
}

impl ShrinkableKeyedStateStore<Uid> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        ShrinkableKeyedStateStore::retain_recent(&*self.0, drop_below);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
