//! The ledger: a stream a month, and the audit that adds it all up again.

use super::{accounts, counters, desk::Desk, record};
use crate::{
    domain::{
        caller::{KeyId, Uid},
        credit::Pool,
        time::UnixSeconds,
    },
    store::{
        Audit, Difference, Fault, Result,
        keys::{AccountNames, Served},
    },
};
use redis::cmd;
use std::collections::{BTreeMap, HashMap};

/// What the balance is called among the counters of an audit.
const PREPAID: &str = "prepaid";

/// Entries read at once.
const PAGE: usize = 1_000;

type Entry = HashMap<String, String>;

/// What is stored and what the ledger says, by counter. Only what this gateway has counted: the rest has no ledger.
pub(super) async fn audit(desk: &Desk, uid: &Uid) -> Result<Audit> {
    let account = accounts::existing(desk, uid).await?;
    let names = desk.names(uid);
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    let mut entries = 0;
    let months: Vec<String> = desk.line.command(cmd("SMEMBERS").arg(names.ledgers())).await?;
    for text in months {
        let month = record::month(&text).ok_or_else(|| strange(&text))?;
        entries += fold(desk, &names, &names.ledger(month), &mut sums).await?;
    }
    let counted: Vec<String> = desk.line.command(cmd("SMEMBERS").arg(names.counted())).await?;
    for counter in counted {
        sums.entry(if counter == PREPAID { counter } else { format!("{}:{counter}", names.own()) }).or_default();
    }
    let mut differences = Vec::new();
    for (counter, ledger) in sums {
        let stored = match counter.as_str() {
            PREPAID => account.prepaid,
            name => i64::try_from(counters::value(desk, name).await?).unwrap_or(i64::MAX),
        };
        if stored != ledger {
            differences.push(Difference { counter, stored, ledger });
        }
    }
    Ok(Audit { uid: uid.clone(), entries, differences })
}

/// Adds one month's stream to the sums; answers how many entries it has, openings excluded.
async fn fold(desk: &Desk, names: &AccountNames, stream: &str, sums: &mut BTreeMap<String, i64>) -> Result<u64> {
    let (mut from, mut entries) = ("-".to_owned(), 0);
    loop {
        let mut command = cmd("XRANGE");
        command.arg(stream).arg(&from).arg("+").arg("COUNT").arg(PAGE);
        let page: Vec<(String, Entry)> = desk.line.command(&command).await?;
        let full = page.len() == PAGE;
        for (id, entry) in page {
            entries += u64::from(add(names, &entry, sums)?);
            from = format!("({id}");
        }
        if !full {
            return Ok(entries);
        }
    }
}

/// Whether the entry is one of this gateway's own operations.
fn add(names: &AccountNames, entry: &Entry, sums: &mut BTreeMap<String, i64>) -> Result<bool> {
    let field = |name: &str| entry.get(name).map_or("", String::as_str);
    let credits = || field("credits").parse::<i64>().map_err(|_| strange(entry));
    match field("kind") {
        "granted" => *sums.entry(PREPAID.into()).or_default() += credits()?,
        "opening" => {
            let counter = field("counter");
            let name = if counter == PREPAID { PREPAID.into() } else { format!("{}:{counter}", names.own()) };
            *sums.entry(name).or_default() += credits()?;
            return Ok(false);
        }
        "plan_changed" | "period_synced" => {}
        "moved" => moved(names, entry, sums)?,
        "served" => {
            let pool = record::pool(field("pool")).ok_or_else(|| strange(entry))?;
            let key = Some(field("key")).filter(|key| !key.is_empty()).map(|key| KeyId(key.into()));
            let served = Served {
                channel: record::channel(field("channel")).ok_or_else(|| strange(entry))?,
                pool,
                month: record::month(field("month")).ok_or_else(|| strange(entry))?,
                cycle: field("cycle").parse().ok().map(UnixSeconds),
                key: key.as_ref(),
            };
            for counter in served.counters(names) {
                *sums.entry(counter).or_default() += 1;
            }
            if pool == Pool::Prepaid {
                *sums.entry(PREPAID.into()).or_default() -= 1;
            }
        }
        _ => return Err(strange(entry)),
    }
    Ok(true)
}

/// Usage that went from one cycle to another.
fn moved(names: &AccountNames, entry: &Entry, sums: &mut BTreeMap<String, i64>) -> Result<()> {
    let number = |name: &str| entry.get(name).and_then(|text| text.parse::<i64>().ok()).ok_or_else(|| strange(entry));
    for (start, sign) in [(number("from")?, -1), (number("to")?, 1)] {
        let counters = names.cycle_counters(UnixSeconds(start));
        for (counter, count) in counters.into_iter().zip(["app", "api", "prepaid"]) {
            *sums.entry(counter).or_default() += sign * number(count)?;
        }
    }
    Ok(())
}

fn strange(what: impl std::fmt::Debug) -> Fault {
    Fault::Unexpected(format!("the ledger says {what:?}"))
}
