//! Lookups of callers that the cache does not answer. Those that wait for the one under way go together in the next.

use super::{accounts, api_keys, reader::Readers};
use crate::{
    domain::{
        account::{Account, Uid},
        api_key::KeyHash,
    },
    store::{
        Fault, Result,
        callers::{Caller, Callers, Lookup},
    },
};
use rusqlite::Connection;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::oneshot, task::spawn_blocking};

/// Callers, from the cache or the file. Clones share everything.
#[derive(Clone)]
pub(super) struct Lookups {
    readers: Readers,
    callers: Arc<Callers>,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    asked: Vec<Asked>,
    under_way: bool,
}

enum Asked {
    Key(KeyHash, oneshot::Sender<Result<Caller>>),
    Account(Uid, oneshot::Sender<Result<Option<Account>>>),
}

impl Lookups {
    pub(super) fn new(readers: Readers, callers: Arc<Callers>) -> Self {
        Self { readers, callers, waiting: Arc::default() }
    }

    /// The caller behind a key, as stored.
    pub(super) async fn caller(&self, hash: &KeyHash) -> Result<Caller> {
        if let Some(known) = self.callers.of_key(hash) {
            return Ok(known);
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Key(hash.clone(), reply));
        answer.await.map_err(|_| gone())?
    }

    /// An account, as stored.
    pub(super) async fn account(&self, uid: &Uid) -> Result<Option<Account>> {
        if let Some(known) = self.callers.account(uid) {
            return Ok(Some(known));
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Account(uid.clone(), reply));
        answer.await.map_err(|_| gone())?
    }

    fn ask(&self, asked: Asked) {
        let is_under_way = {
            let mut waiting = self.waiting();
            waiting.asked.push(asked);
            mem::replace(&mut waiting.under_way, true)
        };
        if !is_under_way {
            let task = LookupTask { lookups: self.clone(), is_over: false };
            spawn_blocking(move || task.work_off());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one that sees to what waits. Should it be dropped early, what waits is told so, and the next lookup starts another.
struct LookupTask {
    lookups: Lookups,
    is_over: bool,
}

impl LookupTask {
    fn work_off(mut self) {
        while let Some(mut asked) = self.next() {
            let callers = &self.lookups.callers;
            let lookup = callers.lookup();
            let read = self.lookups.readers.snapshot(|db| {
                for one in asked.drain(..) {
                    one.answer(db, callers, lookup);
                }
                Ok(())
            });
            if let Err(fault) = read {
                for one in asked {
                    one.fail(fault.clone());
                }
            }
        }
    }

    fn next(&mut self) -> Option<Vec<Asked>> {
        let mut waiting = self.lookups.waiting();
        let asked = mem::take(&mut waiting.asked);
        if asked.is_empty() {
            waiting.under_way = false;
            self.is_over = true;
            return None;
        }
        Some(asked)
    }
}

impl Drop for LookupTask {
    fn drop(&mut self) {
        if !self.is_over {
            *self.lookups.waiting() = Waiting::default();
        }
    }
}

impl Asked {
    /// A caller that has gone away has no use for the answer.
    fn answer(self, db: &Connection, callers: &Callers, lookup: Lookup) {
        match self {
            Self::Key(hash, reply) => {
                let found = api_keys::caller(db, &hash);
                if let Ok(caller) = &found {
                    callers.remember(lookup, &hash, caller.as_ref());
                }
                drop(reply.send(found));
            }
            Self::Account(uid, reply) => {
                let found = accounts::find(db, &uid);
                if let Ok(Some(account)) = &found {
                    callers.remember_account(lookup, account);
                }
                drop(reply.send(found));
            }
        }
    }

    fn fail(self, fault: Fault) {
        match self {
            Self::Key(_, reply) => drop(reply.send(Err(fault))),
            Self::Account(_, reply) => drop(reply.send(Err(fault))),
        }
    }
}

fn gone() -> Fault {
    Fault::Unavailable("the lookup was given up".into())
}

#[cfg(test)]
mod tests;
