//! `keep` and `release`: the first to arrive decides, and one that comes later is told so.

use super::{DAY, accounts, closing, counters, cycles, holds, ledger};
use crate::{
    domain::{
        credit::{Charge, Hold, Kept, OperationId, Payer, Pool, Settlement},
        time::{UnixMicros, UnixSeconds},
    },
    failpoint::{self, Point},
    store::{
        EntryKind, LedgerEntry, Result,
        key_names::{self, AccountNames, Served},
    },
};
use rusqlite::{Connection, OptionalExtension, params};

/// How an operation ended, if it has.
pub(super) fn of(db: &Connection, payer: &str, id: &OperationId) -> Result<Option<Settlement>> {
    let kept: Option<bool> = db
        .prepare_cached("SELECT kept FROM settled WHERE payer = ?1 AND id = ?2")?
        .query_row(params![payer, id.0], |row| row.get(0))
        .optional()?;
    Ok(kept.map(|kept| if kept { Settlement::Kept } else { Settlement::Released }))
}

pub(super) fn keep(db: &Connection, hold: &Hold, now: UnixMicros) -> Result<Kept> {
    let payer = hold.charge.payer();
    let name = key_names::payer(&payer);
    let settlement = if let Some(earlier) = of(db, &name, &hold.id)? {
        earlier
    } else {
        count(db, hold, now)?;
        failpoint::reach(Point::InStore);
        settle(db, &name, &hold.id, Settlement::Kept, now)?
    };
    Ok(Kept { settlement })
}

pub(super) fn release(db: &Connection, id: &OperationId, payer: &Payer, now: UnixMicros) -> Result<Settlement> {
    let payer = key_names::payer(payer);
    match of(db, &payer, id)? {
        Some(earlier) => Ok(earlier),
        None => settle(db, &payer, id, Settlement::Released, now),
    }
}

fn settle(
    db: &Connection,
    payer: &str,
    id: &OperationId,
    settlement: Settlement,
    now: UnixMicros,
) -> Result<Settlement> {
    holds::remove(db, payer, id)?;
    db.prepare_cached("INSERT INTO settled (payer, id, kept, at) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        payer,
        id.0,
        settlement == Settlement::Kept,
        now.0
    ])?;
    Ok(settlement)
}

/// The hold itself says what to count: its row may be long gone. Everything is read before anything is written.
fn count(db: &Connection, hold: &Hold, now: UnixMicros) -> Result<()> {
    let (uid, served) = match &hold.charge {
        Charge::Client { client, day } => {
            // No request needs a day once it is over, but a keep may still come.
            let forgotten = UnixSeconds(day.end().0.saturating_add(DAY));
            let counter = key_names::client_usage(client, *day);
            counters::value(db, &counter)?;
            return counters::raise(db, &counter, Some(forgotten));
        }
        Charge::Account { uid, channel, pool, month, cycle, key } => {
            accounts::existing(db, uid)?;
            closing::must_be_open(db, uid, *month, now)?;
            let cycle = cycle.map(|start| cycles::now_of(db, uid, start)).transpose()?;
            (uid, Served { channel: *channel, pool: *pool, month: *month, cycle, key: key.as_ref() })
        }
    };
    let counters = served.counters(&AccountNames::of(uid));
    for counter in &counters {
        counters::value(db, counter)?;
    }
    for counter in &counters {
        counters::raise(db, counter, None)?;
    }
    if served.pool == Pool::Prepaid {
        accounts::change_prepaid(db, uid, -1)?;
    }
    let kind = EntryKind::Served {
        channel: served.channel,
        pool: served.pool,
        month: served.month,
        cycle: served.cycle,
        key: served.key.cloned(),
        late: hold.expires <= now,
    };
    ledger::append(db, uid, &LedgerEntry { operation: hold.id.clone(), at: now, kind })
}
