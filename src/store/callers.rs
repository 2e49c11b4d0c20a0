//! Callers as they were last read: a picture should not cost a lookup. Both engines have this cache.
//!
//! An engine removes the entries that have changed, and confirms up to which moment it knows of every change. Without such
//! news for [`CONFIRMED_FOR`] no entry is believed. So a change counts within a second, wherever it was made.

use crate::domain::{
    account::{Account, Uid},
    api_key::{ApiKey, KeyHash},
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long an engine's word that nothing else has changed holds.
pub(super) const CONFIRMED_FOR: Duration = Duration::from_millis(750);

/// How long an entry is believed at the most: other software may write to a store without telling the gateways.
const BELIEVED_FOR: Duration = Duration::from_secs(30);

/// How long a key that opens nothing is remembered, from the moment when the lookup began.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);

/// Keys remembered, and accounts; beyond that, all are forgotten.
const MOST: usize = 100_000;

/// Unknown keys remembered. They are apart, so that guessed keys displace no real ones.
const MOST_UNKNOWN: usize = 10_000;

/// A key with the account that it opens; `None` for a hash that belongs to no key.
pub(super) type Caller = Option<(ApiKey, Account)>;

/// Callers by the hash of their key, and accounts by their id.
#[derive(Default)]
pub(super) struct Callers(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Goes up with everything that is forgotten.
    generation: u64,
    /// Up to when every change is known of; `None` while changes may go unheard.
    confirmed: Option<Instant>,
    keys: HashMap<KeyHash, Entry<ApiKey>>,
    accounts: HashMap<Uid, Entry<Account>>,
    unknown: HashMap<KeyHash, Instant>,
}

struct Entry<T> {
    since: Instant,
    value: T,
}

/// A lookup under way. What it finds is remembered unless something was forgotten meanwhile: it might have been this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup {
    generation: u64,
    begun: Instant,
}

impl Callers {
    /// What is remembered of a key: its caller, or that it opens nothing. `None` if the store must be asked.
    pub(super) fn of_key(&self, hash: &KeyHash) -> Option<Caller> {
        let (now, remembered) = (Instant::now(), self.lock());
        if !remembered.is_confirmed(now) {
            return None;
        }
        if let Some(key) = remembered.keys.get(hash).and_then(|key| key.at(now)) {
            let account = remembered.accounts.get(&key.uid)?.at(now)?;
            return Some(Some((key.clone(), account.clone())));
        }
        let unknown = remembered.unknown.get(hash)?;
        (now.duration_since(*unknown) < UNKNOWN_FOR).then_some(None)
    }

    /// The account behind an id. `None` if the store must be asked.
    pub(super) fn account(&self, uid: &Uid) -> Option<Account> {
        let (now, remembered) = (Instant::now(), self.lock());
        if !remembered.is_confirmed(now) {
            return None;
        }
        remembered.accounts.get(uid)?.at(now).cloned()
    }

    /// Whether anything that is remembered is believed.
    pub(super) fn is_confirmed(&self) -> bool {
        self.lock().is_confirmed(Instant::now())
    }

    /// To be called before the store is asked for what is to be remembered.
    pub(super) fn lookup(&self) -> Lookup {
        Lookup { begun: Instant::now(), generation: self.lock().generation }
    }

    /// Remembers what a lookup has found behind a key.
    pub(super) fn remember(&self, lookup: Lookup, hash: &KeyHash, caller: Option<&(ApiKey, Account)>) {
        let mut remembered = self.lock();
        if remembered.generation != lookup.generation {
            return;
        }
        match caller {
            Some((key, account)) => {
                put(&mut remembered.keys, MOST, hash, Entry { since: lookup.begun, value: key.clone() });
                remembered.know(lookup, account);
            }
            None => put(&mut remembered.unknown, MOST_UNKNOWN, hash, lookup.begun),
        }
    }

    /// Remembers an account that a lookup has found.
    pub(super) fn remember_account(&self, lookup: Lookup, account: &Account) {
        let mut remembered = self.lock();
        if remembered.generation == lookup.generation {
            remembered.know(lookup, account);
        }
    }

    /// An account has changed.
    pub(super) fn forget_account(&self, uid: &Uid) {
        let mut remembered = self.lock();
        remembered.generation += 1;
        remembered.accounts.remove(uid);
    }

    /// A key has changed, or is new.
    pub(super) fn forget_key(&self, hash: &KeyHash) {
        let mut remembered = self.lock();
        remembered.generation += 1;
        remembered.keys.remove(hash);
        remembered.unknown.remove(hash);
    }

    /// Something has changed.
    pub(super) fn forget_all(&self) {
        let mut remembered = self.lock();
        *remembered = Remembered {
            generation: remembered.generation + 1,
            confirmed: remembered.confirmed,
            ..Remembered::default()
        };
    }

    /// Every change up to this moment has been forgotten here.
    pub(super) fn confirm(&self, until: Instant) {
        let mut remembered = self.lock();
        remembered.confirmed = remembered.confirmed.max(Some(until));
    }

    /// Changes may go unheard from now on: nothing is believed until the next [`confirm`](Self::confirm).
    pub(super) fn doubt_all(&self) {
        let mut remembered = self.lock();
        remembered.generation += 1;
        remembered.confirmed = None;
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn is_confirmed(&self, now: Instant) -> bool {
        self.confirmed.is_some_and(|until| now.duration_since(until) < CONFIRMED_FOR)
    }

    fn know(&mut self, lookup: Lookup, account: &Account) {
        let entry = Entry { since: lookup.begun, value: account.clone() };
        put(&mut self.accounts, MOST, &account.uid, entry);
    }
}

impl<T> Entry<T> {
    fn at(&self, now: Instant) -> Option<&T> {
        (now.duration_since(self.since) < BELIEVED_FOR).then_some(&self.value)
    }
}

fn put<K: Clone + Eq + Hash, V>(entries: &mut HashMap<K, V>, most: usize, key: &K, value: V) {
    if entries.len() >= most && !entries.contains_key(key) {
        entries.clear();
    }
    entries.insert(key.clone(), value);
}

#[cfg(test)]
mod tests;
