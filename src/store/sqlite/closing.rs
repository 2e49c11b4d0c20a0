//! Closed months: what their entries add up to is kept, the entries are deleted.

use super::{SqliteStore, accounts, closed_months, ledger, writer::Outdates};
use crate::{
    domain::{
        account::Uid,
        time::{Month, UnixMicros},
    },
    failpoint::{self, Point},
    store::{
        Closed, ClosedPage, Closing, EntryKind, LedgerEntry, Result,
        closing::{PAGE, is_closed, may_close, too_early},
        key_names::AccountNames,
    },
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

#[async_trait]
impl Closing for SqliteStore {
    async fn close_page(&self, uid: &Uid, through: Month) -> Result<ClosedPage> {
        let of = uid.clone();
        // Most accounts have nothing to close, which needs no commit.
        if !self.readers.run(move |db| is_due(db, &of, through)).await? {
            return Ok(ClosedPage { entries: 0, more: false });
        }
        let uid = uid.clone();
        self.writer.run_changing(Outdates::Nothing, move |db, now| close_page(db, &uid, through, now)).await
    }

    async fn all_closed(&self) -> Result<Option<Month>> {
        self.readers
            .run(|db| {
                let found = db
                    .prepare_cached("SELECT year, month FROM all_closed")?
                    .query_row([], |row| Ok(Month { year: row.get(0)?, month: row.get(1)? }));
                Ok(found.optional()?)
            })
            .await
    }

    async fn note_all_closed(&self, Month { year, month }: Month) -> Result<()> {
        self.writer
            .run(move |db, _| {
                db.prepare_cached("INSERT OR REPLACE INTO all_closed (id, year, month) VALUES (0, ?1, ?2)")?
                    .execute([i64::from(year), i64::from(month)])?;
                Ok(())
            })
            .await
    }
}

/// Whether the oldest entry is to be closed.
fn is_due(db: &Connection, uid: &Uid, through: Month) -> Result<bool> {
    let oldest = ledger::after(db, uid, 0, 1)?;
    Ok(oldest.first().is_some_and(|(_, entry)| month(entry) <= through))
}

/// The month of an entry: a picture's is that of its hold.
fn month(entry: &LedgerEntry) -> Month {
    match entry.kind {
        EntryKind::Served { month, .. } => month,
        EntryKind::Opening { .. }
        | EntryKind::Mended { .. }
        | EntryKind::Granted { .. }
        | EntryKind::PlanChanged { .. }
        | EntryKind::PeriodSynced { .. }
        | EntryKind::Moved { .. } => entry.at.seconds().month(),
    }
}

/// Entries are closed in their order, up to the first that is of a later month: what comes after it waits for that one, so that
/// no step looks at more than a page.
fn close_page(db: &Connection, uid: &Uid, through: Month, now: UnixMicros) -> Result<ClosedPage> {
    if !may_close(through, now) {
        return Err(too_early(through));
    }
    if accounts::find(db, uid)?.is_none() {
        return Ok(ClosedPage { entries: 0, more: false });
    }
    let page = ledger::after(db, uid, 0, PAGE)?;
    let due = page.iter().take_while(|(_, entry)| month(entry) <= through).count();
    let Some((last, _)) = page[..due].last() else { return Ok(ClosedPage { entries: 0, more: false }) };
    let (names, mut closed) = (AccountNames::of(uid), Closed { through: Some(through), ..Closed::default() });
    for (_, entry) in &page[..due] {
        closed.sums.add(&names, &entry.kind);
    }
    write(db, uid, &closed)?;
    failpoint::reach(Point::InClosing);
    db.prepare_cached("DELETE FROM ledger WHERE uid = ?1 AND seq <= ?2")?.execute(params![uid.as_str(), last])?;
    Ok(ClosedPage { entries: due, more: due == PAGE })
}

/// Adds to what is closed.
pub(super) fn write(db: &Connection, uid: &Uid, closed: &Closed) -> Result<()> {
    let Some(Month { year, month }) = closed.through else { return Ok(()) };
    let mut add = db.prepare_cached(
        "INSERT INTO closed (uid, counter, credits) VALUES (?1, ?2, ?3)
         ON CONFLICT (uid, counter) DO UPDATE SET credits = credits + excluded.credits",
    )?;
    for (counter, credits) in &closed.sums.credits {
        add.execute(params![uid.as_str(), counter, credits])?;
    }
    db.prepare_cached(
        "INSERT INTO closed_through (uid, year, month, entries) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (uid) DO UPDATE SET entries = entries + excluded.entries,
         year = iif((excluded.year, excluded.month) > (year, month), excluded.year, year),
         month = iif((excluded.year, excluded.month) > (year, month), excluded.month, month)",
    )?
    .execute(params![uid.as_str(), year, month, closed.sums.entries.cast_signed()])?;
    Ok(())
}

/// What an account's closed months add up to.
pub(super) fn closed(db: &Connection, uid: &Uid) -> Result<Closed> {
    Ok(Closed { through: through(db, uid)?, sums: closed_months::sums(db, uid)? })
}

fn through(db: &Connection, uid: &Uid) -> Result<Option<Month>> {
    let found = db
        .prepare_cached("SELECT year, month FROM closed_through WHERE uid = ?1")?
        .query_row([uid.as_str()], |row| Ok(Month { year: row.get(0)?, month: row.get(1)? }));
    Ok(found.optional()?)
}

/// The fault of a keep for a closed month. The present month is never asked for.
pub(super) fn must_be_open(db: &Connection, uid: &Uid, month: Month, now: UnixMicros) -> Result<()> {
    if month < now.seconds().month() && through(db, uid)?.is_some_and(|through| month <= through) {
        return Err(is_closed(uid, month));
    }
    Ok(())
}
