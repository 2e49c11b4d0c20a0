//! Stripe's events whose account is not known yet, and others that wait.

use super::{desk::Desk, scripts::Call};
use crate::{
    domain::time::UnixSeconds,
    store::{Fault, ParkedEvent, Result, keys},
};
use redis::{Script, cmd};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// A parked event as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    created: i64,
    about: String,
    #[serde(default)]
    reason: String,
    aliases: Vec<String>,
    event: String,
}

pub(super) async fn park(desk: &Desk, event: &ParkedEvent) -> Result<()> {
    let ParkedEvent { id, created, about, reason, aliases, event } = event.clone();
    let stored = Stored { created: created.0, about, reason, aliases, event };
    let text = serde_json::to_string(&stored).map_err(|error| Fault::Unexpected(error.to_string()))?;
    call(&desk.scripts.park, &stored.aliases, &id).arg(text).run(&desk.line).await
}

pub(super) async fn all(desk: &Desk) -> Result<Vec<ParkedEvent>> {
    let stored: HashMap<String, String> = desk.line.command(cmd("HGETALL").arg(keys::PARKED)).await?;
    in_order(stored)
}

pub(super) async fn under(desk: &Desk, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
    let mut ids = BTreeSet::new();
    for alias in aliases {
        let under: Vec<String> = desk.line.command(cmd("SMEMBERS").arg(keys::parked_under(alias))).await?;
        ids.extend(under);
    }
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let stored: Option<String> = desk.line.command(cmd("HGET").arg(keys::PARKED).arg(&id)).await?;
        found.extend(stored.map(|stored| (id, stored)));
    }
    in_order(found)
}

pub(super) async fn unpark(desk: &Desk, id: &str) -> Result<()> {
    let stored: Option<String> = desk.line.command(cmd("HGET").arg(keys::PARKED).arg(id)).await?;
    let Some(event) = stored.map(|stored| read(id.into(), &stored)).transpose()? else { return Ok(()) };
    call(&desk.scripts.unpark, &event.aliases, id).run(&desk.line).await
}

fn call<'a>(script: &'a Script, aliases: &[String], id: &str) -> Call<'a> {
    let call = Call::of(script).key(keys::PARKED);
    aliases.iter().fold(call, |call, alias| call.key(keys::parked_under(alias))).arg(id)
}

/// Oldest first.
fn in_order(stored: impl IntoIterator<Item = (String, String)>) -> Result<Vec<ParkedEvent>> {
    let mut events = stored.into_iter().map(|(id, stored)| read(id, &stored)).collect::<Result<Vec<_>>>()?;
    events.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
    Ok(events)
}

fn read(id: String, stored: &str) -> Result<ParkedEvent> {
    let read = serde_json::from_str(stored);
    let Stored { created, about, reason, aliases, event } =
        read.map_err(|error| Fault::Unexpected(format!("a parked event cannot be read: {error}")))?;
    Ok(ParkedEvent { id, created: UnixSeconds(created), about, reason, aliases, event })
}
