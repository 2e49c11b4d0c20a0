//! Keeps one issuer's keys fresh, and asks the issuer seldom.
//!
//! The key set is read at start, then as often as the issuer's `Cache-Control` asks, within bounds. A token whose `kid`
//! is not known may mean that keys were rotated. Then the set is read again: once for all requests that wait, at most
//! once in a while, and not for a `kid` that was just found missing. If the issuer is unavailable, the last good set
//! stays.

use super::{
    TokenRefused, VerifyError,
    fetch::{FetchError, Fetched, Source, Stamp},
    jwks::{Choice, Key, KeySet},
};
use crate::telemetry::IssuerGauges;
use arc_swap::ArcSwapOption;
use jsonwebtoken::Algorithm;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, sleep_until},
};

/// Missing `kid`s remembered at most.
const MISSING: usize = 256;
/// The longest `kid` that is asked for or remembered. A longer one belongs to nobody.
const LONGEST_KID: usize = 256;

/// How often an issuer is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Bounds on how long a set is kept, whatever `Cache-Control` says.
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
    /// How often a file is checked.
    pub(super) file: Duration,
    /// The pause before the first retry after a failure; it doubles.
    pub(super) retry: Duration,
    pub(super) longest_retry: Duration,
    /// The least time between the last reading, for whatever reason, and one because of an unknown `kid`.
    pub(super) floor: Duration,
    /// How long a `kid` that a fresh set lacked is not asked for again.
    pub(super) missing: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            shortest: Duration::from_mins(5),
            longest: Duration::from_hours(6),
            file: Duration::from_secs(5),
            retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(30),
            floor: Duration::from_secs(30),
            missing: Duration::from_mins(2),
        }
    }
}

impl Timing {
    /// How long a set is kept when its issuer asks for `max_age`.
    fn keep_for(&self, max_age: Option<Duration>) -> Duration {
        max_age.unwrap_or_default().clamp(self.shortest, self.longest)
    }
}

/// One issuer's keys.
#[derive(Debug)]
pub(super) struct Keys {
    /// For the log and the metrics.
    issuer: String,
    set: ArcSwapOption<KeySet>,
    /// `None` for a shared secret, which does not change.
    source: Option<Source>,
    timing: Timing,
    /// Held while the source is read, so that there is one reading at a time and the others wait for its result.
    reading: Mutex<Reading>,
    first_read: Notify,
    /// When the source was last read with success.
    read_at: std::sync::Mutex<Option<Instant>>,
}

/// The state of reading the source.
#[derive(Debug)]
struct Reading {
    last: Option<Instant>,
    due: Instant,
    failures: u32,
    stamp: Option<Stamp>,
    /// The `kid`s that a fresh set lacked, each with the time until which it counts as missing.
    missing: HashMap<String, Instant>,
}

impl Keys {
    /// Keys that never change.
    pub(super) fn fixed(issuer: &str, set: KeySet) -> Self {
        let keys = Self::new(issuer, None, Timing::default());
        keys.set.store(Some(Arc::new(set)));
        keys
    }

    /// Keys that [`Keys::keep_fresh`] has yet to read.
    pub(super) fn read_from(issuer: &str, source: Source, timing: Timing) -> Self {
        Self::new(issuer, Some(source), timing)
    }

    fn new(issuer: &str, source: Option<Source>, timing: Timing) -> Self {
        let (last, stamp) = (None, None);
        let reading = Reading { last, due: Instant::now(), failures: 0, stamp, missing: HashMap::new() };
        let (issuer, set, first_read) = (issuer.to_owned(), ArcSwapOption::empty(), Notify::new());
        let read_at = std::sync::Mutex::default();
        Self { issuer, set, source, timing, reading: Mutex::new(reading), first_read, read_at }
    }

    /// The time since the source was last read with success. `None` until then, and for a shared secret.
    pub(super) fn gauges(&self) -> IssuerGauges {
        let read_at = *self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        IssuerGauges { issuer: self.issuer.clone(), age: read_at.map(|read_at| read_at.elapsed()) }
    }

    /// The key that a token is checked with.
    pub(super) async fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<Key>, VerifyError> {
        match (self.choose(kid, algorithm)?, kid) {
            (Choice::Unknown, Some(kid)) if kid.len() <= LONGEST_KID => self.look_again(kid, algorithm).await,
            (choice, _) => settled(choice),
        }
    }

    fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Choice, VerifyError> {
        self.set.load().as_ref().map(|set| set.choose(kid, algorithm)).ok_or(VerifyError::KeysUnavailable)
    }

    async fn look_again(&self, kid: &str, algorithm: Algorithm) -> Result<Arc<Key>, VerifyError> {
        let Some(source) = &self.source else { return Err(TokenRefused::Key.into()) };
        let mut reading = self.reading.lock().await;
        let mut choice = self.choose(Some(kid), algorithm)?;
        if matches!(choice, Choice::Unknown) && reading.may_ask_for(kid, Instant::now(), &self.timing) {
            self.read(source, &mut reading).await;
            choice = self.choose(Some(kid), algorithm)?;
            if matches!(choice, Choice::Unknown) {
                reading.remember_missing(kid, Instant::now() + self.timing.missing);
            }
        }
        settled(choice)
    }

    /// Reads the source whenever it is due, for ever.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let Some(source) = &self.source else { return self.first_read.notify_one() };
        loop {
            let mut reading = self.reading.lock().await;
            if reading.due <= Instant::now() {
                self.read(source, &mut reading).await;
                self.first_read.notify_one();
            }
            let due = reading.due;
            drop(reading);
            sleep_until(due).await;
        }
    }

    /// Waits until [`Keys::keep_fresh`] has tried once, with or without success.
    pub(super) async fn first_read(&self) {
        self.first_read.notified().await;
    }

    async fn read(&self, source: &Source, reading: &mut Reading) {
        reading.last = Some(Instant::now());
        let keep_for = match self.take(source, &mut reading.stamp).await {
            Ok(keep_for) => {
                *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                reading.failures = 0;
                keep_for
            }
            Err(error) => {
                tracing::warn!(issuer = %self.issuer, %error, "cannot read the keys of user tokens; those read before stay");
                reading.failures += 1;
                let doubled = self.timing.retry.saturating_mul(1 << (reading.failures - 1).min(16));
                doubled.min(self.timing.longest_retry)
            }
        };
        reading.due = Instant::now() + keep_for;
    }

    /// Applies the result of a reading, and returns how long it may be kept.
    async fn take(&self, source: &Source, stamp: &mut Option<Stamp>) -> Result<Duration, FetchError> {
        let Fetched::Set(text, max_age) = source.fetch(stamp).await? else { return Ok(self.timing.file) };
        let set = KeySet::parse(&text)?;
        tracing::debug!(issuer = %self.issuer, "read the keys of user tokens");
        self.set.store(Some(Arc::new(set)));
        Ok(match source {
            Source::Url(..) => self.timing.keep_for(max_age),
            Source::File(_) => self.timing.file,
        })
    }
}

impl Reading {
    /// Whether the source may be read because of this `kid`.
    fn may_ask_for(&self, kid: &str, now: Instant, timing: &Timing) -> bool {
        let rested = self.last.is_none_or(|last| now.duration_since(last) >= timing.floor);
        rested && self.missing.get(kid).is_none_or(|until| *until <= now)
    }

    fn remember_missing(&mut self, kid: &str, until: Instant) {
        if self.missing.len() >= MISSING {
            let now = Instant::now();
            self.missing.retain(|_, until| *until > now);
        }
        if self.missing.len() < MISSING {
            self.missing.insert(kid.to_owned(), until);
        }
    }
}

fn settled(choice: Choice) -> Result<Arc<Key>, VerifyError> {
    match choice {
        Choice::Key(key) => Ok(key),
        Choice::Unknown => Err(TokenRefused::Key.into()),
        Choice::Refused(why) => Err(why.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_kept_as_long_as_its_issuer_says_within_bounds() {
        let minutes = Duration::from_mins;
        for (max_age, kept) in
            [(None, 5), (Some(0), 5), (Some(4), 5), (Some(19), 19), (Some(360), 360), (Some(1_000_000), 360)]
        {
            assert_eq!(Timing::default().keep_for(max_age.map(minutes)), minutes(kept), "{max_age:?}");
        }
    }

    #[test]
    fn an_unknown_kid_is_worth_a_reading_only_after_a_rest_and_not_twice() {
        let timing = Timing::default();
        let start = Instant::now();
        let keys = Keys::new("issuer", None, timing);
        let mut reading = keys.reading.into_inner();
        reading.last = Some(start);
        let seconds = |seconds| start + Duration::from_secs(seconds);
        assert!(!reading.may_ask_for("new", seconds(29), &timing), "too soon after the last reading");
        assert!(reading.may_ask_for("new", seconds(30), &timing));
        reading.remember_missing("new", seconds(150));
        assert!(!reading.may_ask_for("new", seconds(149), &timing), "just found missing");
        assert!(reading.may_ask_for("other", seconds(149), &timing));
        assert!(reading.may_ask_for("new", seconds(150), &timing), "it may have come since");
        for number in 0..10_000 {
            reading.remember_missing(&number.to_string(), seconds(3_600));
        }
        assert!(reading.missing.len() <= MISSING);
    }
}
