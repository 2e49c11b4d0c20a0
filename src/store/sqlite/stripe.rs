//! What follows from Stripe's events: all of it in one step, once.

use super::{accounts, cycles, holds, ledger};
use crate::{
    domain::{account::Uid, credit::OperationId, time::UnixMicros},
    store::{
        Changes, EntryKind, Fault, LedgerEntry, Result, StepOutcome, StripeObject, StripeState, StripeStep,
        key_names::AccountNames, whole::fits,
    },
};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn state(db: &Connection, uid: &Uid, now: UnixMicros) -> Result<StripeState> {
    let stored: Option<(i64, String)> = db
        .prepare_cached("SELECT version, remembered FROM stripe_accounts WHERE uid = ?1")?
        .query_row([uid.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, text) = stored.unwrap_or_default();
    let remembered = Some(text).filter(|text| !text.is_empty());
    let held_prepaid = holds::prepaid_of(db, AccountNames::of(uid).own(), now)?.count;
    Ok(StripeState { account: accounts::find(db, uid)?, remembered, held_prepaid, version: version.unsigned_abs() })
}

pub(super) fn apply(db: &Connection, step: &StripeStep, now: UnixMicros) -> Result<StepOutcome> {
    let stepped = if is_claimed(db, step)? {
        StepOutcome::Duplicate
    } else {
        let state = state(db, &step.uid, now)?;
        if state.version != step.expected || takes_what_is_not_free(&state, &step.changes) {
            return Ok(StepOutcome::Stale);
        }
        claim(db, step, now)?;
        change(db, step, now)?;
        StepOutcome::Applied
    };
    for id in &step.learn {
        db.prepare_cached("INSERT INTO stripe_ids (uid, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([step.uid.as_str(), id])?;
    }
    Ok(stepped)
}

fn takes_what_is_not_free(state: &StripeState, changes: &Changes) -> bool {
    let prepaid = state.account.as_ref().map_or(0, |account| account.prepaid);
    let left = i128::from(prepaid) + i128::from(changes.credits) - i128::from(state.held_prepaid);
    changes.only_free && changes.credits < 0 && left < 0
}

pub(super) fn object(db: &Connection, id: &str) -> Result<StripeObject> {
    let stored: Option<(i64, String)> = db
        .prepare_cached("SELECT version, text FROM stripe_objects WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, text) = stored.unwrap_or_default();
    Ok(StripeObject { version: version.unsigned_abs(), text })
}

pub(super) fn put_object(db: &Connection, id: &str, object: &StripeObject) -> Result<bool> {
    let written = db
        .prepare_cached(
            "INSERT INTO stripe_objects (id, version, text) SELECT ?1, 1, ?3 WHERE ?2 = 0 OR EXISTS
                 (SELECT 1 FROM stripe_objects WHERE id = ?1)
             ON CONFLICT (id) DO UPDATE SET version = version + 1, text = excluded.text WHERE version = ?2",
        )?
        .execute(params![id, object.version.cast_signed(), object.text])?;
    Ok(written == 1)
}

fn is_claimed(db: &Connection, step: &StripeStep) -> Result<bool> {
    let claimed = db
        .prepare_cached("SELECT 1 FROM stripe_events WHERE uid = ?1 AND id = ?2")?
        .exists([step.uid.as_str(), &step.event])?;
    Ok(claimed)
}

fn claim(db: &Connection, step: &StripeStep, now: UnixMicros) -> Result<()> {
    let uid = step.uid.as_str();
    db.prepare_cached("INSERT INTO stripe_events (uid, id, at) VALUES (?1, ?2, ?3)")?
        .execute(params![uid, step.event, now.0])?;
    db.prepare_cached(
        "INSERT INTO stripe_accounts (uid, version, remembered) VALUES (?1, 1, ?2)
         ON CONFLICT (uid) DO UPDATE SET version = version + 1, remembered = excluded.remembered",
    )?
    .execute([uid, &step.remembered])?;
    db.prepare_cached("INSERT INTO accounts (uid) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([uid])?;
    Ok(())
}

fn change(db: &Connection, step: &StripeStep, now: UnixMicros) -> Result<()> {
    let uid = &step.uid;
    let operation = OperationId(step.event.as_str().into());
    let note = |kind| ledger::append(db, uid, &LedgerEntry { operation: operation.clone(), at: now, kind });
    if let Some((plan, credits)) = &step.changes.plan {
        accounts::set_plan(db, uid, plan, *credits)?;
        note(EntryKind::PlanChanged { plan: plan.clone(), credits: *credits })?;
    }
    if let Some(period) = step.changes.period {
        accounts::set_period(db, uid, &period)?;
        cycles::settle(db, uid, period.start)?;
        note(EntryKind::PeriodSynced { period })?;
    }
    for by in &step.changes.moves {
        cycles::shift(db, uid, *by, &operation, now)?;
    }
    if step.changes.credits != 0 {
        let after = accounts::existing(db, uid)?.prepaid.checked_add(step.changes.credits);
        if !after.is_some_and(fits) {
            return Err(Fault::TooLarge("no balance can be that large".into()));
        }
        accounts::change_prepaid(db, uid, step.changes.credits)?;
        note(EntryKind::Granted { credits: step.changes.credits })?;
    }
    Ok(())
}
