//! Short-term limits that the store has just found exhausted: a flood of one account is rejected before the store is asked
//! again.

use crate::{
    clock::Clock,
    domain::{account::Uid, rate_limit::Burst},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Accounts remembered; beyond that, all are forgotten, and the store rejects them again.
const ACCOUNTS: usize = 100_000;

/// Accounts that are too fast, and for how long. It may be lost without harm: the store decides, for all gateways
/// together, and this only repeats its denials.
///
/// No account is refused longer than the store would refuse it: the time counts from before the store was asked, and an
/// entry holds for one limit of the account only. That credits are exhausted is never repeated, because some may have been
/// granted meanwhile.
#[derive(Debug)]
pub struct AccountLimiter {
    clock: Clock,
    began: Instant,
    /// Until when, by account and limit.
    too_fast: Mutex<HashMap<(Uid, Burst), Duration>>,
}

/// A request that the store is to decide on.
#[derive(Debug)]
#[must_use]
pub struct Passed {
    account: (Uid, Burst),
    at: Duration,
}

impl AccountLimiter {
    /// A limiter without entries. It goes by the monotonic clock, unless a test turns the time.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, began: Instant::now(), too_fast: Mutex::default() }
    }

    /// Lets a request of an account through to the store, or tells how long the store would have it wait.
    pub fn allow(&self, uid: &Uid, burst: Burst) -> Result<Passed, Duration> {
        let (account, now) = ((uid.clone(), burst), self.now());
        let mut too_fast = self.too_fast();
        match too_fast.get(&account).map(|until| until.saturating_sub(now)) {
            None => Ok(Passed { account, at: now }),
            Some(Duration::ZERO) => {
                too_fast.remove(&account);
                Ok(Passed { account, at: now })
            }
            Some(wait) => Err(wait),
        }
    }

    /// The store has found the account too fast, for so long.
    pub fn was_too_fast(&self, passed: Passed, retry_after: Duration) {
        let Passed { account, at } = passed;
        let mut too_fast = self.too_fast();
        if too_fast.len() >= ACCOUNTS && !too_fast.contains_key(&account) {
            too_fast.clear();
        }
        let until = too_fast.entry(account).or_default();
        *until = (*until).max(at.saturating_add(retry_after));
    }

    /// Time that only moves forward; in tests, as far as they turn it.
    fn now(&self) -> Duration {
        match &self.clock {
            // The time of day may be set back; this must not.
            Clock::Own => self.began.elapsed(),
            turned @ Clock::Turned(_) => Duration::from_micros(turned.now().0.unsigned_abs()),
        }
    }

    fn too_fast(&self) -> MutexGuard<'_, HashMap<(Uid, Burst), Duration>> {
        self.too_fast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
