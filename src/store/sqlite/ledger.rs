//! The ledger: one row for everything that moved a counter or a balance, and the audit that adds it all up again.

use super::{accounts, closed_months};
use crate::{
    domain::{
        account::Uid,
        api_key::KeyId,
        credit::{Channel, OperationId, Pool},
        time::{Month, UnixMicros, UnixSeconds},
    },
    store::{
        Audit, Difference, EntryKind, Fault, LedgerEntry, NotInteger, Result, Sums,
        key_names::{AccountNames, Served},
        number::PREPAID,
        whole::fits,
    },
};
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;

/// The kind of an entry that moved usage between cycles.
const MOVED: &str = "moved";

/// The kind of an entry that took over a counter.
const OPENING: &str = "opening";

pub(super) fn append(db: &Connection, uid: &Uid, entry: &LedgerEntry) -> Result<()> {
    let (operation, at) = (&entry.operation.0, entry.at.0);
    match &entry.kind {
        EntryKind::Served { channel, pool, month, cycle, key, late } => db
            .prepare_cached(
                "INSERT INTO ledger (uid, operation, at, kind, channel, pool, year, month, cycle, key, late)
                 VALUES (?1, ?2, ?3, 'served', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                uid.as_str(),
                operation,
                at,
                channel.as_str(),
                pool.as_str(),
                month.year,
                month.month,
                cycle.map(|start| start.0),
                key.as_ref().map(|key| &key.0),
                late
            ])?,
        EntryKind::Opening { .. } => detailed(db, uid, entry, OPENING)?,
        EntryKind::Granted { credits } => db
            .prepare_cached(
                "INSERT INTO ledger (uid, operation, at, kind, credits) VALUES (?1, ?2, ?3, 'granted', ?4)",
            )?
            .execute(params![uid.as_str(), operation, at, credits])?,
        EntryKind::Mended { .. } => detailed(db, uid, entry, "mended")?,
        EntryKind::PlanChanged { .. } => detailed(db, uid, entry, "plan_changed")?,
        EntryKind::PeriodSynced { .. } => detailed(db, uid, entry, "period_synced")?,
        EntryKind::Moved { .. } => detailed(db, uid, entry, MOVED)?,
    };
    Ok(())
}

fn detailed(db: &Connection, uid: &Uid, entry: &LedgerEntry, kind: &str) -> Result<usize> {
    let detail = serde_json::to_string(&entry.kind).map_err(|error| unexpected(&error))?;
    let written = db
        .prepare_cached("INSERT INTO ledger (uid, operation, at, kind, detail) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![uid.as_str(), entry.operation.0, entry.at.0, kind, detail])?;
    Ok(written)
}

/// At most so many entries of an account after the one with this number, in order, each with its own.
pub(super) fn after(db: &Connection, uid: &Uid, seq: i64, most: usize) -> Result<Vec<(i64, LedgerEntry)>> {
    let mut statement = db.prepare_cached(
        "SELECT channel, pool, year, month, cycle, key, late, credits, detail, kind, operation, at, seq FROM ledger
         WHERE uid = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![uid.as_str(), seq, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (operation, at) = (OperationId(row.get(10)?), UnixMicros(row.get(11)?));
        entries.push((row.get(12)?, LedgerEntry { operation, at, kind: kind(row)? }));
    }
    Ok(entries)
}

fn kind(row: &Row<'_>) -> Result<EntryKind> {
    match row.get::<_, String>(9)?.as_str() {
        "granted" => Ok(EntryKind::Granted { credits: row.get(7)? }),
        "served" => {
            let key = row.get::<_, Option<_>>(5)?.map(KeyId);
            let Served { channel, pool, month, cycle, .. } = served(row, None)?;
            Ok(EntryKind::Served { channel, pool, month, cycle, key, late: row.get(6)? })
        }
        _ => serde_json::from_str(&row.get::<_, String>(8)?).map_err(|error| unexpected(&error)),
    }
}

pub(super) fn audit(db: &Connection, uid: &Uid) -> Result<Audit> {
    accounts::must_exist(db, uid)?;
    let names = AccountNames::of(uid);
    let (mut sums, mut not_integers) = (Compared::default(), Vec::new());
    for (field, value) in accounts::numbers(db, uid)? {
        if !fits(value) {
            not_integers.push(NotInteger::new(format!("{} {field}", names.own()), &value.to_string()));
        }
        if field == "prepaid_credits" {
            sums.stored(PREPAID.into(), value);
        }
    }
    read_counters(db, &names, &mut sums)?;
    fold(db, uid, &names, &mut sums)?;
    not_integers.extend(sums.not_integers());
    // A number that cannot be counted is not compared.
    let is_no_integer = |counter: &str| {
        not_integers.iter().any(|one| one.key == counter || one.key.ends_with(&format!(" {counter}_credits")))
    };
    let mut differences = sums.differences();
    differences.retain(|one| !is_no_integer(&one.counter));
    let entries = closed_months::sums(db, uid)?.entries + entries(db, uid)?;
    Ok(Audit { uid: uid.clone(), entries, differences, not_integers })
}

/// The sum of a whole ledger for one counter, named as it names it.
pub(super) fn sum(db: &Connection, uid: &Uid, counter: &str) -> Result<i64> {
    let (names, mut sums) = (AccountNames::of(uid), Compared::default());
    fold(db, uid, &names, &mut sums)?;
    let name = if counter == PREPAID { counter.to_owned() } else { names.whole(counter) };
    Ok(sums.0.get(&name).map_or(0, |(_, ledger)| *ledger))
}

fn fold(db: &Connection, uid: &Uid, names: &AccountNames, sums: &mut Compared) -> Result<()> {
    let mut ledger = closed_months::sums(db, uid)?;
    add_detailed(db, uid, names, &mut ledger)?;
    for (counter, credits) in ledger.credits {
        sums.ledger(if counter == PREPAID { counter } else { names.whole(&counter) }, credits);
    }
    fold_served(db, uid, names, sums)?;
    fold_granted(db, uid, sums)
}

/// Two columns to compare, by counter.
#[derive(Default)]
struct Compared(BTreeMap<String, (i64, i64)>);

impl Compared {
    fn stored(&mut self, counter: String, value: i64) {
        let stored = &mut self.0.entry(counter).or_default().0;
        *stored = stored.saturating_add(value);
    }

    fn ledger(&mut self, counter: String, by: i64) {
        let ledger = &mut self.0.entry(counter).or_default().1;
        *ledger = ledger.saturating_add(by);
    }

    /// Counters that stand beyond what can be counted.
    fn not_integers(&self) -> Vec<NotInteger> {
        let beyond = self.0.iter().filter(|(counter, (stored, _))| *counter != PREPAID && !fits(*stored));
        beyond.map(|(counter, (stored, _))| NotInteger::new(counter.clone(), &stored.to_string())).collect()
    }

    fn differences(self) -> Vec<Difference> {
        let differing = self.0.into_iter().filter(|(_, (stored, ledger))| stored != ledger);
        differing.map(|(counter, (stored, ledger))| Difference { counter, stored, ledger }).collect()
    }
}

/// Everything that is counted under the account's name, whether or not the ledger knows why.
fn read_counters(db: &Connection, names: &AccountNames, sums: &mut Compared) -> Result<()> {
    let (first, past) = (format!("{}:", names.own()), format!("{};", names.own()));
    let mut statement = db.prepare_cached("SELECT name, value FROM counters WHERE name >= ?1 AND name < ?2")?;
    let mut rows = statement.query([first, past])?;
    while let Some(row) = rows.next()? {
        sums.stored(row.get(0)?, row.get(1)?);
    }
    Ok(())
}

fn fold_served(db: &Connection, uid: &Uid, names: &AccountNames, sums: &mut Compared) -> Result<()> {
    let mut statement = db.prepare_cached(
        "SELECT channel, pool, year, month, cycle, key, COUNT(*) FROM ledger
         WHERE uid = ?1 AND kind = 'served' GROUP BY channel, pool, year, month, cycle, key",
    )?;
    let mut rows = statement.query([uid.as_str()])?;
    while let Some(row) = rows.next()? {
        let key = row.get::<_, Option<_>>(5)?.map(KeyId);
        let served = served(row, key.as_ref())?;
        let pictures: i64 = row.get(6)?;
        for counter in served.counters(names) {
            sums.ledger(counter, pictures);
        }
        if served.pool == Pool::Prepaid {
            sums.ledger(PREPAID.into(), -pictures);
        }
    }
    Ok(())
}

fn fold_granted(db: &Connection, uid: &Uid, sums: &mut Compared) -> Result<()> {
    let credits: i64 = db
        .prepare_cached("SELECT COALESCE(SUM(credits), 0) FROM ledger WHERE uid = ?1 AND kind = 'granted'")?
        .query_row([uid.as_str()], |row| row.get(0))?;
    sums.ledger(PREPAID.into(), credits);
    Ok(())
}

fn add_detailed(db: &Connection, uid: &Uid, names: &AccountNames, sums: &mut Sums) -> Result<()> {
    let mut statement = db.prepare_cached("SELECT detail FROM ledger WHERE uid = ?1 AND kind IN (?2, ?3)")?;
    let mut rows = statement.query([uid.as_str(), MOVED, OPENING])?;
    while let Some(row) = rows.next()? {
        let kind: EntryKind = serde_json::from_str(&row.get::<_, String>(0)?).map_err(|error| unexpected(&error))?;
        sums.add(names, &kind);
    }
    Ok(())
}

/// Entries of this gateway's own operations, without those that were closed.
fn entries(db: &Connection, uid: &Uid) -> Result<u64> {
    let entries: i64 = db
        .prepare_cached("SELECT COUNT(*) FROM ledger WHERE uid = ?1 AND kind <> ?2")?
        .query_row([uid.as_str(), OPENING], |row| row.get(0))?;
    Ok(entries.unsigned_abs())
}

fn served<'key>(row: &Row<'_>, key: Option<&'key KeyId>) -> Result<Served<'key>> {
    let (channel, pool): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(Served {
        channel: one_of([Channel::App, Channel::Api], Channel::as_str, &channel)?,
        pool: one_of([Pool::Included, Pool::Prepaid], Pool::as_str, &pool)?,
        month: Month { year: row.get(2)?, month: row.get(3)? },
        cycle: row.get::<_, Option<i64>>(4)?.map(UnixSeconds),
        key,
    })
}

fn one_of<T: Copy>(all: [T; 2], name: impl Fn(T) -> &'static str, text: &str) -> Result<T> {
    let found = all.into_iter().find(|one| name(*one) == text);
    found.ok_or_else(|| Fault::Unexpected(format!("the ledger says {text:?}")))
}

fn unexpected(error: &serde_json::Error) -> Fault {
    Fault::Unexpected(format!("a ledger entry cannot be read: {error}"))
}
