//! Stripe's events whose account is not known yet, and others that wait.

use crate::{
    domain::time::UnixSeconds,
    store::{Fault, ParkedEvent, Result},
};
use rusqlite::{Connection, Params, params};

const COLUMNS: &str = "id, created, about, reason, aliases, event";

pub(super) fn park(db: &Connection, event: &ParkedEvent) -> Result<()> {
    let aliases = serde_json::to_string(&event.aliases).map_err(|error| unexpected(&error))?;
    db.prepare_cached(&format!(
        "INSERT INTO parked ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET reason = excluded.reason"
    ))?
    .execute(params![event.id, event.created.0, event.about, event.reason, aliases, event.event])?;
    for alias in &event.aliases {
        db.prepare_cached("INSERT INTO parked_under (alias, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute([alias, &event.id])?;
    }
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<ParkedEvent>> {
    select(db, &format!("SELECT {COLUMNS} FROM parked ORDER BY created, id"), [])
}

pub(super) fn under(db: &Connection, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
    let aliases = serde_json::to_string(aliases).map_err(|error| unexpected(&error))?;
    let wanted = "SELECT id FROM parked_under WHERE alias IN (SELECT value FROM json_each(?1))";
    select(db, &format!("SELECT {COLUMNS} FROM parked WHERE id IN ({wanted}) ORDER BY created, id"), [aliases])
}

pub(super) fn unpark(db: &Connection, id: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM parked_under WHERE id = ?1")?.execute([id])?;
    db.prepare_cached("DELETE FROM parked WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn select(db: &Connection, sql: &str, values: impl Params) -> Result<Vec<ParkedEvent>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let aliases: String = row.get(4)?;
        events.push(ParkedEvent {
            id: row.get(0)?,
            created: UnixSeconds(row.get(1)?),
            about: row.get(2)?,
            reason: row.get(3)?,
            aliases: serde_json::from_str(&aliases).map_err(|error| unexpected(&error))?,
            event: row.get(5)?,
        });
    }
    Ok(events)
}

fn unexpected(error: &serde_json::Error) -> Fault {
    Fault::Unexpected(format!("a parked event cannot be read: {error}"))
}
