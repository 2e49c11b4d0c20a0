//! Holds, keeps and releases of anonymous clients.

use super::{
    answers::{admission, settled_as},
    engine::{Engine, STALE_TRIES, too_many_conflicts},
    operation::{day_of, micros},
    record,
    scripts::Call,
};
use crate::{
    domain::{
        credit::{Admission, Charge, Draw, Hold, HoldRequest, Kept, OperationId, Payer, Settlement},
        rate_limit::Burst,
        time::Day,
    },
    store::{Fault, Result, key_names, whole::not_an_integer},
};
use redis::Script;

pub(super) async fn hold(engine: &Engine, request: &HoldRequest) -> Result<Admission> {
    let (payer, Draw::Client { client, per_day }) = (request.draw.payer(), &request.draw) else { return Err(none()) };
    for _ in 0..STALE_TRIES {
        let day: Day = engine.now().seconds().date();
        let keys =
            [key_names::styled_payer(&payer, engine.style), key_names::styled_client_usage(client, day, engine.style)];
        let answer: String = Call::of(&engine.scripts.client_hold, keys)
            .number(engine.now_argument())
            .arg(&request.id.0)
            .shown(day_of(&request.id))
            .arg(micros(request.lease))
            .number(request.burst.map(Burst::interval_micros))
            .number(request.burst.map(Burst::whole_micros))
            .arg(day.end().micros().0 - 86_400_000_000)
            .arg(day.end().micros().0)
            .shown(day)
            .arg(*per_day)
            .run(&engine.link)
            .await?;
        if !engine.learns_from(&payer, &answer)? {
            return admission(request, &answer);
        }
    }
    Err(too_many_conflicts())
}

pub(super) async fn keep(engine: &Engine, hold: &Hold) -> Result<Kept> {
    let Charge::Client { client, day } = &hold.charge else { return Err(none()) };
    let own = key_names::styled_payer(&hold.charge.payer(), engine.style);
    let keys = [own, key_names::styled_client_usage(client, *day, engine.style)];
    let call = Call::of(&engine.scripts.client_keep, keys);
    if let Some(journal) = &engine.journal {
        journal.begin([hold].into_iter());
    }
    let answer: String = call.arg(&hold.id.0).shown(day_of(&hold.id)).run(&engine.link).await?;
    match answer.strip_prefix("not_integer|") {
        Some(counter) => Err(not_an_integer(counter)),
        None => Ok(Kept { settlement: ended(engine, &hold.id, &hold.charge.payer(), &answer)? }),
    }
}

pub(super) async fn release(engine: &Engine, id: &OperationId, payer: &Payer) -> Result<Settlement> {
    let call = call(engine, &engine.scripts.client_release, payer).arg(&id.0).shown(day_of(id));
    ended(engine, id, payer, &call.run::<String>(&engine.link).await?)
}

/// How an operation has ended, which the journal is told.
fn ended(engine: &Engine, id: &OperationId, payer: &Payer, answer: &str) -> Result<Settlement> {
    let settlement = settled_as(answer)?;
    if let Some(journal) = &engine.journal {
        journal.ended([(id, payer.clone(), settlement)].into_iter());
    }
    Ok(settlement)
}

/// Writes a hold again that the server has lost, unless it has been settled or has ended.
pub(super) async fn restore(engine: &Engine, hold: &Hold) -> Result<()> {
    let call = call(engine, &engine.scripts.client_restore, &hold.charge.payer()).number(engine.now_argument());
    call.arg(&hold.id.0).shown(day_of(&hold.id)).arg(record::text(hold)).run(&engine.link).await
}

fn call<'a>(engine: &Engine, script: &'a Script, payer: &Payer) -> Call<'a> {
    Call::of(script, [key_names::styled_payer(payer, engine.style)])
}

fn none() -> Fault {
    Fault::Unexpected("an account is no anonymous client".into())
}
