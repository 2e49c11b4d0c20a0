//! Credits that are lent to known accounts while the store is away, if the operator wants that: bounded for each account,
//! written to the journal when they are spent, counted when the store is back.

use crate::domain::{
    caller::{Account, Uid},
    credit::{Charge, Draw, Hold, HoldRequest, OperationId, Pool},
    plan::Terms,
    time::UnixMicros,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What is lent, and to whom.
pub(super) struct Grace {
    credits: u64,
    terms: Terms,
    /// The operations that each account was lent a credit for and has not given back.
    lent: Mutex<HashMap<Uid, HashSet<OperationId>>>,
    total: AtomicU64,
}

impl Grace {
    /// So many credits for each account while the store is away.
    pub(super) fn new(credits: u64, terms: Terms) -> Self {
        Self { credits, terms, lent: Mutex::default(), total: AtomicU64::new(0) }
    }

    /// A hold that the store does not know of; `None` for who has had as many as there are, or never had any credits.
    pub(super) fn lend(&self, request: &HoldRequest, account: &Account, now: UnixMicros) -> Option<Hold> {
        let Draw::Account { uid, channel, key } = &request.draw else { return None };
        let pool = match (account.credits, account.prepaid) {
            (1.., _) => Pool::Included,
            (0, 1..) => Pool::Prepaid,
            (0, _) => return None,
        };
        let of_key = key.as_ref().and_then(|key| key.monthly_cap).unwrap_or(u64::MAX);
        let mut all = self.lent();
        let lent = all.entry(uid.clone()).or_default();
        if !lent.contains(&request.id) {
            if lent.len() as u64 >= self.credits.min(of_key) {
                return None;
            }
            lent.insert(request.id.clone());
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
        Some(Hold { id: request.id.clone(), charge, taken: now, expires: now.plus(request.lease) })
    }

    /// Whether the operation had been lent a credit, which is free again.
    pub(super) fn give_back(&self, id: &OperationId) -> bool {
        self.lent().values_mut().any(|lent| lent.remove(id))
    }

    /// The store is back and knows of everything that was spent.
    pub(super) fn is_over(&self) {
        self.lent().clear();
    }

    /// Credits lent since the process began.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    fn lent(&self) -> MutexGuard<'_, HashMap<Uid, HashSet<OperationId>>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
