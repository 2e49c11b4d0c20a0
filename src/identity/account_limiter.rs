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
use time::PaceClock;

/// Accounts remembered at most, give or take one sweep's; further ones are left to the store.
const ACCOUNTS: usize = 100_000;
/// Different limits remembered at most: plans are few, but an account may have a limit of its own.
const LIMITS: usize = 1_000;
/// Requests from one sweep to the next.
const SWEEP_EVERY: u64 = 4_096;
/// The bucket here refills by one part in so many faster than the store's.
const HEAD_START: u32 = 64;

/// A local pre-check of the store's short-term limit, for accounts that are known. Never for made-up identities: it
/// remembers each.
///
/// The store decides, for all gateways together; this only says no when the store surely would. Hence it counts what
/// was let through here and not given back, which on a single gateway is at most what the store counted too, from the
/// moment the request left, which is before the store saw it; and it refills a little faster, so that two clocks which
/// drift apart cannot make it the stricter one. What that gains, the store's own count takes back with each answer:
/// see [`Passed`]. Only while a no is still on its way back can it be stricter, by that one request.
pub struct AccountLimiter<C: Clock = PaceClock> {
    clock: C,
    by_limit: RwLock<ByLimit<C>>,
    asked: AtomicU64,
    full: AtomicBool,
}

/// By requests a minute and burst.
type ByLimit<C> = HashMap<(u32, u32), Arc<Limit<C>>>;

/// Everybody who has the same limit.
struct Limit<C: Clock> {
    started: C::Instant,
    interval: Duration,
    /// How much sooner this bucket has room again than the store's.
    head_start: Duration,
    /// How far the theoretical arrival may lie ahead.
    tolerance: Nanos,
    buckets: Buckets,
    limiter: RateLimiter<Uid, Buckets, C, NoOpMiddleware<C::Instant>>,
}

/// A request that was let through to the store. What the store made of it is to be told; dropped, it stays counted.
#[must_use]
pub struct Passed<C: Clock = PaceClock> {
    uid: Uid,
    /// By which limit, and how long after its start; `None` for who is left to the store alone.
    counted: Option<(Arc<Limit<C>>, Nanos)>,
}

impl AccountLimiter {
    /// A limiter that has seen no request. It goes by the monotonic clock, unless a test turns the time.
    #[must_use]
    pub fn new(clock: crate::clock::Clock) -> Self {
        Self::with_clock(PaceClock::new(clock))
    }
}

impl<C: Clock + Clone> AccountLimiter<C> {
    fn with_clock(clock: C) -> Self {
        Self { clock, by_limit: RwLock::default(), asked: AtomicU64::new(0), full: AtomicBool::new(false) }
    }

    /// Lets a request of an account through to the store, or tells how long the store would have it wait: never less, if
    /// it has told its count of the last one, and at most a second more.
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
        let told = |no: NotUntil<C::Instant>| no.wait_time_from(now) + limit.head_start;
        limit.limiter.check_key(uid).map_err(told)?;
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

    /// Forgets everybody whose bucket is full again.
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
    /// The store's short-term limit let it through, and by its count the account's theoretical arrival now lies so far
    /// ahead.
    pub fn counted(self, ahead: Duration) {
        if let Some((limit, at)) = self.counted {
            limit.buckets.raise_to(&self.uid, at + Nanos::from(less_head_start(ahead)));
        }
    }

    /// The store found the account too fast after all, and knows for how long: nothing is let through before.
    pub fn too_fast(self, retry_after: Duration) {
        if let Some((limit, at)) = self.counted {
            let room_again = at + Nanos::from(less_head_start(retry_after));
            limit.buckets.empty_until(&self.uid, room_again + limit.tolerance, limit.interval);
        }
    }

    /// The store did not take it into account.
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

/// governor's buckets, shared with its limiter for what it has no verbs for.
#[derive(Clone, Default)]
struct Buckets(Arc<DashMapStateStore<Uid>>);

impl Buckets {
    /// Lets nothing through before what this arrival means.
    fn raise_to(&self, uid: &Uid, arrival: Nanos) {
        let _always_replaced: Result<(), ()> =
            self.measure_and_replace(uid, |known| Ok(((), known.map_or(arrival, |known| known.max(arrival)))));
    }

    /// Puts one request back, and lets nothing through before what this arrival means.
    fn empty_until(&self, uid: &Uid, arrival: Nanos, interval: Duration) {
        let _always_replaced: Result<(), ()> = self.measure_and_replace(uid, |known| {
            let put_back = known.map_or(arrival, |known| known.saturating_sub(interval.into()));
            Ok(((), put_back.max(arrival)))
        });
    }

    fn put_one_back(&self, uid: &Uid, interval: Duration) {
        // `Err` leaves a bucket that nothing was taken from as it is.
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
