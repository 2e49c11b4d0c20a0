//! Credits that are lent to known accounts while the store is unavailable, if the operator wants that. They are bounded
//! for each account, written to the journal when they are spent, and counted when the store is available again.
//!
//! A lent credit is free again when it was given back, or when the store has counted it. That the store answers
//! something meanwhile does not free it: a store that is out of memory answers some questions and takes no keep.

use crate::domain::{
    account::{Account, Uid},
    credit::{Charge, Draw, Hold, HoldRequest, OperationId, Payer, Pool},
    plan::Terms,
    time::UnixMicros,
};
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// The credits that are lent, and the accounts that they are lent to.
pub(super) struct Grace {
    credits: u64,
    terms: Terms,
    lent: Mutex<HashMap<Uid, Loans>>,
    total: AtomicU64,
}

/// The operations that an account was lent a credit for, and when the lease of each ends. `None` once the credit is
/// spent: then it stays until the store has counted it.
type Loans = HashMap<OperationId, Option<UnixMicros>>;

impl Grace {
    /// Lends this many credits to each account while the store is unavailable.
    pub(super) fn new(credits: u64, terms: Terms) -> Self {
        Self { credits, terms, lent: Mutex::default(), total: AtomicU64::new(0) }
    }

    /// A hold that the store does not know of; `None` for an account that has borrowed all that it may, or never had
    /// any credits.
    pub(super) fn lend(&self, request: &HoldRequest, account: &Account, now: UnixMicros) -> Option<Hold> {
        let Draw::Account { uid, channel, key } = &request.draw else { return None };
        let pool = match (account.credits, account.prepaid) {
            (1.., _) => Pool::Included,
            (0, 1..) => Pool::Prepaid,
            (0, _) => return None,
        };
        let of_key = key.as_ref().and_then(|key| key.monthly_cap).unwrap_or(u64::MAX);
        let mut all = self.lent();
        let loans = all.entry(uid.clone()).or_default();
        // It was neither kept nor given back in time, so nobody will.
        loans.retain(|_, lease_end| lease_end.is_none_or(|end| now < end));
        let expires = now.plus(request.lease);
        if !loans.contains_key(&request.id) {
            if loans.len() as u64 >= self.credits.min(of_key) {
                return None;
            }
            loans.insert(request.id.clone(), Some(expires));
            self.total.fetch_add(1, Ordering::Relaxed);
        }
        let charge = Charge::Account {
            uid: uid.clone(),
            channel: *channel,
            pool,
            month: now.seconds().month(),
            cycle: self.terms.window(account, now.seconds()).cycle(),
            key: key.as_ref().map(|key| key.id.clone()),
        };
        Some(Hold { id: request.id.clone(), charge, taken: now, expires })
    }

    /// Notes that the operation's picture was served, and is to be counted.
    pub(super) fn spent(&self, id: &OperationId, payer: &Payer) {
        let Payer::Account(uid) = payer else { return };
        if let Some(lease_end) = self.lent().get_mut(uid).and_then(|loans| loans.get_mut(id)) {
            *lease_end = None;
        }
    }

    /// Whether the operation had been lent a credit. It is free again now: given back, or counted by the store.
    pub(super) fn give_back(&self, id: &OperationId, payer: &Payer) -> bool {
        let Payer::Account(uid) = payer else { return false };
        let mut all = self.lent();
        let Some(loans) = all.get_mut(uid) else { return false };
        let lent = loans.remove(id).is_some();
        if loans.is_empty() {
            all.remove(uid);
        }
        lent
    }

    /// Credits lent since the process began.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    fn lent(&self) -> MutexGuard<'_, HashMap<Uid, Loans>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
