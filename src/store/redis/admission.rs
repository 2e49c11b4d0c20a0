//! `hold`

use super::{
    clients,
    engine::{Engine, STALE_TRIES, too_many_conflicts},
    meter,
    operation::{Operation, day_of, stamp},
    record,
    scripts::Call,
    settlement::settled_as,
};
use crate::{
    domain::{
        credit::{Admission, Charge, Denial, Draw, Hold, HoldRequest, Remaining},
        time::UnixMicros,
    },
    store::{Fault, Result, key_names},
};
use std::time::Duration;

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
    let Charge::Account { uid, key, .. } = &hold.charge else { return clients::restore(engine, hold).await };
    let call =
        Call::of(&engine.scripts.restore).key(engine.names(uid).own()).arg(engine.now_argument()).arg(&hold.id.0);
    let call = call.arg(stamp(&hold.id)).arg(day_of(&hold.id)).arg(record::text(hold));
    call.arg(key.as_ref().map_or(String::new(), key_names::key_part)).run(&engine.link).await
}

/// What a script for a hold says.
pub(super) fn admission(request: &HoldRequest, answer: &str) -> Result<Admission> {
    let unexpected = || unexpected(answer);
    let micros = |text: &str| text.parse().map(Duration::from_micros).map_err(|_| unexpected());
    let number = |text: &str| text.parse::<u64>().map_err(|_| unexpected());
    let (word, rest) = answer.split_once('|').unwrap_or((answer, ""));
    let hold = |stored: &str| record::hold(&request.id, &request.draw.payer(), stored);
    Ok(match (word, rest.split('|').collect::<Vec<_>>().as_slice(), &request.draw) {
        ("again", ..) => Admission::Held(hold(rest)?, Remaining::default()),
        ("held", [arrival, credits, of_key, ..], Draw::Account { .. }) => {
            let stored = rest.splitn(4, '|').nth(3).ok_or_else(unexpected)?;
            let credits = number(credits)?;
            let of_key = if of_key.is_empty() { credits } else { number(of_key)? };
            let arrival = arrival.parse().ok().map(UnixMicros);
            Admission::Held(
                hold(stored)?,
                Remaining { arrival, quota: Some(credits.min(of_key)), credits: Some(credits) },
            )
        }
        ("held", [arrival, left, ..], Draw::Client { .. }) => {
            let stored = rest.splitn(3, '|').nth(2).ok_or_else(unexpected)?;
            let arrival = arrival.parse().ok().map(UnixMicros);
            Admission::Held(hold(stored)?, Remaining { arrival, quota: Some(number(left)?), credits: None })
        }
        ("settled", [end], _) => Admission::Settled(settled_as(end)?),
        ("no_account", ..) => Admission::Denied(Denial::NoAccount),
        ("too_fast", [after], _) => Admission::Denied(Denial::TooFast { retry_after: micros(after)? }),
        ("exhausted", [after, full], _) => {
            let full_in = if full.is_empty() { None } else { Some(micros(full)?) };
            Admission::Denied(Denial::Exhausted { retry_after: micros(after)?, full_in })
        }
        _ => return Err(unexpected()),
    })
}

fn unexpected(answer: &str) -> Fault {
    Fault::Unexpected(format!("the script for a hold says {answer:?}"))
}
