//! Open holds. A row whose lease has ended counts for nothing, whether or not it has been trimmed yet.

use crate::{
    domain::{
        api_key::KeyId,
        credit::{Charge, Hold, OperationId, Pool},
        period::Counters,
        time::{Day, Month, UnixMicros},
    },
    store::{Fault, Result},
};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

/// Counts open holds, and says when the first of their leases ends.
macro_rules! open_where {
    ($condition:literal) => {
        concat!("SELECT COUNT(*), MIN(expires) FROM holds WHERE ", $condition)
    };
}

/// Open holds on one allowance.
pub(super) struct Open {
    pub(super) count: u64,
    /// When the first of their leases ends.
    pub(super) earliest: Option<UnixMicros>,
}

/// The hold that stands under an id.
pub(super) fn find(db: &Connection, payer: &str, id: &OperationId, now: UnixMicros) -> Result<Option<Hold>> {
    let found: Option<(i64, i64, String)> = db
        .prepare_cached("SELECT taken, expires, charge FROM holds WHERE payer = ?1 AND id = ?2 AND expires > ?3")?
        .query_row(params![payer, id.0, now.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((taken, expires, charge)) = found else { return Ok(None) };
    let charge: Charge = serde_json::from_str(&charge).map_err(|error| unexpected(&error))?;
    Ok(Some(Hold { id: id.clone(), charge, taken: UnixMicros(taken), expires: UnixMicros(expires) }))
}

/// Writes a hold. It replaces an ended one under the same id.
pub(super) fn insert(db: &Connection, payer: &str, hold: &Hold) -> Result<()> {
    let (pool, calendar, cycle, key) = match &hold.charge {
        Charge::Account { pool, month, cycle, key, .. } => {
            (Some(pool.as_str()), month.to_string(), *cycle, key.as_ref())
        }
        Charge::Client { day, .. } => (None, day.to_string(), None, None),
    };
    let charge = serde_json::to_string(&hold.charge).map_err(|error| unexpected(&error))?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO holds (payer, id, taken, expires, charge, pool, calendar, cycle, key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        payer,
        hold.id.0,
        hold.taken.0,
        hold.expires.0,
        charge,
        pool,
        calendar,
        cycle.map(|start| start.0),
        key.map(|key| &key.0)
    ])?;
    Ok(())
}

pub(super) fn remove(db: &Connection, payer: &str, id: &OperationId) -> Result<()> {
    db.prepare_cached("DELETE FROM holds WHERE payer = ?1 AND id = ?2")?.execute(params![payer, id.0])?;
    Ok(())
}

/// Holds on an account's included credits of one window, and on its prepaid credits.
pub(super) fn of_account(db: &Connection, payer: &str, window: Counters, now: UnixMicros) -> Result<(Open, Open)> {
    let included = match window {
        Counters::Month(month) => {
            let sql = open_where!("payer = ?1 AND expires > ?2 AND pool = ?3 AND calendar = ?4");
            open(db, sql, params![payer, now.0, Pool::Included.as_str(), month.to_string()])?
        }
        Counters::Cycle(start) => {
            let sql = open_where!("payer = ?1 AND expires > ?2 AND pool = ?3 AND cycle = ?4");
            open(db, sql, params![payer, now.0, Pool::Included.as_str(), start.0])?
        }
    };
    Ok((included, prepaid_of(db, payer, now)?))
}

/// Holds on an account's prepaid credits.
pub(super) fn prepaid_of(db: &Connection, payer: &str, now: UnixMicros) -> Result<Open> {
    let sql = open_where!("payer = ?1 AND expires > ?2 AND pool = ?3");
    open(db, sql, params![payer, now.0, Pool::Prepaid.as_str()])
}

/// Holds taken with one API key in one month, of either pool.
pub(super) fn of_key(db: &Connection, payer: &str, key: &KeyId, month: Month, now: UnixMicros) -> Result<Open> {
    let sql = open_where!("payer = ?1 AND expires > ?2 AND key = ?3 AND calendar = ?4");
    open(db, sql, params![payer, now.0, key.0, month.to_string()])
}

/// Holds on one day of an anonymous client.
pub(super) fn of_client(db: &Connection, payer: &str, day: Day, now: UnixMicros) -> Result<Open> {
    let sql = open_where!("payer = ?1 AND expires > ?2 AND pool IS NULL AND calendar = ?3");
    open(db, sql, params![payer, now.0, day.to_string()])
}

/// Every open hold there is.
pub(super) fn all(db: &Connection, now: UnixMicros) -> Result<u64> {
    Ok(open(db, open_where!("expires > ?1"), params![now.0])?.count)
}

fn open(db: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Open> {
    let (count, earliest): (i64, Option<i64>) =
        db.prepare_cached(sql)?.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Open { count: count.unsigned_abs(), earliest: earliest.map(UnixMicros) })
}

fn unexpected(error: &serde_json::Error) -> Fault {
    Fault::Unexpected(format!("a hold cannot be read: {error}"))
}
