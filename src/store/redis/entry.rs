//! A ledger entry as a stream has it: fields and their values, as the scripts write them.
//!
//! A picture has one field, `served`: `operation|channel|pool|month|cycle|key|end of the lease`, the key as names of counters
//! have it. It happened when its entry was
//! made, which the entry's id tells, and was late if that was after its lease. An imported one is spelled out like all others.

use super::record;
use crate::{
    domain::{
        api_key::KeyId,
        credit::OperationId,
        time::{UnixMicros, UnixSeconds},
    },
    store::{EntryKind, Fault, LedgerEntry, Result},
};
use std::{collections::HashMap, fmt::Debug};

pub(super) type Fields = HashMap<String, String>;

/// The entry that the fields tell, and its id in the stream.
pub(super) fn read(id: &str, fields: &Fields) -> Result<LedgerEntry> {
    let unexpected = || unexpected(fields);
    let told = fields.get("at").map(|at| at.parse().ok());
    let millis = || id.split_once('-')?.0.parse::<i64>().ok()?.checked_mul(1_000);
    let at = UnixMicros(told.unwrap_or_else(millis).ok_or_else(unexpected)?);
    if let Some(served) = fields.get("served") {
        return self::served(at, served).ok_or_else(unexpected);
    }
    let operation = OperationId(fields.get("operation").ok_or_else(unexpected)?.as_str().into());
    Ok(LedgerEntry { operation, at, kind: kind(fields).ok_or_else(unexpected)? })
}

fn served(at: UnixMicros, told: &str) -> Option<LedgerEntry> {
    let (rest, ends) = told.rsplit_once('|')?;
    let mut words = rest.splitn(6, '|');
    let mut next = || words.next();
    let operation = OperationId(next()?.into());
    let kind = EntryKind::Served {
        channel: record::channel(next()?)?,
        pool: record::pool(next()?)?,
        month: record::month(next()?)?,
        cycle: next()?.parse().ok().map(UnixSeconds),
        key: record::key(next()?)?,
        late: at.0 >= ends.parse().ok()?,
    };
    Some(LedgerEntry { operation, at, kind })
}

fn kind(fields: &Fields) -> Option<EntryKind> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let seconds = |name: &str| field(name).parse().ok().map(UnixSeconds);
    let count = |name: &str| field(name).parse::<u64>().ok();
    let credits = || field("credits").parse::<i64>().ok();
    Some(match field("kind") {
        "granted" => EntryKind::Granted { credits: credits()? },
        "opening" => EntryKind::Opening { counter: field("counter").into(), credits: credits()? },
        "mended" => EntryKind::Mended { field: field("field").into(), value: field("value").parse().ok()? },
        "plan_changed" => EntryKind::PlanChanged { plan: field("plan").into(), credits: count("credits")? },
        "period_synced" => EntryKind::PeriodSynced { period: serde_json::from_str(field("detail")).ok()? },
        "moved" => EntryKind::Moved {
            from: seconds("from")?,
            to: seconds("to")?,
            app: count("app")?,
            api: count("api")?,
            prepaid: count("prepaid")?,
        },
        "served" => EntryKind::Served {
            channel: record::channel(field("channel"))?,
            pool: record::pool(field("pool"))?,
            month: record::month(field("month"))?,
            cycle: seconds("cycle"),
            key: Some(field("key")).filter(|key| !key.is_empty()).map(|key| KeyId(key.into())),
            late: field("late") == "1",
        },
        _ => return None,
    })
}

/// Its fields and their values, by turns.
pub(super) fn words(entry: &LedgerEntry) -> Result<Vec<String>> {
    let mut words = vec!["operation".into(), entry.operation.0.to_string(), "at".into(), entry.at.0.to_string()];
    let mut say = |name: &str, value: String| words.extend([name.to_owned(), value]);
    match &entry.kind {
        EntryKind::Granted { credits } => {
            say("kind", "granted".into());
            say("credits", credits.to_string());
        }
        EntryKind::Opening { counter, credits } => {
            say("kind", "opening".into());
            say("counter", counter.clone());
            say("credits", credits.to_string());
        }
        EntryKind::Mended { field, value } => {
            say("kind", "mended".into());
            say("field", field.clone());
            say("value", value.to_string());
        }
        EntryKind::PlanChanged { plan, credits } => {
            say("kind", "plan_changed".into());
            say("plan", plan.clone());
            say("credits", credits.to_string());
        }
        EntryKind::PeriodSynced { period } => {
            let detail = serde_json::to_string(period).map_err(|error| Fault::Unexpected(error.to_string()))?;
            say("kind", "period_synced".into());
            say("detail", detail);
        }
        EntryKind::Moved { from, to, app, api, prepaid } => {
            say("kind", "moved".into());
            for (name, seconds) in [("from", from), ("to", to)] {
                say(name, seconds.0.to_string());
            }
            for (name, count) in [("app", app), ("api", api), ("prepaid", prepaid)] {
                say(name, count.to_string());
            }
        }
        EntryKind::Served { channel, pool, month, cycle, key, late } => {
            say("kind", "served".into());
            say("channel", channel.as_str().into());
            say("pool", pool.as_str().into());
            say("month", month.to_string());
            say("cycle", cycle.map_or(String::new(), |start| start.0.to_string()));
            say("key", key.as_ref().map_or(String::new(), |key| key.0.to_string()));
            say("late", u8::from(*late).to_string());
        }
    }
    Ok(words)
}

/// The fault of a ledger that says something unknown.
pub(super) fn unexpected(what: impl Debug) -> Fault {
    Fault::Unexpected(format!("the ledger says {what:?}"))
}
