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
        credit::Pool,
        period::Counters,
        time::{Month, UnixSeconds},
    },
    store::{
        Audit, Difference, EntryKind, Fault, LedgerEntry, NotInteger, Result,
        key_names::{AccountNames, Served},
        number::{self, PREPAID},
        whole::whole,
    },
};
use redis::cmd;
use std::collections::{BTreeMap, HashMap};

/// Entries read at once.
const PAGE: usize = 1_000;

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
    let (mut sums, entries) = sums(engine, &names).await?;
    let counted: Vec<String> = engine.link.command(cmd("SMEMBERS").arg(names.counted())).await?;
    for counter in counted {
        sums.entry(if counter == PREPAID { counter } else { names.whole(&counter) }).or_default();
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
    let name = if counter == PREPAID { counter.to_owned() } else { names.whole(counter) };
    Ok(sums(engine, names).await?.0.remove(&name).unwrap_or(0))
}

/// What the ledger says of each counter; and how many entries it has, openings excluded.
async fn sums(engine: &Engine, names: &AccountNames) -> Result<(BTreeMap<String, i64>, u64)> {
    let (mut sums, mut entries) = (BTreeMap::new(), 0);
    for month in months(engine, names).await? {
        entries += fold(engine, names, &names.ledger(month), &mut sums).await?;
    }
    Ok((sums, entries))
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
    all.extend(keys.into_iter().map(|key| names.key_usage(&KeyId(key), month)));
    Ok(all)
}

/// Adds one month's stream to the sums; answers how many entries it has, openings excluded.
async fn fold(engine: &Engine, names: &AccountNames, stream: &str, sums: &mut BTreeMap<String, i64>) -> Result<u64> {
    let (mut after, mut entries) = (String::new(), 0);
    loop {
        let page = page(engine, stream, &after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(entries) };
        after.clone_from(last);
        for (_, entry) in page {
            entries += u64::from(add(names, entry.kind, sums));
        }
    }
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

/// Whether the entry is one of this gateway's own operations.
fn add(names: &AccountNames, kind: EntryKind, sums: &mut BTreeMap<String, i64>) -> bool {
    let mut sum = |counter: String, by: i64| {
        let sum = sums.entry(counter).or_default();
        *sum = sum.saturating_add(by);
    };
    match kind {
        EntryKind::Granted { credits } => sum(PREPAID.into(), credits),
        EntryKind::Opening { counter, credits } => {
            sum(if counter == PREPAID { counter } else { names.whole(&counter) }, credits);
            return false;
        }
        EntryKind::PlanChanged { .. } | EntryKind::PeriodSynced { .. } | EntryKind::Mended { .. } => {}
        EntryKind::Moved { from, to, app, api, prepaid } => {
            for (start, sign) in [(from, -1), (to, 1)] {
                for (counter, count) in names.cycle_counters(start).into_iter().zip([app, api, prepaid]) {
                    sum(counter, sign * count.cast_signed());
                }
            }
        }
        EntryKind::Served { channel, pool, month, cycle, key, late: _ } => {
            for counter in (Served { channel, pool, month, cycle, key: key.as_ref() }).counters(names) {
                sum(counter, 1);
            }
            if pool == Pool::Prepaid {
                sum(PREPAID.into(), -1);
            }
        }
    }
    true
}
