//! What follows from Stripe's events, and what is known of its objects.

use super::{
    accounts,
    engine::{Engine, STALE_TRIES, too_many_conflicts},
    moment::period_fields,
    record,
    scripts::Call,
};
use crate::{
    domain::{account::Uid, credit::Payer, time::UnixMicros},
    store::{Fault, Result, StepOutcome, StripeObject, StripeState, StripeStep, key_names},
};
use redis::cmd;
use std::collections::HashMap;

pub(super) async fn state(engine: &Engine, uid: &Uid) -> Result<StripeState> {
    let left: HashMap<String, String> = engine.link.command(cmd("HGETALL").arg(engine.names(uid).stripe())).await?;
    // Read last: a step in between raises the version, and what was computed from its account is refused.
    let account = accounts::find(engine, uid).await?;
    let version = left.get("version").and_then(|text| text.parse().ok()).unwrap_or(0);
    let remembered = left.get("remembered").filter(|text| !text.is_empty()).cloned();
    let records: Vec<String> = engine.link.command(cmd("HVALS").arg(engine.names(uid).holds())).await?;
    let now = engine.now();
    let is_open = |record: &&String| record::is_prepaid(record) && record::ends(record).is_some_and(|ends| ends > now);
    let held_prepaid = records.iter().filter(is_open).count() as u64;
    Ok(StripeState { account, remembered, held_prepaid, version })
}

/// The step, to be written again where the server has lost it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) step: StripeStep,
    /// The number of the change that plan, credits and the like had come to.
    revision: u64,
}

/// What became of the step, and how it is written again; `None` where it was not written.
pub(super) async fn apply(engine: &Engine, step: &StripeStep) -> Result<(StepOutcome, Option<Written>)> {
    let (stepped, revision) = write(engine, step, &step.expected.to_string(), 0).await?;
    if stepped == StepOutcome::Stale {
        return Ok((stepped, None));
    }
    learn(engine, &step.uid, &step.learn).await?;
    engine.callers.forget_account(&step.uid);
    Ok((stepped, Some(Written { step: step.clone(), revision })))
}

/// Writes a step again that the server has lost.
pub(super) async fn restore(engine: &Engine, written: &Written) -> Result<()> {
    let Written { step, revision } = written;
    write(engine, step, &format!("+{}", step.expected + 1), *revision).await?;
    learn(engine, &step.uid, &step.learn).await
}

pub(super) async fn object(engine: &Engine, id: &str) -> Result<StripeObject> {
    let stored: HashMap<String, String> = engine.link.command(cmd("HGETALL").arg(key_names::stripe_object(id))).await?;
    let version = stored.get("version").and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(StripeObject { version, text: stored.get("text").cloned().unwrap_or_default() })
}

/// What became of an object that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Written,
    /// The same is there already: an earlier try may have written it, without anybody hearing of it.
    There,
    Behind,
}

pub(super) async fn put_object(engine: &Engine, id: &str, object: &StripeObject) -> Result<Put> {
    write_object(engine, id, &object.version.to_string(), &object.text).await
}

/// Writes what the server has lost, unless somebody has written since.
pub(super) async fn restore_object(engine: &Engine, id: &str, object: &StripeObject) -> Result<()> {
    write_object(engine, id, &format!("+{}", object.version + 1), &object.text).await.map(drop)
}

async fn write_object(engine: &Engine, id: &str, version: &str, text: &str) -> Result<Put> {
    let call = Call::of(&engine.scripts.put_stripe_object).key(key_names::stripe_object(id)).arg(version).arg(text);
    Ok(match call.run::<u8>(&engine.link).await? {
        1 => Put::Written,
        2 => Put::There,
        _ => Put::Behind,
    })
}

async fn learn(engine: &Engine, uid: &Uid, ids: &[String]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    engine.link.command(cmd("SADD").arg(engine.names(uid).stripe_ids()).arg(ids)).await
}

/// What became of it, and the number of the change that the account's numbers have come to.
async fn write(engine: &Engine, step: &StripeStep, version: &str, revision: u64) -> Result<(StepOutcome, u64)> {
    let payer = Payer::Account(step.uid.clone());
    let mut now = engine.now();
    for _ in 0..STALE_TRIES {
        let answer: Vec<String> = call(engine, step, version, (now, revision))?.run(&engine.link).await?;
        let words: Vec<&str> = answer.iter().map(String::as_str).collect();
        match words[..] {
            ["applied", change] => return Ok((StepOutcome::Applied, change.parse().unwrap_or(0))),
            ["duplicate", change] => return Ok((StepOutcome::Duplicate, change.parse().unwrap_or(0))),
            ["behind"] => return Ok((StepOutcome::Stale, 0)),
            ["too_large"] => return Err(Fault::TooLarge("no balance can be that large".into())),
            _ => match engine.if_stale(&payer, &answer)? {
                Some(better) => now = better.now,
                None => return Err(Fault::Unexpected(format!("the script for a step of Stripe's says {answer:?}"))),
            },
        }
    }
    Err(too_many_conflicts())
}

fn call<'a>(
    engine: &'a Engine,
    step: &StripeStep,
    version: &str,
    (now, revision): (UnixMicros, u64),
) -> Result<Call<'a>> {
    let (names, month, changes) = (engine.names(&step.uid), now.seconds().month(), &step.changes);
    let mut call = Call::of(&engine.scripts.apply_stripe)
        .key(names.own())
        .key(names.stripe())
        .key(names.stripe_events())
        .key(names.ledger(month))
        .key(names.ledgers())
        .key(names.counted())
        .key(names.cycle_index())
        .key(names.moved_cycles())
        .arg(&step.event)
        .arg(engine.now_argument())
        .arg(month.start().micros().0)
        .arg(month.end().micros().0)
        .arg(month.to_string())
        .arg(step.uid.as_str())
        .arg(version)
        .arg(&step.remembered)
        .arg(key_names::CHANGES);
    let (plan, credits) = match &changes.plan {
        Some((plan, credits)) => (plan.as_str(), credits.to_string()),
        None => ("", String::new()),
    };
    call = call.arg(plan).arg(credits);
    let (detail, fields) = match &changes.period {
        Some(period) => {
            let detail = serde_json::to_string(period).map_err(|error| Fault::Unexpected(error.to_string()))?;
            (detail, period_fields(period))
        }
        None => Default::default(),
    };
    call = fields.into_iter().fold(call.arg(detail), Call::arg).arg(changes.credits).arg(revision);
    call = call.arg(u8::from(changes.only_free));
    for by in &changes.moves {
        call = call.arg(by.from.0).arg(by.to.0);
        for (from, to) in names.cycle_counters(by.from).iter().zip(&names.cycle_counters(by.to)) {
            call = call.arg(names.below(from)).arg(names.below(to));
        }
    }
    Ok(call)
}
