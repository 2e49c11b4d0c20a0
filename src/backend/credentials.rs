//! Our own keys at one service: which key to use, and which keys rest because the service refuses them. Time is an
//! argument.
//!
//! A caller's input must not make a key rest, or one caller could block all others: see decision 0012.

#[cfg(test)]
mod tests;

use super::SetupError;
use crate::{
    config::BackendConfig,
    domain::{account::Uid, answer::KeyRefusal, credit::Payer, refusal::Shortage},
    telemetry::KeyGauges,
};
use hyper::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a key rests when the service does not say.
const USUAL_REST: Duration = Duration::from_mins(1);

/// The longest time that a key rests, whatever the service says: credits may be bought meanwhile.
pub(super) const LONGEST_REST: Duration = Duration::from_mins(15);

/// How many accounts in a row must be refused before an answer that is not in the contract's words makes a key rest.
const WITNESSES: usize = 3;

/// The least time between two checks of the same key that callers have caused.
const ASKED_ONCE_IN: Duration = Duration::from_secs(10);

/// When to retry if no key works and none rests any more.
const SOON: Duration = Duration::from_secs(1);

/// The values of our keys, in the order of preference, as the configuration names them. Each is there once.
#[derive(Debug)]
pub struct KeyValues(Vec<HeaderValue>);

impl KeyValues {
    /// Reads the keys that the configuration names, by value or by file.
    pub fn configured(config: &BackendConfig) -> Result<Self, SetupError> {
        let mut values = Vec::new();
        for key in config.given_api_keys()? {
            let value = header_value(&key)?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(Self(values))
    }
}

/// The keys in the order of preference. All addresses of the service share them.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<Vec<Key>>);

#[derive(Debug)]
struct Key {
    /// Marked sensitive.
    value: HeaderValue,
    rest: Option<Rest>,
    /// The callers that were refused since the key last served one: fewer than [`WITNESSES`].
    witnesses: Vec<Witness>,
    /// When callers last caused a check of the key.
    asked: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    why: KeyRefusal,
}

/// A refused caller, who counts once. Addresses are cheap, so all callers without an account count as one.
#[derive(Debug, PartialEq, Eq)]
enum Witness {
    Account(Uid),
    Anybody,
}

/// One of the keys. It is known by its value, because a reload may change its position, or take it away.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) value: HeaderValue,
    at: usize,
}

/// The error that no key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllRest {
    /// The shortage that callers are told.
    pub(super) shortage: Shortage,
    /// The time until the first key may be used again.
    pub(super) retry_after: Duration,
}

impl Chosen {
    /// The position among the configured keys, counted from 1. A log may say nothing else about a key.
    pub(super) fn number(&self) -> usize {
        self.at + 1
    }
}

impl Keys {
    /// These keys. None of them rests.
    pub(super) fn new(values: KeyValues) -> Self {
        Self(Mutex::new(values.0.into_iter().map(Key::fresh).collect()))
    }

    /// Takes these keys from now on. A key that was there before stays as it is, resting or not. One that is taken away
    /// finishes what it was sent with.
    pub(super) fn replace(&self, values: KeyValues) {
        self.with(|keys| {
            let mut before = std::mem::take(keys);
            let key = |value| match before.iter().position(|key| key.value == value) {
                Some(at) => before.swap_remove(at),
                None => Key::fresh(value),
            };
            *keys = values.0.into_iter().map(key).collect();
        });
    }

    /// The state of the keys for operators.
    pub(super) fn gauges(&self, now: Instant) -> KeyGauges {
        let all_exhausted = matches!(self.choose(now), Err(rest) if rest.shortage == Shortage::BackendAccountExhausted);
        self.with(|keys| {
            let resting: Vec<KeyRefusal> = keys.iter().filter_map(|key| Some(key.resting(now)?.why)).collect();
            KeyGauges {
                configured: keys.len() as u64,
                resting: resting.len() as u64,
                exhausted: all_exhausted || resting.contains(&KeyRefusal::Spent),
            }
        })
    }

    /// The preferred key, whether it rests or not.
    pub(super) fn first(&self) -> Option<Chosen> {
        self.with(|keys| keys.first().map(|key| Chosen { value: key.value.clone(), at: 0 }))
    }

    /// The first key that does not rest. Without any key, requests are sent without one: `None`.
    pub(super) fn choose(&self, now: Instant) -> Result<Option<Chosen>, AllRest> {
        self.with(|keys| {
            if keys.is_empty() {
                return Ok(None);
            }
            let awake = keys.iter().enumerate().find(|(_, key)| key.resting(now).is_none());
            if let Some((at, key)) = awake {
                return Ok(Some(Chosen { value: key.value.clone(), at }));
            }
            let wakes_first = keys.iter().filter_map(|key| key.resting(now)).min_by_key(|rest| rest.until);
            Err(wakes_first.map_or(AllRest::after(KeyRefusal::Rejected), |rest| AllRest {
                retry_after: rest.until.saturating_duration_since(now),
                ..AllRest::after(rest.why)
            }))
        })
    }

    /// All resting keys that a good report of their account could wake.
    pub(super) fn resting(&self, now: Instant) -> Vec<Chosen> {
        self.with(|keys| {
            let could_wake = |key: &Key| key.resting(now).is_some_and(Rest::ends_with_good_news);
            let rest = keys.iter().enumerate().filter(|(_, key)| could_wake(key));
            rest.map(|(at, key)| Chosen { value: key.value.clone(), at }).collect()
        })
    }

    /// Makes the key rest, because the service refuses it. `said` is how long, if the service says so.
    pub(super) fn rest(&self, key: &Chosen, why: KeyRefusal, now: Instant, said: Option<Duration>) {
        let rest = within_reason(said.unwrap_or(USUAL_REST));
        self.change(key, |key| {
            key.rest = Some(Rest { until: now + rest, why });
            key.witnesses.clear();
        });
    }

    /// Wakes the key, because its account is known to be good again. A key that was used too fast goes on resting.
    /// Returns whether the key was woken.
    pub(super) fn wake(&self, key: &Chosen, now: Instant) -> bool {
        self.change(key, |key| {
            let wakes = key.resting(now).is_some_and(Rest::ends_with_good_news);
            if wakes {
                key.rest = None;
            }
            wakes
        })
        .unwrap_or(false)
    }

    /// Notes that the service has refused this caller in an answer that any caller could have provoked. Returns whether
    /// enough different callers were refused, with no caller served in between, to believe the refusal.
    pub(super) fn was_refused(&self, key: &Chosen, payer: &Payer) -> bool {
        let witness = match payer {
            Payer::Account(uid) => Witness::Account(uid.clone()),
            Payer::Client(_) => Witness::Anybody,
        };
        self.change(key, |key| {
            if key.witnesses.contains(&witness) {
                return false;
            }
            if key.witnesses.len() + 1 >= WITNESSES {
                key.witnesses.clear();
                return true;
            }
            key.witnesses.push(witness);
            false
        })
        .unwrap_or(false)
    }

    /// Whether a caller was refused since the key last served one.
    pub(super) fn is_doubted(&self, key: &Chosen) -> bool {
        self.change(key, |key| !key.witnesses.is_empty()).unwrap_or(false)
    }

    /// Notes that the key has served a caller.
    pub(super) fn served(&self, key: &Chosen) {
        self.change(key, |key| key.witnesses.clear());
    }

    /// Whether the key may be checked now; if so, it counts as checked. Each key has an interval of its own: with one
    /// for all keys, a caller who provokes refusals of one key would prevent checks of the others. There are few keys.
    pub(super) fn may_ask(&self, key: &Chosen, now: Instant) -> bool {
        self.change(key, |key| {
            let may = key.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASKED_ONCE_IN);
            if may {
                key.asked = Some(now);
            }
            may
        })
        .unwrap_or(false)
    }

    fn change<T>(&self, chosen: &Chosen, work: impl FnOnce(&mut Key) -> T) -> Option<T> {
        self.with(|keys| keys.iter_mut().find(|key| key.value == chosen.value).map(work))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Key>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Key {
    fn fresh(value: HeaderValue) -> Self {
        Self { value, rest: None, witnesses: Vec::new(), asked: None }
    }

    fn resting(&self, now: Instant) -> Option<Rest> {
        self.rest.filter(|rest| now < rest.until)
    }
}

impl Rest {
    fn ends_with_good_news(self) -> bool {
        match self.why {
            KeyRefusal::Rejected | KeyRefusal::Spent => true,
            KeyRefusal::TooFast => false,
        }
    }
}

impl AllRest {
    /// The error after a refusal for as long as the service says.
    pub(super) fn for_time(why: KeyRefusal, said: Option<Duration>) -> Self {
        let known = Self::after(why);
        Self { retry_after: said.map_or(known.retry_after, within_reason), ..known }
    }

    /// The error after a refusal for an unknown time.
    pub(super) fn after(why: KeyRefusal) -> Self {
        let shortage = match why {
            KeyRefusal::Rejected => Shortage::BackendUnavailable,
            KeyRefusal::Spent | KeyRefusal::TooFast => Shortage::BackendAccountExhausted,
        };
        Self { shortage, retry_after: SOON }
    }
}

/// What a service says about time is not believed beyond all bounds.
fn within_reason(said: Duration) -> Duration {
    said.clamp(Duration::from_secs(1), LONGEST_REST)
}

/// The key as a header's value. It is marked sensitive, so that nothing prints it.
fn header_value(key: &SecretString) -> Result<HeaderValue, SetupError> {
    let mut value = HeaderValue::try_from(key.expose_secret()).map_err(|_| SetupError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}
