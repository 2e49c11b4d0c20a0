//! The ledger: a stream a month, and the audit that adds it all up again.

use super::{
    accounts, counters,
    desk::Desk,
    entry::{self, Fields, strange},
    record,
};
use crate::{
    domain::{caller::Uid, credit::Pool, time::Month},
    store::{
        Audit, Difference, EntryKind, LedgerEntry, Result,
        keys::{AccountNames, Served},
    },
};
use redis::cmd;
use std::collections::BTreeMap;

/// What the balance is called among the counters of an audit.
pub(super) const PREPAID: &str = "prepaid";

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
    let account = accounts::existing(desk, uid).await?;
    let names = desk.names(uid);
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    let mut entries = 0;
    for month in months(desk, &names).await? {
        entries += fold(desk, &names, &names.ledger(month), &mut sums).await?;
    }
    let counted: Vec<String> = desk.line.command(cmd("SMEMBERS").arg(names.counted())).await?;
    for counter in counted {
        sums.entry(if counter == PREPAID { counter } else { names.whole(&counter) }).or_default();
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
    let mut sum = |counter: String, by: i64| *sums.entry(counter).or_default() += by;
    match kind {
        EntryKind::Granted { credits } => sum(PREPAID.into(), credits),
        EntryKind::Opening { counter, credits } => {
            sum(if counter == PREPAID { counter } else { names.whole(&counter) }, credits);
            return false;
        }
        EntryKind::PlanChanged { .. } | EntryKind::PeriodSynced { .. } => {}
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
