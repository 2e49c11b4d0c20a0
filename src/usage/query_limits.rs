//! The rate limit of membership-usage for each key. It is apart from pictures, kept in memory, and needs no store trip.

use crate::domain::{
    api_key::KeyId,
    rate_limit::{Burst, Verdict},
    time::UnixMicros,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Plenty for a page that polls, little for the store.
pub(super) const LIMIT: Burst = Burst { per_minute: 120, size: 60 };

/// How many keys are remembered before those whose buckets are full again are forgotten.
const KEYS: usize = 4_096;

/// One bucket a key. Only existing keys come here, so nobody can fill the memory with invented ones.
#[derive(Debug, Default)]
pub(super) struct QueryLimits(Mutex<HashMap<KeyId, UnixMicros>>);

impl QueryLimits {
    /// Takes one question from a key's bucket. The error is the time after which there is room again.
    pub(super) fn take(&self, key: &KeyId, now: UnixMicros) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match LIMIT.judge(buckets.get(key).copied(), now) {
            Verdict::Wait(span) => Err(span),
            Verdict::Admit(arrival) => {
                if buckets.len() >= KEYS {
                    buckets.retain(|_, arrival| *arrival > now);
                }
                buckets.insert(key.clone(), arrival);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_have_rested_are_forgotten() {
        let query_limits = QueryLimits::default();
        for number in 0..KEYS {
            query_limits.take(&KeyId(number.to_string().into()), UnixMicros(0)).unwrap();
        }
        let later = UnixMicros(3_600_000_000);
        query_limits.take(&KeyId("late".into()), later).unwrap();
        assert_eq!(query_limits.0.lock().unwrap().len(), 1);
    }
}
