//! Everything of an account, for another store.
//!
//! What other software had counted and this gateway has not adopted yet is exported as adopted: the ledger ends with an
//! opening for each such counter. So the ledger of an export always explains all of its counters.

use super::{
    accounts, api_keys, counters,
    engine::Engine,
    entry, ledger,
    operation::{DAY, Ended, UNDATED},
    record, stripe,
};
use crate::{
    domain::{
        account::{Account, Uid},
        credit::{Channel, OperationId},
        period::Counters,
        time::{Month, UnixMicros, UnixSeconds},
    },
    store::{
        AccountExport, Cursor, EntryKind, Fault, LedgerEntry, List, Page, Records, Result,
        key_names::AccountNames,
        number::PREPAID,
        transfer::{PART, SETTLED_FOR},
        whole::{not_an_integer, whole as read},
    },
};
use futures_util::future::try_join_all;
use redis::cmd;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Other software may have counted months since then. There is no index of them.
const FIRST_YEAR: u16 = 2010;

/// The mark after the last opening.
const OPENED: &str = "opened";

pub(super) async fn account(engine: &Engine, uid: &Uid) -> Result<Option<AccountExport>> {
    let Some(account) = accounts::find(engine, uid).await? else { return Ok(None) };
    let names = engine.names(uid);
    let counters = all_counters(engine, &names).await?;
    let openings = openings(engine, &names, &account, counters.clone()).await?;
    let mut entries = u64::try_from(openings.len()).unwrap_or(u64::MAX);
    for month in ledger::months(engine, &names).await? {
        entries += engine.link.command::<u64>(cmd("XLEN").arg(names.ledger(month))).await?;
    }
    let stripe: HashMap<String, String> = engine.link.command(cmd("HGETALL").arg(names.stripe())).await?;
    let version = stripe.get("version").map(|text| text.parse().map_err(|_| unexpected("Stripe's steps", text)));
    let remembered = stripe.get("remembered").cloned().unwrap_or_default();
    let moved: BTreeMap<i64, i64> = engine.link.command(cmd("HGETALL").arg(names.moved_cycles())).await?;
    Ok(Some(AccountExport {
        keys: api_keys::exported(engine, uid).await?,
        counters,
        ledger: entries,
        closed: ledger::closed(engine, &names).await?,
        grants: engine.link.command(cmd("HLEN").arg(names.grants())).await?,
        stripe: version.transpose()?.map(|version| (version, remembered)),
        stripe_objects: stripe_objects(engine, &names).await?,
        moved_cycles: moved.into_iter().map(|(from, to)| (UnixSeconds(from), UnixSeconds(to))).collect(),
        account,
    }))
}

pub(super) async fn part(engine: &Engine, uid: &Uid, list: List, after: &Cursor) -> Result<Page> {
    let names = engine.names(uid);
    match list {
        List::Ledger => {
            let (entries, next) = ledger_after(engine, uid, after, PART).await?;
            Ok(Page { next: next.filter(|_| !entries.is_empty()), records: Records::Ledger(entries) })
        }
        List::Grants => grants(engine, &names, after).await,
        List::Settled => settled(engine, &names, after).await,
        List::Events => {
            let (moments, next) = moments(engine, &names.stripe_events(), after).await?;
            Ok(Page { records: Records::Events(moments), next })
        }
    }
}

/// At most so many entries of a ledger after the mark, openings last; and the mark after them.
pub(super) async fn ledger_after(
    engine: &Engine,
    uid: &Uid,
    after: &Cursor,
    most: usize,
) -> Result<(Vec<LedgerEntry>, Option<Cursor>)> {
    if after.0 == OPENED {
        return Ok((Vec::new(), None));
    }
    let names = engine.names(uid);
    let (began, last) = after.0.split_once(' ').unwrap_or_default();
    let began = record::month(began);
    for month in ledger::months(engine, &names).await? {
        if began.is_some_and(|began| month < began) {
            continue;
        }
        let last = if began == Some(month) { last } else { "" };
        let page = ledger::page(engine, &names.ledger(month), last, most).await?;
        if let Some((id, _)) = page.last() {
            let next = cursor(month, id);
            return Ok((page.into_iter().map(|(_, entry)| entry).collect(), Some(next)));
        }
    }
    let Some(account) = accounts::find(engine, uid).await? else { return Ok((Vec::new(), None)) };
    let counters = all_counters(engine, &names).await?;
    Ok((openings(engine, &names, &account, counters).await?, Some(Cursor(OPENED.into()))))
}

/// The mark after one entry of a month's stream.
pub(super) fn cursor(month: Month, id: &str) -> Cursor {
    Cursor(format!("{month} {id}"))
}

/// Entries that adopt what this gateway has not counted. The same each time, so that an export can be repeated.
async fn openings(
    engine: &Engine,
    names: &AccountNames,
    account: &Account,
    mut stands: BTreeMap<String, i64>,
) -> Result<Vec<LedgerEntry>> {
    let counted: BTreeSet<String> = engine.link.command(cmd("SMEMBERS").arg(names.counted())).await?;
    stands.insert(PREPAID.into(), account.prepaid);
    let new: Vec<_> = stands.into_iter().filter(|(name, value)| *value != 0 && !counted.contains(name)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let at = last_moment(engine, names).await?;
    let entry = |(counter, credits): (String, i64)| LedgerEntry {
        operation: OperationId(format!("opening:{counter}").into()),
        at,
        kind: EntryKind::Opening { counter, credits },
    };
    Ok(new.into_iter().map(entry).collect())
}

/// When the ledger was last written to.
async fn last_moment(engine: &Engine, names: &AccountNames) -> Result<UnixMicros> {
    let long_ago = Month { year: FIRST_YEAR, month: 1 }.start().micros();
    let Some(month) = ledger::months(engine, names).await?.pop() else { return Ok(long_ago) };
    let mut command = cmd("XREVRANGE");
    command.arg(names.ledger(month)).arg("+").arg("-").arg("COUNT").arg(1);
    let last: Vec<(String, HashMap<String, String>)> = engine.link.command(&command).await?;
    let at = last.first().and_then(|(id, fields)| entry::read(id, fields).ok()).map(|entry| entry.at);
    Ok(at.unwrap_or(long_ago))
}

/// Every counter of an account: what this gateway has counted, and what other software may have.
async fn all_counters(engine: &Engine, names: &AccountNames) -> Result<BTreeMap<String, i64>> {
    counters::index_cycles(engine.link.clone(), engine.style).await?;
    let mut cache: BTreeSet<String> = engine.link.command(cmd("SMEMBERS").arg(names.counted())).await?;
    cache.remove(PREPAID);
    let cycles: Vec<i64> = engine.link.command(cmd("ZRANGE").arg(names.cycle_index()).arg(0).arg(-1)).await?;
    for name in cycles.into_iter().flat_map(|start| names.cycle_counters(UnixSeconds(start))) {
        cache.insert(names.below(&name).to_owned());
    }
    let (mut month, last) = (Month { year: FIRST_YEAR, month: 1 }, engine.now().seconds().month().next());
    while month <= last {
        for channel in [Channel::App, Channel::Api] {
            cache.insert(names.below(&names.usage(channel, Counters::Month(month))).to_owned());
        }
        month = month.next();
    }
    let (cache, mut counters) = (cache.into_iter().collect::<Vec<_>>(), BTreeMap::new());
    for some in cache.chunks(PART) {
        let whole: Vec<String> = some.iter().map(|name| names.whole(name)).collect();
        let values: Vec<Option<String>> = engine.link.command(cmd("MGET").arg(whole)).await?;
        for (name, value) in some.iter().zip(values) {
            let Some(value) = value else { continue };
            let value = read(&value).ok_or_else(|| not_an_integer(name))?;
            counters.insert(name.clone(), value);
        }
    }
    Ok(counters)
}

/// What is known of Stripe's objects that are about the account.
async fn stripe_objects(engine: &Engine, names: &AccountNames) -> Result<BTreeMap<String, String>> {
    let ids: Vec<String> = engine.link.command(cmd("SMEMBERS").arg(names.stripe_ids())).await?;
    let mut objects = BTreeMap::new();
    for some in ids.chunks(PART) {
        let cache = some.iter().map(async |id| Ok::<_, Fault>((id.clone(), stripe::object(engine, id).await?.text)));
        objects.extend(try_join_all(cache).await?);
    }
    Ok(objects)
}

/// A hash has no order: Redis' own cursor is the mark.
async fn grants(engine: &Engine, names: &AccountNames, after: &Cursor) -> Result<Page> {
    let cursor = if after.0.is_empty() { "0" } else { after.0.as_str() };
    let mut command = cmd("HSCAN");
    command.arg(names.grants()).arg(cursor).arg("COUNT").arg(PART);
    let (next, found): (String, Vec<(String, String)>) = engine.link.command(&command).await?;
    let records = found.into_iter().map(|(id, stored)| {
        let read =
            stored.split_once(' ').and_then(|(balance, credits)| Some((credits.parse().ok()?, balance.parse().ok()?)));
        let (credits, balance) = read.ok_or_else(|| unexpected("a grant", &stored))?;
        Ok((OperationId(id.into()), credits, balance))
    });
    Ok(Page {
        records: Records::Grants(records.collect::<Result<_>>()?),
        next: Some(Cursor(next)).filter(|next| next.0 != "0"),
    })
}

/// Names by their moments; the mark is how many have been read.
async fn moments(engine: &Engine, set: &str, after: &Cursor) -> Result<(Vec<(String, UnixMicros)>, Option<Cursor>)> {
    let from: usize = after.0.parse().unwrap_or(0);
    let mut command = cmd("ZRANGE");
    command.arg(set).arg(from).arg(from + PART - 1).arg("WITHSCORES");
    let found: Vec<(String, i64)> = engine.link.command(&command).await?;
    let next = (found.len() == PART).then(|| Cursor((from + PART).to_string()));
    Ok((found.into_iter().map(|(name, at)| (name, UnixMicros(at))).collect(), next))
}

/// How operations ended, a hash a day: the mark is the hash and Redis' own cursor in it. When is told by the id, or by the value
/// where the id does not tell it.
async fn settled(engine: &Engine, names: &AccountNames, after: &Cursor) -> Result<Page> {
    let hashes = settled_hashes(engine.now());
    let (hash, cursor) = after.0.split_once(' ').unwrap_or(("0", "0"));
    let (mut hash, mut cursor) = (hash.parse::<usize>().unwrap_or(0), cursor.to_owned());
    let since = engine.now().0.saturating_sub(SETTLED_FOR);
    let mut records = Vec::new();
    while records.is_empty()
        && let Some((ended, day)) = hashes.get(hash)
    {
        let mut command = cmd("HSCAN");
        command.arg(names.settled(ended.as_str(), day)).arg(cursor).arg("COUNT").arg(PART);
        let (next, found): (String, Vec<(String, String)>) = engine.link.command(&command).await?;
        for (id, told) in found.into_iter().filter(|(id, _)| !id.is_empty()) {
            let id = OperationId(id.into());
            let at =
                told.parse().ok().map(UnixMicros).or(id.stamp()).ok_or_else(|| unexpected("an operation", &id.0))?;
            if at.0 >= since {
                records.push((id, ended.settlement(), at));
            }
        }
        hash += usize::from(next == "0");
        cursor = next;
    }
    let next = (hash < hashes.len()).then(|| Cursor(format!("{hash} {cursor}")));
    Ok(Page { records: Records::Settled(records), next })
}

/// The hashes that may hold operations of the last week: gateways' clocks may be a day ahead.
fn settled_hashes(now: UnixMicros) -> Vec<(Ended, String)> {
    let today = now.0.div_euclid(DAY);
    let days = (today - SETTLED_FOR / DAY - 1..=today + 1).map(|day| day.to_string()).chain([UNDATED.to_owned()]);
    days.flat_map(|day| [(Ended::Kept, day.clone()), (Ended::Released, day)]).collect()
}

fn unexpected(what: &str, value: &str) -> Fault {
    Fault::Unexpected(format!("{what} is {value:?}"))
}
