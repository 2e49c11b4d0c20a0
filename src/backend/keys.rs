//! Our own keys at one service: which to use, and which are spent and rest. Time is an argument.

use hyper::header::HeaderValue;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a spent key rests when the service does not say.
const USUAL_REST: Duration = Duration::from_mins(1);

/// How long it rests at most, whatever the service says: credits may be bought meanwhile.
const LONGEST_REST: Duration = Duration::from_mins(15);

/// Keys in the order of preference, shared by all addresses of the service.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<Vec<Key>>);

#[derive(Debug)]
struct Key {
    /// Marked sensitive.
    value: HeaderValue,
    rests_until: Option<Instant>,
}

/// One of the keys.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) value: HeaderValue,
    at: usize,
}

impl Chosen {
    /// Which of the configured keys it is, counted from 1: all that a log may say of it.
    pub(super) fn number(&self) -> usize {
        self.at + 1
    }
}

impl Keys {
    pub(super) fn new(values: Vec<HeaderValue>) -> Self {
        let key = |value| Key { value, rests_until: None };
        Self(Mutex::new(values.into_iter().map(key).collect()))
    }

    /// How many there are; without any, the service is asked without a key.
    pub(super) fn len(&self) -> usize {
        self.with(|keys| keys.len())
    }

    /// The first key that does not rest; `Err` with the shortest time that one of them still rests.
    pub(super) fn choose(&self, now: Instant) -> Result<Chosen, Duration> {
        self.with(|keys| {
            let rest = |key: &Key| key.rests_until.map_or(Duration::ZERO, |end| end.saturating_duration_since(now));
            match keys.iter().enumerate().find(|(_, key)| rest(key).is_zero()) {
                Some((at, key)) => Ok(Chosen { value: key.value.clone(), at }),
                None => Err(keys.iter().map(rest).min().unwrap_or(USUAL_REST)),
            }
        })
    }

    /// The service will not serve this key for a while.
    pub(super) fn rest(&self, spent: &Chosen, now: Instant, retry_after: Option<Duration>) {
        let rest = retry_after.unwrap_or(USUAL_REST).clamp(Duration::from_secs(1), LONGEST_REST);
        self.with(|keys| {
            if let Some(key) = keys.get_mut(spent.at) {
                key.rests_until = Some(now + rest);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Key>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&'static str]) -> Keys {
        Keys::new(names.iter().map(|name| HeaderValue::from_static(name)).collect())
    }

    #[test]
    fn a_spent_key_rests_as_long_as_the_service_says_within_reason_and_the_next_one_is_used() {
        for (said, rests) in [(Some(30), 30), (None, 60), (Some(0), 1), (Some(86_400), 900)] {
            let (keys, now) = (keys(&["a", "b"]), Instant::now());
            let first = keys.choose(now).expect("a key");
            assert_eq!(first.value, "a");
            keys.rest(&first, now, said.map(Duration::from_secs));
            assert_eq!(keys.choose(now).expect("the other").value, "b");
            let rest = Duration::from_secs(rests);
            assert_eq!(keys.choose(now + rest).expect("the first again").value, "a", "{said:?}");
            assert_eq!(keys.choose(now + rest - Duration::from_millis(1)).expect("not yet").value, "b");
        }
    }

    #[test]
    fn when_all_are_spent_the_shortest_rest_is_told() {
        let (keys, now) = (keys(&["a", "b"]), Instant::now());
        for seconds in [40, 20] {
            let key = keys.choose(now).expect("a key");
            keys.rest(&key, now, Some(Duration::from_secs(seconds)));
        }
        assert_eq!(keys.choose(now).map(|key| key.at), Err(Duration::from_secs(20)));
    }
}
