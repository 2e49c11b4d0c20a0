//! Holds, keeps and releases of accounts, many in one call of the script `meter`.
//!
//! One call is in flight at a time; operations that come meanwhile go together in the next. So nothing waits for a timer, and
//! the more there is to do, the less each costs. On a Cluster each account has its own calls: of 16,384 slots, two accounts
//! that are busy at once hardly ever share one. An account's operations keep their order.

use super::{
    answers::settled_as,
    common::Common,
    engine::Engine,
    operation::Operation,
    queue::{Batch, Lane, Waiting},
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
    async fn make(&self, batch: Batch) {
        if let Some(journal) = &self.engine.journal {
            journal.begin(batch.operations().filter_map(Operation::kept));
        }
        let made = self.call(&batch).await;
        if batch.len() > 1 {
            failpoint::reach(Point::InBatch);
        }
        match made {
            Err((_, false)) if batch.len() > 1 => {
                for one in batch.alone() {
                    let made = self.call(&one).await;
                    self.answer(one, made);
                }
            }
            made => self.answer(batch, made),
        }
    }

    /// Notes in the journal how operations have ended, before anybody hears of it.
    fn answer(&self, batch: Batch, made: std::result::Result<Vec<String>, (Fault, bool)>) {
        let answers = match made {
            Ok(answers) => answers,
            Err((fault, _)) => return batch.waiting().for_each(|to| drop(to.send(Err(fault.clone())))),
        };
        if let Some(journal) = &self.engine.journal {
            let answered = batch.operations().zip(&answers).filter(|(operation, _)| !operation.is_hold());
            journal.ended(answered.filter_map(|(operation, answer)| {
                Some((operation.id(), Payer::Account(operation.uid().clone()), settled_as(answer).ok()?))
            }));
        }
        batch.waiting().zip(answers).for_each(|(to, answer)| drop(to.send(Ok(answer))));
    }

    /// An answer for each operation; a fault with whether it is the connection's.
    async fn call(&self, batch: &Batch) -> std::result::Result<Vec<String>, (Fault, bool)> {
        let mut answers: Vec<String> = call(&self.engine, batch).run_telling(&self.engine.link).await?;
        let looked_at = answers.pop().unwrap_or_default();
        if answers.len() != batch.len() {
            return Err((Fault::Unexpected("the script meter does not answer every operation".into()), false));
        }
        let records = looked_at.split(' ').map(|records| records.parse().unwrap_or(0));
        self.engine.lanes.learn(&self.lane, batch.accounts().map(|(uid, _)| uid).zip(records));
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

/// A call for operations of some accounts, each account's in their order.
fn call<'a>(engine: &'a Engine, batch: &Batch) -> Call<'a> {
    let mut common = Common::default();
    let has_hold = |some: &[Waiting]| some.iter().any(|waiting| waiting.operation.is_hold());
    let windows = batch.accounts().map(|(uid, some)| has_hold(some).then(|| common.window(engine, uid)));
    let windows: Vec<Option<usize>> = windows.collect();
    let terms: Vec<usize> = batch.operations().map(|operation| common.terms(operation)).collect();
    let call = Call::of(&engine.scripts.meter, batch.accounts().map(|(uid, _)| engine.names(uid)));
    let (mut call, mut terms) = (common.append_to(engine, call.number(engine.now_argument())), terms.into_iter());
    for ((_, some), window) in batch.accounts().zip(windows) {
        call = call.arg(some.len()).number(window);
        call = some.iter().zip(&mut terms).fold(call, |call, (one, terms)| one.operation.append_to(call, terms));
    }
    call
}
