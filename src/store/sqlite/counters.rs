//! Counters: one row each, under its documented name.

use crate::{
    domain::{caller::Channel, time::UnixSeconds},
    store::{Result, Usage, keys::AccountNames, window::Window},
};
use rusqlite::{Connection, OptionalExtension, params};

/// What a counter stands at; 0 if it was never raised.
pub(super) fn value(db: &Connection, name: &str) -> Result<u64> {
    let value: Option<i64> = db
        .prepare_cached("SELECT value FROM counters WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value.map_or(0, |value| u64::try_from(value).unwrap_or(0)))
}

/// Raises a counter by one; `expires` is for those that would otherwise gather for ever.
pub(super) fn raise(db: &Connection, name: &str, expires: Option<UnixSeconds>) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO counters (name, value, expires) VALUES (?1, 1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = value + 1",
    )?
    .execute(params![name, expires.map(|end| end.0)])?;
    Ok(())
}

/// Included credits that an account has used in a window.
pub(super) fn usage(db: &Connection, names: &AccountNames, window: Window) -> Result<Usage> {
    let used = |channel| value(db, &names.usage(channel, window));
    Ok(Usage { app: used(Channel::App)?, api: used(Channel::Api)? })
}
