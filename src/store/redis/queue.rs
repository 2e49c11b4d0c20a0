//! What waits for the next call: by account, so that a busy one leaves room for others.

use super::operation::Operation;
use crate::{domain::account::Uid, store::Result, telemetry::BatchSizes};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::sync::oneshot;

/// The most operations that go in one call, and their bytes, give or take what each has in common.
const OPERATIONS: usize = 64;
const BYTES: usize = 64 * 1024;

/// Operations that one account may have in a call before it is another's turn.
const AT_ONCE: usize = 16;

/// Accounts that are remembered as a load; beyond that, all are forgotten, which costs a call for each.
const LOADS: usize = 10_000;

/// More open holds than this, looked at one by one, are a load: such an account has calls of its own, and others go in between.
const MANY_RECORDS: usize = 256;

/// What waits for the server.
#[derive(Default)]
pub(super) struct Lanes {
    all: Mutex<HashMap<Lane, Queue>>,
    /// Observes how many operations go in one call.
    batches: OnceLock<BatchSizes>,
}

/// What one call at a time is made for: the whole server, or one account on a Cluster.
pub(super) type Lane = Option<Uid>;

impl Lanes {
    /// Observes from now on how many operations go in one call.
    pub(super) fn observe(&self, batches: BatchSizes) {
        // Only the first one counts, and there is only one.
        drop(self.batches.set(batches));
    }

    /// Whether it is the first that waits there, so that somebody must begin to make calls.
    pub(super) fn push(&self, lane: &Lane, waiting: Waiting) -> bool {
        let mut lanes = self.lock();
        let is_first = !lanes.contains_key(lane);
        lanes.entry(lane.clone()).or_default().push(waiting);
        is_first
    }

    /// What goes in the next call; the lane ends where nothing waits.
    pub(super) fn next(&self, lane: &Lane) -> Option<Vec<Vec<Waiting>>> {
        let mut lanes = self.lock();
        let batch = lanes.get_mut(lane)?.next();
        if batch.is_empty() {
            lanes.remove(lane);
            return None;
        }
        drop(lanes);
        if let Some(batches) = self.batches.get() {
            batches.observe(batch.iter().map(Vec::len).sum());
        }
        Some(batch)
    }

    /// Remembers which accounts are a load, by how many of their open holds were looked at.
    pub(super) fn learn(&self, lane: &Lane, costs: impl Iterator<Item = (Uid, usize)>) {
        let mut lanes = self.lock();
        let Some(queue) = lanes.get_mut(lane) else { return };
        costs.for_each(|(uid, records)| queue.learn(uid, records > MANY_RECORDS));
    }

    /// Ends a lane, whatever waits there.
    pub(super) fn end(&self, lane: &Lane) {
        self.lock().remove(lane);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Lane, Queue>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation, and who waits for its answer.
pub(super) struct Waiting {
    pub(super) operation: Operation,
    pub(super) to: oneshot::Sender<Result<String>>,
}

/// Operations by account, and the accounts in the order of their turns.
#[derive(Default)]
struct Queue {
    accounts: HashMap<Uid, VecDeque<Waiting>>,
    turns: VecDeque<Uid>,
    loads: HashSet<Uid>,
}

impl Queue {
    fn push(&mut self, waiting: Waiting) {
        let uid = waiting.operation.uid().clone();
        let of_account = self.accounts.entry(uid.clone()).or_default();
        if of_account.is_empty() {
            self.turns.push_back(uid);
        }
        of_account.push_back(waiting);
    }

    /// Notes whether an account is a load: then it has calls of its own, and others go in between.
    fn learn(&mut self, uid: Uid, is_load: bool) {
        if !is_load {
            self.loads.remove(&uid);
            return;
        }
        if self.loads.len() >= LOADS {
            self.loads.clear();
        }
        self.loads.insert(uid);
    }

    /// What goes in the next call: each account's operations in their order. Nothing where nothing waits.
    fn next(&mut self) -> Vec<Vec<Waiting>> {
        let mut batch: Vec<Vec<Waiting>> = Vec::new();
        let (mut operations, mut bytes) = (0, 0);
        while operations < OPERATIONS
            && bytes < BYTES
            && let Some(uid) = self.turns.pop_front()
        {
            let is_load = self.loads.contains(&uid);
            if is_load && operations > 0 {
                self.turns.push_front(uid);
                break;
            }
            let some = self.take(&uid, if is_load { OPERATIONS } else { AT_ONCE.min(OPERATIONS - operations) });
            operations += some.len();
            bytes += some.iter().map(|waiting| waiting.operation.size()).sum::<usize>();
            match batch.iter_mut().find(|of| of.first().is_some_and(|first| *first.operation.uid() == uid)) {
                Some(of_account) => of_account.extend(some),
                None if some.is_empty() => {}
                None => batch.push(some),
            }
            if is_load && operations > 0 {
                break;
            }
        }
        batch
    }

    /// The first operations of an account; where more wait, it has another turn after all others. A hold that nobody waits for
    /// any more is not taken: its release follows.
    fn take(&mut self, uid: &Uid, most: usize) -> Vec<Waiting> {
        let Some(of_account) = self.accounts.get_mut(uid) else { return Vec::new() };
        let mut some = Vec::with_capacity(of_account.len().min(most));
        while some.len() < most
            && let Some(waiting) = of_account.pop_front()
        {
            if !(waiting.operation.is_hold() && waiting.to.is_closed()) {
                some.push(waiting);
            }
        }
        if of_account.is_empty() {
            self.accounts.remove(uid);
        } else {
            self.turns.push_back(uid.clone());
        }
        some
    }
}

#[cfg(test)]
mod tests;
