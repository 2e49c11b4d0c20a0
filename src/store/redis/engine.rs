//! What every verb works with: the line, the scripts, and what is known of accounts and of the server's clock.

use super::{
    account_fields,
    link::Link,
    moment::{Moment, PeriodFields},
    queue::Lanes,
    scripts::Scripts,
};
use crate::{
    clock::Clock,
    domain::{
        account::{Account, Uid},
        credit::Payer,
        time::UnixMicros,
    },
    store::{
        Fault, LiveTerms, Result,
        callers::Callers,
        journal::Journal,
        key_names::{AccountNames, KeyStyle},
        whole::not_an_integer,
    },
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

/// Accounts whose period is remembered; beyond that, all are forgotten, which costs each of them one more trip.
const KNOWN: usize = 100_000;

/// How often a verb is computed again because the account or the clock was not as thought.
pub(super) const STALE_TRIES: usize = 5;

/// What every verb works with. Clones share everything.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) link: Link,
    pub(super) scripts: Arc<Scripts>,
    pub(super) style: KeyStyle,
    pub(super) clock: Clock,
    pub(super) terms: LiveTerms,
    pub(super) callers: Arc<Callers>,
    pub(super) cache: Arc<Cache>,
    pub(super) lanes: Arc<Lanes>,
    /// A gateway's own; `None` for a command, and for what is written again from it.
    pub(super) journal: Option<Arc<Journal>>,
}

/// What was last seen of accounts and of the server's clock. Never trusted: scripts check.
#[derive(Default)]
pub(super) struct Cache {
    periods: Mutex<HashMap<Uid, PeriodFields>>,
    /// The server's clock less ours, in microseconds.
    skew: AtomicI64,
}

/// What a script is sent to work with.
pub(super) struct Assumed {
    pub(super) now: UnixMicros,
    pub(super) seen: PeriodFields,
}

impl Engine {
    pub(super) fn names(&self, uid: &Uid) -> AccountNames {
        AccountNames::styled(uid, self.style)
    }

    /// The time for a script; `None` for the server's own.
    pub(super) fn now_argument(&self) -> Option<i64> {
        match &self.clock {
            Clock::Own => None,
            Clock::Turned(_) => Some(self.clock.now().0),
        }
    }

    /// What the server's clock should show.
    pub(super) fn now(&self) -> UnixMicros {
        UnixMicros(self.clock.now().0.saturating_add(self.cache.skew.load(Ordering::Relaxed)))
    }

    pub(super) fn assumed(&self, uid: &Uid) -> Assumed {
        Assumed { now: self.now(), seen: self.cache.periods().get(uid).cloned().unwrap_or_default() }
    }

    /// Whether an answer says that a script was sent something that is not so: then what is so is known now, and it is asked
    /// again.
    pub(super) fn learns_from(&self, payer: &Payer, answer: &str) -> Result<bool> {
        let words: Vec<String> = match answer.split_once('|') {
            Some((word @ "not_integer", name)) => vec![word.to_owned(), name.to_owned()],
            Some(("stale", _)) => answer.splitn(3, '|').map(str::to_owned).collect(),
            _ => return Ok(false),
        };
        self.if_stale(payer, &words).map(|assumed| assumed.is_some())
    }

    /// What is so, if a script says that it was sent something else.
    pub(super) fn if_stale(&self, payer: &Payer, answer: &[String]) -> Result<Option<Assumed>> {
        if let [not_integer, what] = answer
            && not_integer == "not_integer"
        {
            return Err(not_an_integer(what));
        }
        let [stale, now, seen] = answer else { return Ok(None) };
        if stale != "stale" {
            return Ok(None);
        }
        let now = now.parse().map_err(|_| Fault::Unexpected(format!("the server's time is {now:?}")))?;
        if matches!(self.clock, Clock::Own) {
            self.cache.skew.store(now - self.clock.now().0, Ordering::Relaxed);
        }
        let seen = PeriodFields(if seen.is_empty() { PeriodFields::default().0 } else { seen.clone() });
        if let Payer::Account(uid) = payer {
            seen.must_be_readable(&self.names(uid))?;
            self.cache.see(uid, seen.clone());
        }
        Ok(Some(Assumed { now: UnixMicros(now), seen }))
    }

    /// The server's time, by a script that was sent another one; the account's period does not matter to it.
    pub(super) fn server_time(&self, payer: &Payer, answer: &[String]) -> Result<UnixMicros> {
        let [stale, now, _] = answer else { return Ok(self.now()) };
        let if_stale = self.if_stale(payer, &[stale.clone(), now.clone(), PeriodFields::default().0])?;
        Ok(if_stale.map_or_else(|| self.now(), |assumed| assumed.now))
    }

    /// What is so of a payer at the guessed moment.
    pub(super) fn moment(&self, assumed: &Assumed) -> Moment {
        Moment::at(assumed.seen.period().as_ref(), &self.terms.now(), assumed.now)
    }

    /// A stored account as it counts now.
    pub(super) fn in_force(&self, stored: Account) -> Account {
        self.terms.now().in_force(stored, self.now().seconds())
    }

    /// An account from its fields; its period is remembered.
    pub(super) fn noticed(&self, uid: &Uid, fields: HashMap<String, String>) -> Result<Account> {
        let (account, seen) = account_fields::from_fields(uid, &self.names(uid), fields)?;
        self.cache.see(uid, seen);
        Ok(account)
    }
}

impl Cache {
    fn see(&self, uid: &Uid, seen: PeriodFields) {
        let mut periods = self.periods();
        if periods.len() >= KNOWN && !periods.contains_key(uid) {
            periods.clear();
        }
        periods.insert(uid.clone(), seen);
    }

    fn periods(&self) -> MutexGuard<'_, HashMap<Uid, PeriodFields>> {
        self.periods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account or the clock was never as just seen.
pub(super) fn too_many_conflicts() -> Fault {
    Fault::Unavailable(format!("the account or the clock changed {STALE_TRIES} times in a row"))
}
