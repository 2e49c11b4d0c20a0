//! `mend`: an operator sets a number that other software has spoilt.

use super::{accounts, counters, ledger};
use crate::{
    domain::{account::Uid, credit::OperationId, time::UnixMicros},
    store::{EntryKind, LedgerEntry, Result, key_names::AccountNames, number::Number},
};
use rusqlite::Connection;

pub(super) fn mend(
    db: &Connection,
    uid: &Uid,
    (key, value): (&str, i64),
    id: &OperationId,
    now: UnixMicros,
) -> Result<()> {
    let names = AccountNames::of(uid);
    let number = Number::to_set(&names, key, value)?;
    accounts::must_exist(db, uid)?;
    match &number {
        Number::Prepaid => accounts::set_number(db, uid, "prepaid", value)?,
        Number::Field(field) => accounts::set_number(db, uid, field, value)?,
        Number::Counter(below) => counters::set(db, &names.whole(below), value)?,
    }
    let kind = match &number {
        Number::Field(field) => EntryKind::Mended { field: (*field).into(), value },
        Number::Prepaid | Number::Counter(_) => {
            let counter = number.counter().unwrap_or_default();
            let credits = value.saturating_sub(ledger::sum(db, uid, counter)?);
            EntryKind::Opening { counter: counter.into(), credits }
        }
    };
    ledger::append(db, uid, &LedgerEntry { operation: id.clone(), at: now, kind })
}
