//! What waits for the next call: by account, so that a busy one leaves room for others.

use super::operation::Operation;
use crate::{domain::account::Uid, store::Result, telemetry::BatchSizes};
use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
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
        match self.lock().entry(lane.clone()) {
            Entry::Occupied(queue) => {
                queue.into_mut().push(waiting);
                false
            }
            Entry::Vacant(free) => {
                free.insert(Queue::default()).push(waiting);
                true
            }
        }
    }

    /// What goes in the next call; the lane ends where nothing waits.
    pub(super) fn next(&self, lane: &Lane) -> Option<Batch> {
        let mut lanes = self.lock();
        let batch = lanes.get_mut(lane)?.next();
        if batch.len() == 0 {
            lanes.remove(lane);
            return None;
        }
        drop(lanes);
        if let Some(batches) = self.batches.get() {
            batches.observe(batch.len());
        }
        Some(batch)
    }

    /// Remembers which accounts are a load, by how many of their open holds were looked at.
    pub(super) fn learn<'a>(&self, lane: &Lane, costs: impl Iterator<Item = (&'a Uid, usize)>) {
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

/// What goes in one call: each account's operations in their order.
pub(super) struct Batch(Vec<Vec<Waiting>>);

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    pub(super) fn accounts(&self) -> impl ExactSizeIterator<Item = (&Uid, &[Waiting])> {
        // None is without an operation.
        self.0.iter().map(|some| (some[0].operation.uid(), some.as_slice()))
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.0.iter().flatten().map(|waiting| &waiting.operation)
    }

    /// Who waits for the answers.
    pub(super) fn waiting(self) -> impl Iterator<Item = oneshot::Sender<Result<String>>> {
        self.0.into_iter().flatten().map(|waiting| waiting.to)
    }

    /// Each operation by itself.
    pub(super) fn alone(self) -> impl Iterator<Item = Self> {
        self.0.into_iter().flatten().map(|waiting| Self(vec![vec![waiting]]))
    }

    /// Adds operations of an account after those that are there.
    fn add(&mut self, uid: &Uid, some: Vec<Waiting>) {
        match self.0.iter_mut().find(|of_account| of_account[0].operation.uid() == uid) {
            Some(of_account) => of_account.extend(some),
            None if some.is_empty() => {}
            None => self.0.push(some),
        }
    }
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
    fn learn(&mut self, uid: &Uid, is_load: bool) {
        if !is_load {
            self.loads.remove(uid);
            return;
        }
        if self.loads.len() >= LOADS {
            self.loads.clear();
        }
        self.loads.insert(uid.clone());
    }

    /// What goes in the next call. Nothing where nothing waits.
    fn next(&mut self) -> Batch {
        let mut batch = Batch(Vec::new());
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
            let is_alone = is_load || self.turns.is_empty();
            let most = OPERATIONS - operations;
            let some = self.take(&uid, if is_alone { most } else { most.min(AT_ONCE) });
            operations += some.len();
            bytes += some.iter().map(|waiting| waiting.operation.size()).sum::<usize>();
            batch.add(&uid, some);
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
        let mut some: Vec<Waiting> = if of_account.len() > most {
            self.turns.push_back(uid.clone());
            of_account.drain(..most).collect()
        } else {
            self.accounts.remove(uid).unwrap_or_default().into()
        };
        some.retain(|waiting| !(waiting.operation.is_hold() && waiting.to.is_closed()));
        some
    }
}

#[cfg(test)]
mod tests;
