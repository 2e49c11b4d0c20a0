//! Billing cycles that turned out to be others: usage moves, and holds still open follow.

use super::{counters, ledger};
use crate::{
    domain::{
        account::Uid,
        credit::{Channel, OperationId},
        period::{Counters, Move},
        time::{UnixMicros, UnixSeconds},
    },
    store::{EntryKind, LedgerEntry, Result, key_names::AccountNames},
};
use rusqlite::{Connection, OptionalExtension, params};

/// The cycle that a hold on `start` is counted under by now.
pub(super) fn now_of(db: &Connection, uid: &Uid, start: UnixSeconds) -> Result<UnixSeconds> {
    let moved = db
        .prepare_cached("SELECT target FROM moved_cycles WHERE uid = ?1 AND source = ?2")?
        .query_row(params![uid.as_str(), start.0], |row| row.get(0))
        .optional()?;
    Ok(moved.map_or(start, UnixSeconds))
}

/// Says that a cycle is one of Stripe's after all: holds on it stay.
pub(super) fn settle(db: &Connection, uid: &Uid, start: UnixSeconds) -> Result<()> {
    db.prepare_cached("DELETE FROM moved_cycles WHERE uid = ?1 AND source = ?2")?
        .execute(params![uid.as_str(), start.0])?;
    Ok(())
}

/// Moves everything that was counted under one cycle to another; the first is listed no longer.
pub(super) fn shift(db: &Connection, uid: &Uid, by: Move, operation: &OperationId, now: UnixMicros) -> Result<()> {
    let names = AccountNames::of(uid);
    let (source, target) = (Counters::Cycle(by.from), Counters::Cycle(by.to));
    let app = counters::shift(db, &names.usage(Channel::App, source), &names.usage(Channel::App, target))?;
    let api = counters::shift(db, &names.usage(Channel::Api, source), &names.usage(Channel::Api, target))?;
    let prepaid = counters::shift(db, &names.prepaid_usage(source), &names.prepaid_usage(target))?;
    db.prepare_cached("UPDATE holds SET cycle = ?3 WHERE payer = ?1 AND cycle = ?2")?.execute(params![
        names.own(),
        by.from.0,
        by.to.0
    ])?;
    db.prepare_cached("UPDATE moved_cycles SET target = ?3 WHERE uid = ?1 AND target = ?2")?.execute(params![
        uid.as_str(),
        by.from.0,
        by.to.0
    ])?;
    settle(db, uid, by.to)?;
    db.prepare_cached("INSERT OR REPLACE INTO moved_cycles (uid, source, target) VALUES (?1, ?2, ?3)")?
        .execute(params![uid.as_str(), by.from.0, by.to.0])?;
    if app == 0 && api == 0 && prepaid == 0 {
        return Ok(());
    }
    let kind = EntryKind::Moved { from: by.from, to: by.to, app, api, prepaid };
    ledger::append(db, uid, &LedgerEntry { operation: operation.clone(), at: now, kind })
}
