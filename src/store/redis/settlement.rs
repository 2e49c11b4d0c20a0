//! `keep` and `release`

use super::{accounts, answers::settled_as, clients, engine::Engine, meter, operation::Operation};
use crate::{
    domain::credit::{Charge, Hold, Kept, OperationId, Payer, Settlement},
    store::{Result, closing::is_closed},
};

pub(super) async fn keep(engine: &Engine, hold: &Hold) -> Result<Kept> {
    let Charge::Account { uid, month, .. } = &hold.charge else { return clients::keep(engine, hold).await };
    let answer = meter::ask(engine, Operation::Keep { hold: hold.clone(), uid: uid.clone() }).await?;
    if answer == "no_account" {
        return Err(accounts::nobody(uid));
    }
    if answer == "closed" {
        return Err(is_closed(uid, *month));
    }
    Ok(Kept { settlement: settled_as(&answer)? })
}

pub(super) async fn release(engine: &Engine, id: &OperationId, payer: &Payer) -> Result<Settlement> {
    let Payer::Account(uid) = payer else { return clients::release(engine, id, payer).await };
    settled_as(&meter::ask(engine, Operation::Release { id: id.clone(), uid: uid.clone() }).await?)
}
