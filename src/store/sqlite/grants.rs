//! `grant`: the prepaid balance, by the operator's hand.

use super::{accounts, holds, ledger};
use crate::{
    domain::{account::Uid, credit::OperationId, time::UnixMicros},
    store::{EntryKind, Fault, Granted, LedgerEntry, Result, billing::conflict, key_names::AccountNames, whole::fits},
};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) fn grant(db: &Connection, uid: &Uid, credits: i64, id: &OperationId, now: UnixMicros) -> Result<Granted> {
    let account = accounts::existing(db, uid)?;
    if let Some((granted, prepaid)) = earlier(db, uid, id)? {
        return if granted == credits { Ok(Granted { prepaid, repeated: true }) } else { Err(conflict(id, granted)) };
    }
    if credits == 0 {
        return Ok(Granted { prepaid: account.prepaid, repeated: false });
    }
    let held = holds::prepaid_of(db, AccountNames::of(uid).own(), now)?.count;
    let prepaid = balance(account.prepaid, credits, held)?;
    accounts::change_prepaid(db, uid, credits)?;
    ledger::append(db, uid, &LedgerEntry { operation: id.clone(), at: now, kind: EntryKind::Granted { credits } })?;
    db.prepare_cached("INSERT INTO grants (uid, id, credits, balance) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        uid.as_str(),
        id.0,
        credits,
        prepaid
    ])?;
    Ok(Granted { prepaid, repeated: false })
}

/// What was granted under the id before, and the balance after it.
fn earlier(db: &Connection, uid: &Uid, id: &OperationId) -> Result<Option<(i64, i64)>> {
    let earlier = db
        .prepare_cached("SELECT credits, balance FROM grants WHERE uid = ?1 AND id = ?2")?
        .query_row(params![uid.as_str(), id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(earlier)
}

/// The balance after a grant. What is spent, or set aside for a request under way, cannot be taken back.
fn balance(prepaid: i64, credits: i64, held: u64) -> Result<i64> {
    let after = prepaid.checked_add(credits).filter(|after| fits(*after));
    let after = after.ok_or_else(|| Fault::TooLarge("no balance can be that large".into()))?;
    let held = i64::try_from(held).unwrap_or(i64::MAX);
    if credits < 0 && after < held {
        let free = (prepaid - held).max(0);
        return Err(Fault::Insufficient(format!("only {free} prepaid credits can be taken back")));
    }
    Ok(after)
}
