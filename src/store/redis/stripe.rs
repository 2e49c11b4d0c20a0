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

pub(super) async fn apply(engine: &Engine, step: &StripeStep) -> Result<StepOutcome> {
    let stepped = write(engine, step).await?;
    if stepped != StepOutcome::Stale {
        // A repeat may have been applied just now, without anybody hearing of it.
        learn(engine, &step.uid, &step.learn).await?;
        engine.callers.forget_account(&step.uid);
    }
    Ok(stepped)
}

pub(super) async fn object(engine: &Engine, id: &str) -> Result<StripeObject> {
    let stored: HashMap<String, String> = engine.link.command(cmd("HGETALL").arg(key_names::stripe_object(id))).await?;
    let version = stored.get("version").and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(StripeObject { version, text: stored.get("text").cloned().unwrap_or_default() })
}

pub(super) async fn put_object(engine: &Engine, id: &str, object: &StripeObject) -> Result<bool> {
    let call = Call::of(&engine.scripts.put_stripe_object, [key_names::stripe_object(id)]);
    Ok(call.arg(object.version).arg(&object.text).run::<u8>(&engine.link).await? == 1)
}

async fn learn(engine: &Engine, uid: &Uid, ids: &[String]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    engine.link.command(cmd("SADD").arg(engine.names(uid).stripe_ids()).arg(ids)).await
}

async fn write(engine: &Engine, step: &StripeStep) -> Result<StepOutcome> {
    let payer = Payer::Account(step.uid.clone());
    let mut now = engine.now();
    for _ in 0..STALE_TRIES {
        let answer: Vec<String> = call(engine, step, now)?.run(&engine.link).await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["applied"] => return Ok(StepOutcome::Applied),
            ["duplicate"] => return Ok(StepOutcome::Duplicate),
            ["behind"] => return Ok(StepOutcome::Stale),
            ["too_large"] => return Err(Fault::TooLarge("no balance can be that large".into())),
            _ => match engine.if_stale(&payer, &answer)? {
                Some(better) => now = better.now,
                None => return Err(Fault::Unexpected(format!("the script for a step of Stripe's says {answer:?}"))),
            },
        }
    }
    Err(too_many_conflicts())
}

fn call<'a>(engine: &'a Engine, step: &StripeStep, now: UnixMicros) -> Result<Call<'a>> {
    let (names, month, changes) = (engine.names(&step.uid), now.seconds().month(), &step.changes);
    let keys = [
        names.own(),
        &names.stripe(),
        &names.stripe_events(),
        &names.ledger(month),
        &names.ledgers(),
        &names.counted(),
        &names.cycle_index(),
        &names.moved_cycles(),
    ];
    let mut call = Call::of(&engine.scripts.apply_stripe, keys)
        .arg(&step.event)
        .number(engine.now_argument())
        .arg(month.start().micros().0)
        .arg(month.end().micros().0)
        .shown(month)
        .arg(step.uid.as_str())
        .arg(step.expected)
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
    call = fields.into_iter().fold(call.arg(detail), Call::arg).arg(changes.credits);
    call = call.arg(u8::from(changes.only_free));
    for by in &changes.moves {
        call = call.arg(by.from.0).arg(by.to.0);
        for (from, to) in names.cycle_counters(by.from).iter().zip(&names.cycle_counters(by.to)) {
            call = call.arg(names.below(from)).arg(names.below(to));
        }
    }
    Ok(call)
}
