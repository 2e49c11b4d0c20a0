//! Counters: one row each, under its documented name.

use crate::{
    domain::{credit::Channel, period::Counters, time::UnixSeconds},
    store::{
        Result, Usage,
        key_names::AccountNames,
        whole::{fits, not_an_integer},
    },
};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// What a counter stands at; 0 if it was never raised, or stands below that. A file holds nothing but whole numbers, but
/// those may be beyond what can be counted.
pub(super) fn value(db: &Connection, name: &str) -> Result<u64> {
    let value: Option<i64> = db
        .prepare_cached("SELECT value FROM counters WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    count(name, value.unwrap_or(0))
}

fn count(name: &str, value: i64) -> Result<u64> {
    if fits(value) { Ok(u64::try_from(value).unwrap_or(0)) } else { Err(not_an_integer(name)) }
}

/// Sets a counter.
pub(super) fn set(db: &Connection, name: &str, value: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![name, value])?;
    Ok(())
}

/// Raises a counter by one, whose [`value`] has been read; `expires` is for those that would otherwise gather for ever.
pub(super) fn raise(db: &Connection, name: &str, expires: Option<UnixSeconds>) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO counters (name, value, expires) VALUES (?1, 1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = value + 1",
    )?
    .execute(params![name, expires.map(|end| end.0)])?;
    Ok(())
}

/// Adds what one counter stands at to another, and removes the first; says how much that was.
pub(super) fn shift(db: &Connection, from: &str, to: &str) -> Result<u64> {
    let moved = value(db, from)?;
    value(db, to)?;
    if moved > 0 {
        db.prepare_cached(
            "INSERT INTO counters (name, value) SELECT ?2, value FROM counters WHERE name = ?1
             ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        )?
        .execute([from, to])?;
    }
    db.prepare_cached("DELETE FROM counters WHERE name = ?1")?.execute([from])?;
    Ok(moved)
}

/// Included credits that an account has used in a window.
pub(super) fn usage(db: &Connection, names: &AccountNames, window: Counters) -> Result<Usage> {
    let used = |channel| value(db, &names.usage(channel, window));
    Ok(Usage { app: used(Channel::App)?, api: used(Channel::Api)? })
}

/// Every billing cycle of an account that has usage counters, oldest first.
pub(super) fn cycles(db: &Connection, names: &AccountNames) -> Result<Vec<(UnixSeconds, Usage)>> {
    let mut cycles: BTreeMap<UnixSeconds, Usage> = BTreeMap::new();
    for channel in [Channel::App, Channel::Api] {
        let prefix = names.cycles(channel);
        let mut statement =
            db.prepare_cached("SELECT name, value FROM counters WHERE name > ?1 AND name < ?1 || ';'")?;
        let mut rows = statement.query([&prefix])?;
        while let Some(row) = rows.next()? {
            let (name, value): (String, i64) = (row.get(0)?, row.get(1)?);
            let Some(start) = name.strip_prefix(&prefix).and_then(|start| start.parse().ok()) else { continue };
            let usage = cycles.entry(UnixSeconds(start)).or_default();
            let value = count(&name, value)?;
            match channel {
                Channel::App => usage.app = value,
                Channel::Api => usage.api = value,
            }
        }
    }
    Ok(cycles.into_iter().collect())
}
