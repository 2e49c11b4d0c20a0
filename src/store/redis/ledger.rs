//! The ledger: a stream a month, and the audit that adds it all up again.

use super::{
    accounts, counters,
    engine::Engine,
    entry::{self, Fields, unexpected},
    moment::MOMENTS,
    record,
    scripts::Call,
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
    let named = |counter: String| if counter == PREPAID { counter } else { names.whole(&counter) };
    let mut sums: BTreeMap<String, i64> =
        credits.into_iter().map(|(counter, credits)| (named(counter), credits)).collect();
    let counted: Vec<String> = engine.link.command(cmd("SMEMBERS").arg(names.counted())).await?;
    for counter in counted {
        sums.entry(named(counter)).or_default();
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
/// oldest month, and the sums of closed months are those at the moment at which the first entries were read. So nothing is
/// missing as long as the entry that was read last is still there.
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
    if months.is_empty() {
        return Ok(Some(closed(engine, names).await?.sums));
    }
    let (mut sums, mut last) = (Sums::default(), None);
    for month in months {
        loop {
            let Some(part) = part(engine, names, month, last.as_ref()).await? else { return Ok(None) };
            if last.is_none() {
                sums = part.closed.sums;
            }
            for (_, entry) in &part.entries {
                sums.add(names, &entry.kind);
            }
            let is_full = part.entries.len() == PAGE;
            last = part.entries.into_iter().next_back().map(|(id, _)| (month, id)).or(last);
            if !is_full {
                break;
            }
        }
    }
    Ok(Some(sums))
}

/// Entries of one month, and what was closed at the same moment.
pub(super) struct Part {
    pub(super) entries: Vec<(String, LedgerEntry)>,
    /// Only for the first part.
    pub(super) closed: Closed,
    /// How many steps of closing there have been.
    pub(super) step: String,
}

/// At most a page of a month's entries: its first ones, or those after the one that was read last. `None` if that one has been
/// closed meanwhile.
pub(super) async fn part(
    engine: &Engine,
    names: &AccountNames,
    month: Month,
    last: Option<&(Month, String)>,
) -> Result<Option<Part>> {
    let (of, id) = last.map_or((month, ""), |(month, id)| (*month, id.as_str()));
    let goes_on = last.is_some_and(|(of, _)| *of == month);
    let call = Call::of(&engine.scripts.ledger_page)
        .key(names.closed())
        .key(names.ledger(month))
        .key(names.ledger(of))
        .arg(id)
        .arg(u8::from(goes_on))
        .arg(PAGE);
    let (is_there, closed, entries): (u8, Fields, Vec<(String, Fields)>) = call.run(&engine.link).await?;
    if is_there == 0 {
        return Ok(None);
    }
    Ok(Some(Part {
        entries: entries.into_iter().map(|(id, fields)| read(id, &fields)).collect::<Result<_>>()?,
        step: closed.get(STEP).cloned().unwrap_or_else(|| "0".into()),
        closed: closed_of(names, closed)?,
    }))
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
        Ok(account) => account.and_then(|account| engine.terms.window(&account, engine.now().seconds()).cycle()),
        Err(Fault::Unexpected(_)) => None,
        Err(fault) => return Err(fault),
    };
    all.extend(starts.into_iter().map(UnixSeconds).chain(cycle).flat_map(|start| names.cycle_counters(start)));
    let keys: Vec<String> = engine.link.command(cmd("HKEYS").arg(names.keys())).await?;
    all.extend(keys.into_iter().map(|key| names.key_usage(&KeyId(key), month)));
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
    page.into_iter().map(|(id, fields)| read(id, &fields)).collect()
}

/// The months that have a ledger, oldest first.
pub(super) async fn months(engine: &Engine, names: &AccountNames) -> Result<Vec<Month>> {
    let months: Vec<String> = engine.link.command(cmd("SMEMBERS").arg(names.ledgers())).await?;
    let months = months.iter().map(|text| record::month(text).ok_or_else(|| unexpected(text)));
    let mut months = months.collect::<Result<Vec<_>>>()?;
    months.sort_unstable();
    Ok(months)
}

fn read(id: String, fields: &Fields) -> Result<(String, LedgerEntry)> {
    entry::read(&id, fields).map(|entry| (id, entry))
}
