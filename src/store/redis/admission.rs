//! `hold`

use super::{
    answers::admission,
    clients,
    engine::{Engine, STALE_TRIES, too_many_conflicts},
    meter,
    operation::{Operation, day_of},
    record,
    scripts::Call,
};
use crate::{
    domain::credit::{Admission, Charge, Draw, Hold, HoldRequest},
    store::Result,
};

pub(super) async fn hold(engine: &Engine, request: &HoldRequest) -> Result<Admission> {
    let Draw::Account { uid, .. } = &request.draw else { return clients::hold(engine, request).await };
    let operation = Operation::Hold { request: request.clone(), uid: uid.clone() };
    for _ in 0..STALE_TRIES {
        let answer = meter::ask(engine, operation.clone()).await?;
        if !engine.learns_from(&request.draw.payer(), &answer)? {
            return admission(request, &answer);
        }
    }
    Err(too_many_conflicts())
}

/// Writes a hold again that the server has lost, unless it has been settled or has ended.
pub(super) async fn restore(engine: &Engine, hold: &Hold) -> Result<()> {
    let Charge::Account { uid, .. } = &hold.charge else { return clients::restore(engine, hold).await };
    let call = Call::of(&engine.scripts.restore, [engine.names(uid).own()]).number(engine.now_argument());
    call.arg(&hold.id.0).shown(day_of(&hold.id)).arg(record::text(hold)).run(&engine.link).await
}
