//! Callers by their key, remembered for some seconds: a picture should not cost a look-up.
//!
//! What changes is told to every gateway by publish and subscribe, so that revoking a key works within a second; what is
//! not heard is believed for 30 seconds at the most.

use super::{dial::Dialer, link::Link};
use crate::{
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash},
    },
    store::key_names,
};
use futures_util::StreamExt as _;
use redis::RedisResult;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a caller is believed to be what it was.
const BELIEVED: Duration = Duration::from_secs(30);

/// Callers remembered; beyond that, all are forgotten.
const CALLERS: usize = 100_000;

/// Between two attempts to hear what changes.
const PAUSE: Duration = Duration::from_millis(250);

/// Callers by the hash of their key.
#[derive(Default)]
pub(super) struct Callers(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    /// Goes up with everything that is forgotten.
    generation: u64,
    /// Goes up when changes may have gone unheard: what was remembered before is only what was last known.
    epoch: u64,
    by_hash: HashMap<KeyHash, Entry>,
    accounts: HashMap<Uid, Account>,
}

struct Entry {
    since: Instant,
    epoch: u64,
    caller: (ApiKey, Account),
}

impl Callers {
    pub(super) fn of_key(&self, hash: &KeyHash, now: Instant) -> Option<(ApiKey, Account)> {
        let remembered = self.lock();
        let entry = remembered.by_hash.get(hash)?;
        let believed = entry.epoch == remembered.epoch && now.duration_since(entry.since) < BELIEVED;
        believed.then(|| entry.caller.clone())
    }

    /// Who it was when changes were last heard of; for while the store is away.
    pub(super) fn last_known(&self, hash: &KeyHash) -> Option<(ApiKey, Account)> {
        self.lock().by_hash.get(hash).map(|entry| entry.caller.clone())
    }

    /// The same for an account.
    pub(super) fn last_known_account(&self, uid: &Uid) -> Option<Account> {
        self.lock().accounts.get(uid).cloned()
    }

    /// To be asked before a look-up whose answer is to be remembered.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Remembers a caller, unless something was forgotten since `generation`: it might have been this one.
    pub(super) fn remember(&self, (generation, now): (u64, Instant), hash: &KeyHash, caller: &(ApiKey, Account)) {
        let mut remembered = self.lock();
        if remembered.generation != generation {
            return;
        }
        if remembered.by_hash.len() >= CALLERS {
            remembered.by_hash.clear();
        }
        let entry = Entry { since: now, epoch: remembered.epoch, caller: caller.clone() };
        remembered.by_hash.insert(hash.clone(), entry);
        remembered.know(&caller.1);
    }

    /// Remembers an account, in the same way.
    pub(super) fn remember_account(&self, generation: u64, account: &Account) {
        let mut remembered = self.lock();
        if remembered.generation == generation {
            remembered.know(account);
        }
    }

    pub(super) fn forget_account(&self, uid: &Uid) {
        let mut remembered = self.lock();
        remembered.accounts.remove(uid);
        remembered.forget(|_, account| account.uid == *uid);
    }

    pub(super) fn forget_key(&self, hash: &KeyHash) {
        self.lock().forget(|of, _| of == hash);
    }

    fn forget_all(&self) {
        let mut remembered = self.lock();
        remembered.accounts.clear();
        remembered.forget(|_, _| true);
    }

    fn doubt_all(&self) {
        let mut remembered = self.lock();
        remembered.generation += 1;
        remembered.epoch += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears what changes, for ever.
    pub(super) async fn listen(self: Arc<Self>, link: Link) {
        loop {
            // Whether it ended well or badly, it has ended: something may go unheard now.
            drop(self.hear(link.dialer()).await);
            self.doubt_all();
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn hear(&self, dialer: &Dialer) -> RedisResult<()> {
        let mut heard = dialer.listen().await?;
        heard.subscribe(key_names::CHANGES).await?;
        self.forget_all();
        let mut messages = heard.into_on_message();
        while let Some(message) = messages.next().await {
            let text: String = message.get_payload()?;
            match text.split_once(' ') {
                Some(("key", hash)) => self.forget_key(&KeyHash(hash.into())),
                Some(("account", uid)) if let Ok(uid) = Uid::new(uid) => self.forget_account(&uid),
                _ => self.forget_all(),
            }
        }
        Ok(())
    }
}

impl Remembered {
    fn know(&mut self, account: &Account) {
        if self.accounts.len() >= CALLERS {
            self.accounts.clear();
        }
        self.accounts.insert(account.uid.clone(), account.clone());
    }

    fn forget(&mut self, which: impl Fn(&KeyHash, &Account) -> bool) {
        self.generation += 1;
        self.by_hash.retain(|hash, entry| !which(hash, &entry.caller.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{account::Overrides, api_key::KeyId, time::UnixSeconds};

    fn caller() -> (KeyHash, (ApiKey, Account)) {
        let uid = Uid::new("42").unwrap();
        let key = ApiKey {
            id: KeyId("k1".into()),
            uid: uid.clone(),
            name: String::new(),
            hint: String::new(),
            created: UnixSeconds(0),
            expires: None,
            revoked: None,
            networks: Vec::new(),
            monthly_cap: None,
        };
        let account = Account {
            uid,
            membership: String::new(),
            credits: 1,
            prepaid: 0,
            email_verified: true,
            overrides: Overrides::default(),
            billing_period: None,
        };
        (KeyHash("h".into()), (key, account))
    }

    #[test]
    fn a_look_up_that_was_under_way_cannot_bring_a_revoked_key_back() {
        let (callers, now) = (Callers::default(), Instant::now());
        let (hash, caller) = caller();
        let generation = callers.generation();
        callers.forget_key(&hash);
        callers.remember((generation, now), &hash, &caller);
        assert_eq!(callers.of_key(&hash, now), None);
        callers.remember((callers.generation(), now), &hash, &caller);
        assert_eq!(callers.of_key(&hash, now), Some(caller));
    }

    #[test]
    fn a_caller_is_believed_for_half_a_minute_at_the_most() {
        let (callers, now) = (Callers::default(), Instant::now());
        let (hash, caller) = caller();
        callers.remember((callers.generation(), now), &hash, &caller);
        assert!(callers.of_key(&hash, now + BELIEVED - Duration::from_millis(1)).is_some());
        assert_eq!(callers.of_key(&hash, now + BELIEVED), None);
    }

    #[test]
    fn what_may_be_out_of_date_is_not_believed_but_last_known() {
        let (callers, now) = (Callers::default(), Instant::now());
        let (hash, caller) = caller();
        callers.remember((0, now), &hash, &caller);
        callers.doubt_all();
        assert_eq!(callers.of_key(&hash, now), None);
        assert_eq!(callers.last_known(&hash), Some(caller.clone()));
        assert_eq!(callers.last_known_account(&caller.1.uid), Some(caller.1));
        callers.forget_key(&hash);
        assert_eq!(callers.last_known(&hash), None);
    }

    #[test]
    fn a_changed_account_is_forgotten_with_all_its_keys_and_no_other() {
        let (callers, now) = (Callers::default(), Instant::now());
        let (hash, caller) = caller();
        callers.remember((0, now), &hash, &caller);
        callers.forget_account(&Uid::new("43").unwrap());
        assert!(callers.of_key(&hash, now).is_some());
        callers.forget_account(&caller.1.uid);
        assert_eq!(callers.of_key(&hash, now), None);
    }
}
