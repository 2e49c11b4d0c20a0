//! An account from another store.
//!
//! Its long lists come first, in parts that can be written again; nobody sees them, as long as the account's own row is
//! missing. That comes with everything else in one step, which ends with a look at what is there then.

use super::{accounts, api_keys, closing, export, ledger, stripe};
use crate::{
    domain::{
        account::Uid,
        credit::{OperationId, Payer, Settlement},
        time::UnixMicros,
    },
    store::{
        AccountExport, Cursor, LedgerEntry, Records, Result, StripeObject,
        key_names::{self, AccountNames},
        transfer::other,
    },
};
use rusqlite::{Connection, OptionalExtension as _, params};

pub(super) fn part(db: &Connection, uid: &Uid, records: &Records, after: &Cursor) -> Result<Cursor> {
    let seen = accounts::find(db, uid)?.is_some();
    match records {
        Records::Ledger(entries) => return append(db, uid, entries, (after, seen)),
        Records::Grants(grants) => grants.iter().try_for_each(|grant| remember_grant(db, uid, grant, seen))?,
        Records::Settled(operations) => operations.iter().try_for_each(|one| remember_end(db, uid, one, seen))?,
        // What an account that can be seen has forgotten by age stays forgotten.
        Records::Events(_) if seen => {}
        Records::Events(events) => {
            let sql = "INSERT INTO stripe_events (uid, id, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            let mut statement = db.prepare_cached(sql)?;
            for (event, at) in events {
                statement.execute(params![uid.as_str(), event, at.0])?;
            }
        }
    }
    Ok(Cursor::default())
}

/// Compares what is there and appends the rest.
fn append(db: &Connection, uid: &Uid, entries: &[LedgerEntry], (after, seen): (&Cursor, bool)) -> Result<Cursor> {
    let mut last: i64 = after.0.parse().unwrap_or(0);
    let there = ledger::after(db, uid, last, entries.len())?;
    let (compared, missing) = entries.split_at(there.len());
    if !there.iter().map(|(_, entry)| entry).eq(compared) || (seen && !missing.is_empty()) {
        return Err(other(uid, "its ledger"));
    }
    last = there.last().map_or(last, |(seq, _)| *seq);
    for entry in missing {
        ledger::append(db, uid, entry)?;
        last = db.last_insert_rowid();
    }
    Ok(Cursor(last.to_string()))
}

fn remember_grant(
    db: &Connection,
    uid: &Uid,
    (OperationId(id), credits, balance): &(OperationId, i64, i64),
    seen: bool,
) -> Result<()> {
    let there: Option<(i64, i64)> = db
        .prepare_cached("SELECT credits, balance FROM grants WHERE uid = ?1 AND id = ?2")?
        .query_row(params![uid.as_str(), id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match there {
        Some(there) if there == (*credits, *balance) => {}
        None if !seen => {
            let sql = "INSERT INTO grants (uid, id, credits, balance) VALUES (?1, ?2, ?3, ?4)";
            db.prepare_cached(sql)?.execute(params![uid.as_str(), id, credits, balance])?;
        }
        _ => return Err(other(uid, &format!("grant {id}"))),
    }
    Ok(())
}

fn remember_end(
    db: &Connection,
    uid: &Uid,
    (OperationId(id), end, at): &(OperationId, Settlement, UnixMicros),
    seen: bool,
) -> Result<()> {
    let (payer, kept) = (key_names::payer(&Payer::Account(uid.clone())), *end == Settlement::Kept);
    let there: Option<bool> = db
        .prepare_cached("SELECT kept FROM settled WHERE payer = ?1 AND id = ?2")?
        .query_row(params![payer, id], |row| row.get(0))
        .optional()?;
    match there {
        Some(there) if there != kept => return Err(other(uid, &format!("operation {id}"))),
        None if !seen => {
            let sql = "INSERT INTO settled (payer, id, kept, at) VALUES (?1, ?2, ?3, ?4)";
            db.prepare_cached(sql)?.execute(params![payer, id, kept, at.0])?;
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn account(db: &Connection, export: &AccountExport) -> Result<()> {
    let uid = &export.account.uid;
    if accounts::find(db, uid)?.is_none() {
        write(db, export)?;
    }
    let there = export::account(db, uid)?.ok_or_else(|| other(uid, "it goes and comes"))?;
    // If not, nothing of this step stays.
    export.must_equal(&there)
}

fn write(db: &Connection, export: &AccountExport) -> Result<()> {
    let (uid, names) = (&export.account.uid, AccountNames::of(&export.account.uid));
    accounts::insert(db, &export.account)?;
    closing::write(db, uid, &export.closed)?;
    for key in &export.keys {
        api_keys::put(db, &key.hash, &key.key)?;
        if let Some(at) = key.last_used {
            api_keys::touch(db, &[(key.key.id.clone(), at)])?;
        }
    }
    for (name, value) in &export.counters {
        db.prepare_cached("INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![names.whole(name), value])?;
    }
    if let Some((version, remembered)) = &export.stripe {
        db.prepare_cached(
            "INSERT INTO stripe_accounts (uid, version, remembered) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![uid.as_str(), version.cast_signed(), remembered])?;
    }
    for (id, text) in &export.stripe_objects {
        db.prepare_cached("INSERT INTO stripe_ids (uid, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([uid.as_str(), id])?;
        // What several accounts share is there already.
        if !text.is_empty() {
            stripe::put_object(db, id, &StripeObject { version: 0, text: text.clone() })?;
        }
    }
    for (from, to) in &export.moved_cycles {
        db.prepare_cached("INSERT INTO moved_cycles (uid, source, target) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![uid.as_str(), from.0, to.0])?;
    }
    Ok(())
}
