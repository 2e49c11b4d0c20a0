//! The sums of closed months, which take the place of their entries in the ledger.

use crate::{domain::account::Uid, store::Sums};
use rusqlite::{Connection, OptionalExtension as _, Result};

/// What the entries of an account's closed months add up to.
pub(super) fn sums(db: &Connection, uid: &Uid) -> Result<Sums> {
    let entries: Option<i64> = db
        .prepare_cached("SELECT entries FROM closed_through WHERE uid = ?1")?
        .query_row([uid.as_str()], |row| row.get(0))
        .optional()?;
    let mut sums = Sums { entries: entries.unwrap_or(0).unsigned_abs(), ..Sums::default() };
    let mut statement = db.prepare_cached("SELECT counter, credits FROM closed WHERE uid = ?1")?;
    let mut rows = statement.query([uid.as_str()])?;
    while let Some(row) = rows.next()? {
        sums.credits.insert(row.get(0)?, row.get(1)?);
    }
    Ok(sums)
}
