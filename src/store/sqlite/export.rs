//! Everything of an account, for another store.

use super::{accounts, api_keys, closing, ledger};
use crate::{
    domain::{
        account::Uid,
        credit::{OperationId, Settlement},
        time::{UnixMicros, UnixSeconds},
    },
    store::{
        AccountExport, Cursor, Fault, List, Page, Records, Result,
        key_names::AccountNames,
        transfer::{PART, SETTLED_FOR},
    },
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params};

/// What [`PART`] is to `SQLite`.
const MOST: i64 = PART.cast_signed() as i64;

pub(super) fn account(db: &Connection, uid: &Uid) -> Result<Option<AccountExport>> {
    let Some(account) = accounts::find(db, uid)? else { return Ok(None) };
    let names = AccountNames::of(uid);
    let below = names.whole("");
    let of_uid: [&dyn ToSql; 1] = [&uid.as_str()];
    let counters = collect(
        db,
        "SELECT name, value FROM counters WHERE name >= ?1 AND name < ?2",
        &[&below, &format!("{};", names.own())],
        |row| Ok((row.get::<_, String>(0)?[below.len()..].to_owned(), row.get(1)?)),
    )?;
    let stripe = "SELECT version, remembered FROM stripe_accounts WHERE uid = ?1";
    let objects = "SELECT id, COALESCE(text, '') FROM stripe_ids LEFT JOIN stripe_objects USING (id) WHERE uid = ?1";
    let moved = "SELECT source, target FROM moved_cycles WHERE uid = ?1";
    Ok(Some(AccountExport {
        account,
        keys: api_keys::exported(db, uid)?,
        counters: counters.into_iter().collect(),
        ledger: count(db, "SELECT COUNT(*) FROM ledger WHERE uid = ?1", uid)?,
        closed: closing::closed(db, uid)?,
        grants: count(db, "SELECT COUNT(*) FROM grants WHERE uid = ?1", uid)?,
        stripe: collect(db, stripe, &of_uid, |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))?.pop(),
        stripe_objects: collect(db, objects, &of_uid, |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect(),
        moved_cycles: collect(db, moved, &of_uid, |row| Ok((UnixSeconds(row.get(0)?), UnixSeconds(row.get(1)?))))?
            .into_iter()
            .collect(),
    }))
}

pub(super) fn part(db: &Connection, uid: &Uid, list: List, (after, now): (&Cursor, UnixMicros)) -> Result<Page> {
    let after = after.0.as_str();
    let payer = AccountNames::of(uid);
    match list {
        List::Ledger => {
            let mut page = ledger::after(db, uid, after.parse().unwrap_or(0), PART)?;
            let next = page.last().filter(|_| page.len() == PART).map(|(seq, _)| Cursor(seq.to_string()));
            Ok(Page { records: Records::Ledger(page.drain(..).map(|(_, entry)| entry).collect()), next })
        }
        List::Grants => {
            let sql = "SELECT id, credits, balance FROM grants WHERE uid = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
            let grants = collect(db, sql, params![uid.as_str(), after, MOST], |row| {
                Ok((OperationId(row.get(0)?), row.get(1)?, row.get(2)?))
            })?;
            Ok(Page { next: full(&grants, |(id, ..)| &id.0), records: Records::Grants(grants) })
        }
        List::Settled => {
            let sql = "SELECT id, kept, at FROM settled WHERE payer = ?1 AND id > ?2 AND at >= ?4 ORDER BY id LIMIT ?3";
            let since = now.0.saturating_sub(SETTLED_FOR);
            let operations = collect(db, sql, params![payer.own(), after, MOST, since], |row| {
                let end = if row.get(1)? { Settlement::Kept } else { Settlement::Released };
                Ok((OperationId(row.get(0)?), end, UnixMicros(row.get(2)?)))
            })?;
            Ok(Page { next: full(&operations, |(id, ..)| &id.0), records: Records::Settled(operations) })
        }
        List::Events => {
            let sql = "SELECT id, at FROM stripe_events WHERE uid = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
            let events = collect(db, sql, params![uid.as_str(), after, MOST], |row| {
                Ok((row.get::<_, String>(0)?, UnixMicros(row.get(1)?)))
            })?;
            Ok(Page { next: full(&events, |(id, _)| id), records: Records::Events(events) })
        }
    }
}

/// How many rows a statement about an account finds.
pub(super) fn count(db: &Connection, sql: &str, uid: &Uid) -> Result<u64> {
    let found: Option<i64> = db.prepare_cached(sql)?.query_row([uid.as_str()], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// After a full part there may be another one.
fn full<T>(records: &[T], id: impl Fn(&T) -> &str) -> Option<Cursor> {
    records.last().filter(|_| records.len() == PART).map(|last| Cursor(id(last).to_owned()))
}

fn collect<T>(
    db: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> std::result::Result<T, Fault>,
) -> Result<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
