//! Holds, keeps and releases of accounts, many in one call of the script `meter`.
//!
//! One call is in flight at a time; operations that come meanwhile go together in the next. So nothing waits for a timer, and
//! the more there is to do, the less each costs. On a Cluster each account has its own calls, because accounts lie in
//! different slots. An account's operations keep their order.

mod queue;

use super::{
    engine::Engine,
    operation::{self, Operation},
};
use crate::{
    domain::account::Uid,
    failpoint::{self, Point},
    store::{Fault, Result, key_names::KeyStyle, whole::strange},
};
use queue::{Queue, Waiting};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// More open holds than this, looked at one by one, are a load: such an account has calls of its own, and others go in between.
const MANY_RECORDS: usize = 256;

/// What waits for the server.
#[derive(Default)]
pub(super) struct Meter(Mutex<HashMap<Lane, Queue>>);

/// What one call at a time is made for: the whole server, or one account on a Cluster.
type Lane = Option<Uid>;

/// Ends a lane, whatever becomes of its task: operations that still wait are answered then.
struct Driver {
    engine: Engine,
    lane: Lane,
    /// Nothing waits any more: the lane is gone, or another task's.
    is_done: bool,
}

/// Makes an operation; gives the script's answer.
pub(super) async fn ask(engine: &Engine, operation: Operation) -> Result<String> {
    let lane = match engine.style {
        KeyStyle::Plain => None,
        KeyStyle::Hashtag => Some(operation.uid().clone()),
    };
    let (to, answer) = oneshot::channel();
    let is_first = {
        let mut lanes = engine.meter.lanes();
        let is_first = !lanes.contains_key(&lane);
        lanes.entry(lane.clone()).or_default().push(Waiting { operation, to });
        is_first
    };
    if is_first {
        let driver = Driver { engine: engine.clone(), lane, is_done: false };
        tokio::spawn(driver.drive());
    }
    answer.await.unwrap_or_else(|_| Err(Fault::Unavailable("the operation was given up".into()))).and_then(read)
}

/// What the operation's own data is to blame for is its fault.
fn read(answer: String) -> Result<String> {
    match answer.split_once('|') {
        Some(("unexpected", key)) => {
            Err(Fault::Unexpected(format!("{key} is of another type than ours: nothing can be counted there")))
        }
        Some(("not_integer", name)) => Err(strange(name)),
        _ => Ok(answer),
    }
}

impl Meter {
    fn lanes(&self) -> MutexGuard<'_, HashMap<Lane, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes in the next call; the lane ends where nothing waits.
    fn next(&self, lane: &Lane) -> Option<Vec<Vec<Waiting>>> {
        let mut lanes = self.lanes();
        let batch = lanes.get_mut(lane)?.next();
        if batch.is_empty() {
            lanes.remove(lane);
            return None;
        }
        Some(batch)
    }

    /// Remembers which accounts are a load.
    fn learn(&self, lane: &Lane, costs: impl Iterator<Item = (Uid, usize)>) {
        let mut lanes = self.lanes();
        let Some(queue) = lanes.get_mut(lane) else { return };
        costs.for_each(|(uid, records)| queue.learn(uid, records > MANY_RECORDS));
    }
}

impl Driver {
    async fn drive(mut self) {
        while let Some(batch) = self.engine.meter.next(&self.lane) {
            self.make(batch).await;
        }
        self.is_done = true;
    }

    /// Makes one call. A fault of the connection's is the answer to all of its operations: each may be done or not, and is
    /// repeated under its own id by whoever waits. After any other fault each is made alone.
    async fn make(&self, batch: Vec<Vec<Waiting>>) {
        let (accounts, answers): (Vec<Vec<Operation>>, Vec<Vec<_>>) =
            batch.into_iter().map(|account| account.into_iter().map(|one| (one.operation, one.to)).unzip()).unzip();
        let mut answers = answers.into_iter().flatten();
        let made = self.call(&accounts).await;
        if accounts.iter().flatten().count() > 1 {
            failpoint::reach(Point::InBatch);
        }
        match made {
            Ok(given) => answers.zip(given).for_each(|(to, answer)| drop(to.send(Ok(answer)))),
            Err((fault, is_of_connection)) if is_of_connection || accounts.iter().flatten().count() == 1 => {
                answers.for_each(|to| drop(to.send(Err(fault.clone()))));
            }
            Err(_) => {
                for operation in accounts.into_iter().flatten() {
                    let alone = self.call(&[vec![operation]]).await;
                    let answer = alone
                        .map_err(|(fault, _)| fault)
                        .and_then(|given| given.into_iter().next().ok_or_else(too_few));
                    let Some(to) = answers.next() else { return };
                    drop(to.send(answer));
                }
            }
        }
    }

    /// An answer for each operation; a fault with whether it is the connection's.
    async fn call(&self, accounts: &[Vec<Operation>]) -> std::result::Result<Vec<String>, (Fault, bool)> {
        let call = operation::call(&self.engine, accounts);
        let mut answers: Vec<String> = call.run_telling(&self.engine.link).await?;
        let operations = accounts.iter().flatten().count();
        if answers.len() != operations + accounts.len() {
            return Err((too_few(), false));
        }
        let records = answers.split_off(operations).into_iter().map(|records| records.parse().unwrap_or(0));
        let uids = accounts.iter().filter_map(|account| Some(account.first()?.uid().clone()));
        self.engine.meter.learn(&self.lane, uids.zip(records));
        Ok(answers)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.is_done {
            self.engine.meter.lanes().remove(&self.lane);
        }
    }
}

fn too_few() -> Fault {
    Fault::Unexpected("the script meter does not answer every operation".into())
}
