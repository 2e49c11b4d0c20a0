//! Holds, keeps and releases of accounts, many in one call of the script `meter`.
//!
//! One call is in flight at a time; operations that come meanwhile go together in the next. So nothing waits for a timer, and
//! the more there is to do, the less each costs. On a Cluster each account has its own calls, because accounts lie in
//! different slots. An account's operations keep their order.

use super::{
    answers::settled_as,
    common::Common,
    engine::Engine,
    operation::Operation,
    queue::{Lane, Waiting},
    scripts::Call,
};
use crate::{
    domain::credit::Payer,
    failpoint::{self, Point},
    store::{Fault, Result, key_names::KeyStyle, whole::not_an_integer},
};
use tokio::sync::oneshot;

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
    if engine.lanes.push(&lane, Waiting { operation, to }) {
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
        Some(("not_integer", name)) => Err(not_an_integer(name)),
        _ => Ok(answer),
    }
}

impl Driver {
    async fn drive(mut self) {
        while let Some(batch) = self.engine.lanes.next(&self.lane) {
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
        if let Some(journal) = &self.engine.journal {
            journal.begin(accounts.iter().flatten().filter_map(Operation::kept));
        }
        let made = self.call(&accounts).await;
        if accounts.iter().flatten().count() > 1 {
            failpoint::reach(Point::InBatch);
        }
        match made {
            Ok(given) => {
                self.note_ends(accounts.iter().flatten().zip(&given));
                answers.zip(given).for_each(|(to, answer)| drop(to.send(Ok(answer))));
            }
            Err((fault, is_of_connection)) if is_of_connection || accounts.iter().flatten().count() == 1 => {
                answers.for_each(|to| drop(to.send(Err(fault.clone()))));
            }
            Err(_) => {
                for operation in accounts.into_iter().flatten() {
                    let alone = self.call(&[vec![operation.clone()]]).await;
                    let answer = alone
                        .map_err(|(fault, _)| fault)
                        .and_then(|given| given.into_iter().next().ok_or_else(too_few));
                    self.note_ends(answer.iter().map(|answer| (&operation, answer)));
                    let Some(to) = answers.next() else { return };
                    drop(to.send(answer));
                }
            }
        }
    }

    /// Notes in the journal how operations have ended, before anybody hears of it.
    fn note_ends<'a>(&self, answered: impl Iterator<Item = (&'a Operation, &'a String)>) {
        let Some(journal) = &self.engine.journal else { return };
        journal.ended(answered.filter(|(operation, _)| !operation.is_hold()).filter_map(|(operation, answer)| {
            Some((operation.id(), Payer::Account(operation.uid().clone()), settled_as(answer).ok()?))
        }));
    }

    /// An answer for each operation; a fault with whether it is the connection's.
    async fn call(&self, accounts: &[Vec<Operation>]) -> std::result::Result<Vec<String>, (Fault, bool)> {
        let call = call(&self.engine, accounts);
        let mut answers: Vec<String> = call.run_telling(&self.engine.link).await?;
        let operations = accounts.iter().flatten().count();
        let looked_at = answers.pop().unwrap_or_default();
        if answers.len() != operations {
            return Err((too_few(), false));
        }
        let records = looked_at.split(' ').map(|records| records.parse().unwrap_or(0));
        let uids = accounts.iter().filter_map(|account| Some(account.first()?.uid().clone()));
        self.engine.lanes.learn(&self.lane, uids.zip(records));
        Ok(answers)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.is_done {
            self.engine.lanes.end(&self.lane);
        }
    }
}

fn too_few() -> Fault {
    Fault::Unexpected("the script meter does not answer every operation".into())
}

/// A call for operations of some accounts, each account's in their order.
fn call<'a>(engine: &'a Engine, accounts: &[Vec<Operation>]) -> Call<'a> {
    let (mut call, mut common) = (Call::of(&engine.scripts.meter), Common::default());
    let some = || accounts.iter().filter_map(|operations| Some((operations.first()?.uid(), operations)));
    let (mut windows, mut terms) = (Vec::with_capacity(accounts.len()), Vec::new());
    for (uid, operations) in some() {
        call = call.key(engine.names(uid).own());
        windows.push(operations.iter().any(Operation::is_hold).then(|| common.window(engine, uid)));
        terms.extend(operations.iter().map(|operation| common.terms(operation)));
    }
    call = common.append_to(engine, call.arg(engine.now_argument()));
    let mut terms = terms.into_iter();
    for ((_, operations), window) in some().zip(windows) {
        call = call.arg(operations.len()).arg(window.map_or(String::new(), |place| place.to_string()));
        call =
            operations.iter().zip(&mut terms).fold(call, |call, (operation, terms)| operation.append_to(call, terms));
    }
    call
}
