//! The ledger: a stream a month, and the audit that adds it all up again.

use super::{
    accounts, counters,
    desk::Desk,
    entry::{self, Fields, strange},
    present::MOMENTS,
    record,
};
use crate::{
    domain::{
        caller::{KeyId, Uid},
        credit::Pool,
        period::Counters,
        time::{Month, UnixSeconds},
    },
    store::{
        Audit, Difference, EntryKind, Fault, LedgerEntry, Odd, Result,
        keys::{AccountNames, Served},
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
pub(super) async fn audit(desk: &Desk, uid: &Uid) -> Result<Audit> {
    let mut audit = look(desk, uid).await?;
    for _ in 1..LOOKS {
        if audit.differences.is_empty() {
            break;
        }
        let mut again = look(desk, uid).await?;
        again.differences.retain(|one| audit.differences.iter().any(|before| before.counter == one.counter));
        audit = again;
    }
    Ok(audit)
}

async fn look(desk: &Desk, uid: &Uid) -> Result<Audit> {
    let (fields, names) = (accounts::fields(desk, uid).await?, desk.names(uid));
    if fields.is_empty() {
        return Err(accounts::nobody(uid));
    }
    let (mut sums, entries) = sums(desk, &names).await?;
    let counted: Vec<String> = desk.line.command(cmd("SMEMBERS").arg(names.counted())).await?;
    for counter in counted {
        sums.entry(if counter == PREPAID { counter } else { names.whole(&counter) }).or_default();
    }
    let mut audit = Audit { uid: uid.clone(), entries, differences: Vec::new(), odd: odd_fields(&names, &fields) };
    let mut compare = |counter: String, stored: i64, ledger: Option<i64>| {
        if let Some(ledger) = ledger.filter(|ledger| *ledger != stored) {
            audit.differences.push(Difference { counter, stored, ledger });
        }
    };
    if let (Some(ledger), Some(stored)) = (sums.remove(PREPAID), whole_field(&fields, "prepaid_credits")) {
        compare(PREPAID.into(), stored, Some(ledger));
    }
    let uncounted = uncounted(desk, uid, &names).await?.into_iter().map(|name| (name, None));
    let mut all: BTreeMap<String, Option<i64>> = uncounted.collect();
    all.extend(sums.into_iter().map(|(name, ledger)| (name, Some(ledger))));
    let mut odd = Vec::new();
    for (name, ledger) in all {
        let stands = counters::look(desk, &name).await?;
        match stands.number(&name) {
            Ok(stored) => compare(name, stored, ledger),
            Err(_) => odd.push(Odd::new(name, &stands.to_string())),
        }
    }
    audit.odd.extend(odd);
    Ok(audit)
}

/// The sum of a whole ledger for one counter, named as it names it.
pub(super) async fn sum(desk: &Desk, names: &AccountNames, counter: &str) -> Result<i64> {
    let name = if counter == PREPAID { counter.to_owned() } else { names.whole(counter) };
    Ok(sums(desk, names).await?.0.remove(&name).unwrap_or(0))
}

/// What the ledger says of each counter; and how many entries it has, openings excluded.
async fn sums(desk: &Desk, names: &AccountNames) -> Result<(BTreeMap<String, i64>, u64)> {
    let (mut sums, mut entries) = (BTreeMap::new(), 0);
    for month in months(desk, names).await? {
        entries += fold(desk, names, &names.ledger(month), &mut sums).await?;
    }
    Ok((sums, entries))
}

fn whole_field(fields: &HashMap<String, String>, name: &str) -> Option<i64> {
    fields.get(name).map_or(Some(0), |text| whole(text))
}

/// Fields of an account that keep it from being served. An empty moment is none.
fn odd_fields(names: &AccountNames, fields: &HashMap<String, String>) -> Vec<Odd> {
    let known = ["prepaid_credits"].into_iter().chain(number::FIELDS);
    let odd = known.filter_map(|name| Some((name, fields.get(name)?)));
    odd.filter(|(name, text)| whole(text).is_none() && !(MOMENTS.contains(name) && text.is_empty()))
        .map(|(name, text)| Odd::new(format!("{} {name}", names.own()), &format!("{text:?}")))
        .collect()
}

/// Counters that are asked before a picture is served, whether or not this gateway has counted in them.
async fn uncounted(desk: &Desk, uid: &Uid, names: &AccountNames) -> Result<Vec<String>> {
    let month = desk.now().seconds().month();
    let mut all = Vec::from(names.usages(Counters::Month(month)));
    all.push(names.prepaid_usage(Counters::Month(month)));
    let starts: Vec<i64> = desk.line.command(cmd("ZRANGE").arg(names.cycle_index()).arg(0).arg(-1)).await?;
    let cycle = match accounts::find(desk, uid).await {
        Ok(account) => account.and_then(|account| desk.terms.window(&account, desk.now().seconds()).cycle()),
        Err(Fault::Unexpected(_)) => None,
        Err(fault) => return Err(fault),
    };
    all.extend(starts.into_iter().map(UnixSeconds).chain(cycle).flat_map(|start| names.cycle_counters(start)));
    let keys: Vec<String> = desk.line.command(cmd("HKEYS").arg(names.keys())).await?;
    all.extend(keys.into_iter().map(|key| names.key_usage(&KeyId(key), month)));
    Ok(all)
}

/// Adds one month's stream to the sums; answers how many entries it has, openings excluded.
async fn fold(desk: &Desk, names: &AccountNames, stream: &str, sums: &mut BTreeMap<String, i64>) -> Result<u64> {
    let (mut after, mut entries) = (String::new(), 0);
    loop {
        let page = page(desk, stream, &after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(entries) };
        after.clone_from(last);
        for (_, entry) in page {
            entries += u64::from(add(names, entry.kind, sums));
        }
    }
}

/// The entries of a stream after the one with this id, or from its beginning if that is empty.
pub(super) async fn page(desk: &Desk, stream: &str, after: &str, most: usize) -> Result<Vec<(String, LedgerEntry)>> {
    let from = if after.is_empty() { "-".to_owned() } else { format!("({after}") };
    let mut command = cmd("XRANGE");
    command.arg(stream).arg(from).arg("+").arg("COUNT").arg(most);
    let page: Vec<(String, Fields)> = desk.line.command(&command).await?;
    page.into_iter().map(|(id, fields)| Ok((id, entry::read(&fields)?))).collect()
}

/// The months that have a ledger, oldest first.
pub(super) async fn months(desk: &Desk, names: &AccountNames) -> Result<Vec<Month>> {
    let months: Vec<String> = desk.line.command(cmd("SMEMBERS").arg(names.ledgers())).await?;
    let months = months.iter().map(|text| record::month(text).ok_or_else(|| strange(text)));
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
