//! What follows from Stripe's events: all of it in one step, once.

use super::{accounts, cycles, ledger};
use crate::{
    domain::{caller::Uid, credit::OperationId, time::UnixMicros},
    store::{EntryKind, Fault, LedgerEntry, Result, Stepped, StripeState, StripeStep, whole::fits},
};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn state(db: &Connection, uid: &Uid) -> Result<StripeState> {
    let stored: Option<(i64, String)> = db
        .prepare_cached("SELECT version, remembered FROM stripe_accounts WHERE uid = ?1")?
        .query_row([uid.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, text) = stored.unwrap_or_default();
    let remembered = Some(text).filter(|text| !text.is_empty());
    Ok(StripeState { account: accounts::find(db, uid)?, remembered, version: version.unsigned_abs() })
}

pub(super) fn apply(db: &Connection, step: &StripeStep, now: UnixMicros) -> Result<Stepped> {
    let stepped = if is_claimed(db, step)? {
        Stepped::Duplicate
    } else if state(db, &step.uid)?.version != step.expected {
        return Ok(Stepped::Stale);
    } else {
        claim(db, step, now)?;
        change(db, step, now)?;
        Stepped::Applied
    };
    for alias in &step.learn {
        db.prepare_cached("INSERT INTO stripe_aliases (alias, uid) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([alias, step.uid.as_str()])?;
    }
    Ok(stepped)
}

/// Steps that were computed from the account as it was do nothing any more.
pub(super) fn outdate_steps(db: &Connection, uid: &Uid) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO stripe_accounts (uid, version, remembered) VALUES (?1, 1, '')
         ON CONFLICT (uid) DO UPDATE SET version = version + 1",
    )?
    .execute([uid.as_str()])?;
    Ok(())
}

pub(super) fn owner(db: &Connection, aliases: &[String]) -> Result<Option<Uid>> {
    for alias in aliases {
        let uid: Option<String> = db
            .prepare_cached("SELECT uid FROM stripe_aliases WHERE alias = ?1")?
            .query_row([alias], |row| row.get(0))
            .optional()?;
        if let Some(uid) = uid {
            return accounts::uid(uid).map(Some);
        }
    }
    Ok(None)
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
    let operation = OperationId(step.event.clone());
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
            return Err(Fault::Impossible("no balance can be that large".into()));
        }
        accounts::change_prepaid(db, uid, step.changes.credits)?;
        note(EntryKind::Granted { credits: step.changes.credits })?;
    }
    Ok(())
}
