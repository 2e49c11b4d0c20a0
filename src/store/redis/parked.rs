//! Stripe's events whose account is not known yet, and others that wait.

use super::{engine::Engine, scripts::Call};
use crate::{
    domain::time::UnixSeconds,
    store::{Fault, ParkedEvent, Result, key_names},
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

pub(super) async fn park(engine: &Engine, event: &ParkedEvent) -> Result<()> {
    let ParkedEvent { id, created, about, reason, aliases, event } = event.clone();
    let stored = Stored { created: created.0, about, reason, aliases, event };
    let text = serde_json::to_string(&stored).map_err(|error| Fault::Unexpected(error.to_string()))?;
    call(&engine.scripts.park, &stored.aliases, &id).arg(text).run(&engine.link).await
}

pub(super) async fn all(engine: &Engine) -> Result<Vec<ParkedEvent>> {
    let stored: HashMap<String, String> = engine.link.command(cmd("HGETALL").arg(key_names::PARKED)).await?;
    in_order(stored)
}

pub(super) async fn under(engine: &Engine, aliases: &[String]) -> Result<Vec<ParkedEvent>> {
    let mut ids = BTreeSet::new();
    for alias in aliases {
        let under: Vec<String> = engine.link.command(cmd("SMEMBERS").arg(key_names::parked_under(alias))).await?;
        ids.extend(under);
    }
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let stored: Option<String> = engine.link.command(cmd("HGET").arg(key_names::PARKED).arg(&id)).await?;
        found.extend(stored.map(|stored| (id, stored)));
    }
    in_order(found)
}

pub(super) async fn unpark(engine: &Engine, id: &str) -> Result<()> {
    let stored: Option<String> = engine.link.command(cmd("HGET").arg(key_names::PARKED).arg(id)).await?;
    let Some(event) = stored.map(|stored| read(id.into(), &stored)).transpose()? else { return Ok(()) };
    call(&engine.scripts.unpark, &event.aliases, id).run(&engine.link).await
}

fn call<'a>(script: &'a Script, aliases: &[String], id: &str) -> Call<'a> {
    let mut keys = vec![key_names::PARKED.to_owned()];
    keys.extend(aliases.iter().map(|alias| key_names::parked_under(alias)));
    Call::of(script, keys).arg(id)
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
