//! A ledger entry as a stream has it: fields and their values, as the scripts write them.

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

/// The entry that the fields tell.
pub(super) fn read(fields: &Fields) -> Result<LedgerEntry> {
    let strange = || strange(fields);
    Ok(LedgerEntry {
        operation: OperationId(fields.get("operation").cloned().ok_or_else(strange)?),
        at: UnixMicros(fields.get("at").and_then(|at| at.parse().ok()).ok_or_else(strange)?),
        kind: kind(fields).ok_or_else(strange)?,
    })
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
    let mut words = vec!["operation".into(), entry.operation.0.clone(), "at".into(), entry.at.0.to_string()];
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
            say("key", key.as_ref().map_or(String::new(), |key| key.0.clone()));
            say("late", u8::from(*late).to_string());
        }
    }
    Ok(words)
}

/// The fault of a ledger that says something unknown.
pub(super) fn strange(what: impl Debug) -> Fault {
    Fault::Unexpected(format!("the ledger says {what:?}"))
}
