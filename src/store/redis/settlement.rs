//! `keep` and `release`

use super::{
    accounts, clients,
    engine::Engine,
    meter,
    operation::{Ended, Operation},
};
use crate::{
    domain::credit::{Charge, Hold, Kept, OperationId, Payer, Settlement},
    store::{Fault, Result},
};

pub(super) async fn keep(engine: &Engine, hold: &Hold) -> Result<Kept> {
    let Charge::Account { uid, .. } = &hold.charge else { return clients::keep(engine, hold).await };
    let answer = meter::ask(engine, Operation::Keep { hold: hold.clone(), uid: uid.clone() }).await?;
    if answer == "no_account" {
        return Err(accounts::nobody(uid));
    }
    Ok(Kept { settlement: settled_as(&answer)? })
}

pub(super) async fn release(engine: &Engine, id: &OperationId, payer: &Payer) -> Result<Settlement> {
    let Payer::Account(uid) = payer else { return clients::release(engine, id, payer).await };
    settled_as(&meter::ask(engine, Operation::Release { id: id.clone(), uid: uid.clone() }).await?)
}

pub(super) fn settled_as(text: &str) -> Result<Settlement> {
    let ends = [Ended::Kept, Ended::Released].into_iter().find(|ended| ended.as_str() == text);
    ends.map(Ended::settlement).ok_or_else(|| Fault::Unexpected(format!("an operation ended as {text:?}")))
}
