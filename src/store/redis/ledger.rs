//! The ledger: a stream a month, and the audit that adds it all up again.

use super::{
    accounts, counters,
    engine::Engine,
    entry::{self, Fields, unexpected},
    moment::MOMENTS,
    record,
};
use crate::{
    domain::{
        account::Uid,
        api_key::KeyId,
        period::Counters,
        time::{Month, UnixSeconds},
    },
    store::{
        Audit, Closed, Difference, Fault, LedgerEntry, NotInteger, Result, Sums,
        closing::PAGE,
        key_names::AccountNames,
        number::{self, PREPAID},
        whole::whole,
    },
};
use redis::cmd;
use std::collections::{BTreeMap, HashMap};

/// Fields of what is closed, beside the sums: how many steps of closing there have been, through which month, and how many
/// entries, openings excluded.
const STEP: &str = "step";
const THROUGH: &str = "through";
const ENTRIES: &str = "entries";

/// How often a ledger is read from its beginning, because closing has come further than reading meanwhile.
const OVERTAKEN: usize = 10;

/// How often an audit looks: counters and ledger are read one after another, and pictures may be counted in between.
const LOOKS: usize = 3;

/// What is stored and what the ledger says, by counter. Only what this gateway has counted: the rest has no ledger.
pub(super) async fn audit(engine: &Engine, uid: &Uid) -> Result<Audit> {
    let mut audit = look(engine, uid).await?;
    for _ in 1..LOOKS {
        if audit.differences.is_empty() {
            break;
        }
        let mut replay = look(engine, uid).await?;
        replay.differences.retain(|one| audit.differences.iter().any(|before| before.counter == one.counter));
        audit = replay;
    }
    Ok(audit)
}

async fn look(engine: &Engine, uid: &Uid) -> Result<Audit> {
    let (fields, names) = (accounts::fields(engine, uid).await?, engine.names(uid));
    if fields.is_empty() {
        return Err(accounts::nobody(uid));
    }
    let Sums { entries, credits } = sums(engine, &names).await?;
    let by_name = |counter: String| if counter == PREPAID { counter } else { names.whole(&counter) };
    let mut sums: BTreeMap<String, i64> =
        credits.into_iter().map(|(counter, credits)| (by_name(counter), credits)).collect();
    let counted: Vec<String> = engine.link.command(cmd("SMEMBERS").arg(names.counted())).await?;
    for counter in counted {
        sums.entry(by_name(counter)).or_default();
    }
    let mut audit =
        Audit { uid: uid.clone(), entries, differences: Vec::new(), not_integers: not_integer_fields(&names, &fields) };
    let mut compare = |counter: String, stored: i64, ledger: Option<i64>| {
        if let Some(ledger) = ledger.filter(|ledger| *ledger != stored) {
            audit.differences.push(Difference { counter, stored, ledger });
        }
    };
    if let (Some(ledger), Some(stored)) = (sums.remove(PREPAID), whole_field(&fields, "prepaid_credits")) {
        compare(PREPAID.into(), stored, Some(ledger));
    }
    let uncounted = uncounted(engine, uid, &names).await?.into_iter().map(|name| (name, None));
    let mut all: BTreeMap<String, Option<i64>> = uncounted.collect();
    all.extend(sums.into_iter().map(|(name, ledger)| (name, Some(ledger))));
    let mut not_integers = Vec::new();
    for (name, ledger) in all {
        let stands = counters::look(engine, &name).await?;
        match stands.number(&name) {
            Ok(stored) => compare(name, stored, ledger),
            Err(_) => not_integers.push(NotInteger::new(name, &stands.to_string())),
        }
    }
    audit.not_integers.extend(not_integers);
    Ok(audit)
}

/// The sum of a whole ledger for one counter, named as it names it.
pub(super) async fn sum(engine: &Engine, names: &AccountNames, counter: &str) -> Result<i64> {
    Ok(sums(engine, names).await?.credits.remove(counter).unwrap_or(0))
}

/// What the ledger says of each counter. Exact, also while months are closed: closing takes entries away from the front of the
/// oldest month, and what is closed is read first. So nothing is missing as long as the entry that was read last is still there.
async fn sums(engine: &Engine, names: &AccountNames) -> Result<Sums> {
    for _ in 0..OVERTAKEN {
        if let Some(sums) = read_sums(engine, names).await? {
            return Ok(sums);
        }
    }
    Err(Fault::Unavailable(format!("the ledger was closed faster than it could be read, {OVERTAKEN} times in a row")))
}

/// `None` if closing has come further than reading.
async fn read_sums(engine: &Engine, names: &AccountNames) -> Result<Option<Sums>> {
    let months = months(engine, names).await?;
    let begun = step(engine, names).await?;
    let (mut sums, mut last) = (closed(engine, names).await?.sums, None::<(String, String)>);
    for month in months {
        let stream = names.ledger(month);
        let mut after = String::new();
        loop {
            let page = page(engine, &stream, &after, PAGE).await?;
            let nothing_missing = match &last {
                None => step(engine, names).await? == begun,
                Some((stream, id)) => is_there(engine, stream, id).await?,
            };
            if !nothing_missing {
                return Ok(None);
            }
            for (_, entry) in &page {
                sums.add(names, &entry.kind);
            }
            let is_full = page.len() == PAGE;
            if let Some((id, _)) = page.into_iter().next_back() {
                after.clone_from(&id);
                last = Some((stream.clone(), id));
            }
            if !is_full {
                break;
            }
        }
    }
    Ok(Some(sums))
}

async fn is_there(engine: &Engine, stream: &str, id: &str) -> Result<bool> {
    let found: Vec<(String, Fields)> = engine.link.command(cmd("XRANGE").arg(stream).arg(id).arg(id)).await?;
    Ok(!found.is_empty())
}

/// How many steps of closing there have been.
pub(super) async fn step(engine: &Engine, names: &AccountNames) -> Result<String> {
    let step: Option<String> = engine.link.command(cmd("HGET").arg(names.closed()).arg(STEP)).await?;
    Ok(step.unwrap_or_else(|| "0".into()))
}

/// What is closed.
pub(super) async fn closed(engine: &Engine, names: &AccountNames) -> Result<Closed> {
    closed_of(names, engine.link.command(cmd("HGETALL").arg(names.closed())).await?)
}

fn closed_of(names: &AccountNames, fields: Fields) -> Result<Closed> {
    let mut closed = Closed::default();
    for (field, text) in fields {
        let unexpected = || Fault::Unexpected(format!("{} has {text:?} for {field}", names.closed()));
        match field.as_str() {
            STEP => {}
            THROUGH => closed.through = Some(record::month(&text).ok_or_else(unexpected)?),
            ENTRIES => closed.sums.entries = text.parse().map_err(|_| unexpected())?,
            _ => _ = closed.sums.credits.insert(field.clone(), whole(&text).ok_or_else(unexpected)?),
        }
    }
    Ok(closed)
}

/// The fields of what is closed and their values; `None` where nothing is.
pub(super) fn closed_fields(closed: &Closed) -> Vec<[String; 2]> {
    let Some(through) = closed.through else { return Vec::new() };
    let own = [[THROUGH.into(), through.to_string()], [ENTRIES.into(), closed.sums.entries.to_string()]];
    let sums = closed.sums.credits.iter().map(|(counter, credits)| [counter.clone(), credits.to_string()]);
    own.into_iter().chain(sums).collect()
}

fn whole_field(fields: &HashMap<String, String>, name: &str) -> Option<i64> {
    fields.get(name).map_or(Some(0), |text| whole(text))
}

/// Fields of an account that keep it from being served. An empty moment is none.
fn not_integer_fields(names: &AccountNames, fields: &HashMap<String, String>) -> Vec<NotInteger> {
    let cache = ["prepaid_credits"].into_iter().chain(number::FIELDS);
    let not_integers = cache.filter_map(|name| Some((name, fields.get(name)?)));
    not_integers
        .filter(|(name, text)| whole(text).is_none() && !(MOMENTS.contains(name) && text.is_empty()))
        .map(|(name, text)| NotInteger::new(format!("{} {name}", names.own()), &format!("{text:?}")))
        .collect()
}

/// Counters that are asked before a picture is served, whether or not this gateway has counted in them.
async fn uncounted(engine: &Engine, uid: &Uid, names: &AccountNames) -> Result<Vec<String>> {
    let month = engine.now().seconds().month();
    let mut all = Vec::from(names.usages(Counters::Month(month)));
    all.push(names.prepaid_usage(Counters::Month(month)));
    let starts: Vec<i64> = engine.link.command(cmd("ZRANGE").arg(names.cycle_index()).arg(0).arg(-1)).await?;
    let cycle = match accounts::find(engine, uid).await {
        Ok(account) => account.and_then(|account| engine.terms.now().window(&account, engine.now().seconds()).cycle()),
        Err(Fault::Unexpected(_)) => None,
        Err(fault) => return Err(fault),
    };
    all.extend(starts.into_iter().map(UnixSeconds).chain(cycle).flat_map(|start| names.cycle_counters(start)));
    let keys: Vec<String> = engine.link.command(cmd("HKEYS").arg(names.keys())).await?;
    all.extend(keys.into_iter().map(|key| names.key_usage(&KeyId(key.into()), month)));
    Ok(all)
}

/// The entries of a stream after the one with this id, or from its beginning if that is empty.
pub(super) async fn page(
    engine: &Engine,
    stream: &str,
    after: &str,
    most: usize,
) -> Result<Vec<(String, LedgerEntry)>> {
    let from = if after.is_empty() { "-".to_owned() } else { format!("({after}") };
    let mut command = cmd("XRANGE");
    command.arg(stream).arg(from).arg("+").arg("COUNT").arg(most);
    let page: Vec<(String, Fields)> = engine.link.command(&command).await?;
    page.into_iter().map(|(id, fields)| entry::read(&id, &fields).map(|entry| (id, entry))).collect()
}

/// The months that have a ledger, oldest first.
pub(super) async fn months(engine: &Engine, names: &AccountNames) -> Result<Vec<Month>> {
    let months: Vec<String> = engine.link.command(cmd("SMEMBERS").arg(names.ledgers())).await?;
    let months = months.iter().map(|text| record::month(text).ok_or_else(|| unexpected(text)));
    let mut months = months.collect::<Result<Vec<_>>>()?;
    months.sort_unstable();
    Ok(months)
}
