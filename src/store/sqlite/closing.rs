//! Closed months: what their entries add up to is kept, the entries are deleted.

use super::{SqliteStore, accounts, closed_months, ledger};
use crate::{
    domain::{
        account::Uid,
        credit::OperationId,
        shared_text::SharedText,
        time::{Month, UnixMicros},
    },
    failpoint::{self, Point},
    store::{
        Closed, ClosedPage, Closing, EntryKind, LedgerEntry, Result, Sums,
        closing::{PAGE, is_closed, may_close, too_early},
        key_names::AccountNames,
    },
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

const NOTHING: ClosedPage = ClosedPage { entries: 0, more: false };

#[async_trait]
impl Closing for SqliteStore {
    async fn close_page(&self, uid: &Uid, through: Month) -> Result<ClosedPage> {
        let (of, uid) = (uid.clone(), uid.clone());
        // Most accounts have nothing to close, which needs no commit.
        let due = self.readers.run(move |db| Due::read(db, &of, through)).await?;
        let Some(due) = due else { return Ok(NOTHING) };
        self.writer.run(move |db, now| close_page(db, &uid, due, now)).await
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

/// A page of entries to close. It is read and added up outside the writer, in which pictures would wait for it.
struct Due {
    through: Month,
    entries: usize,
    sums: Sums,
    /// The number of the last entry, and its operation.
    last: (i64, OperationId),
}

impl Due {
    /// Entries are closed in their order, up to the first that is of a later month: what comes after it waits for that one, so
    /// that no step looks at more than a page. `None` if there is nothing to close.
    fn read(db: &Connection, uid: &Uid, through: Month) -> Result<Option<Self>> {
        let is_due = |(_, entry): &(i64, LedgerEntry)| month(entry) <= through;
        if !ledger::after(db, uid, 0, 1)?.iter().all(is_due) {
            return Ok(None);
        }
        let page = ledger::after(db, uid, 0, PAGE)?;
        let entries = page.iter().take_while(|one| is_due(one)).count();
        let Some((seq, last)) = page[..entries].last() else { return Ok(None) };
        let (names, mut sums) = (AccountNames::of(uid), Sums::default());
        for (_, entry) in &page[..entries] {
            sums.add(&names, &entry.kind);
        }
        Ok(Some(Self { through, entries, sums, last: (*seq, last.operation.clone()) }))
    }

    /// Whether nobody else has closed any of these entries. While the last one is there, none is added before it; its operation
    /// is compared because `SQLite` gives the number again once no higher one is in use.
    fn is_still_there(&self, db: &Connection, uid: &Uid) -> Result<bool> {
        let (seq, operation) = &self.last;
        let last: Option<SharedText> = db
            .prepare_cached("SELECT operation FROM ledger WHERE uid = ?1 AND seq = ?2")?
            .query_row(params![uid.as_str(), seq], |row| row.get(0))
            .optional()?;
        let entries: i64 = db
            .prepare_cached("SELECT COUNT(*) FROM ledger WHERE uid = ?1 AND seq <= ?2")?
            .query_row(params![uid.as_str(), seq], |row| row.get(0))?;
        let are_all = usize::try_from(entries).is_ok_and(|entries| entries == self.entries);
        Ok(are_all && last.as_ref() == Some(&operation.0))
    }
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

fn close_page(db: &Connection, uid: &Uid, due: Due, now: UnixMicros) -> Result<ClosedPage> {
    if !may_close(due.through, now) {
        return Err(too_early(due.through));
    }
    if accounts::find(db, uid)?.is_none() {
        return Ok(NOTHING);
    }
    if !due.is_still_there(db, uid)? {
        return Ok(ClosedPage { entries: 0, more: true });
    }
    write(db, uid, &Closed { through: Some(due.through), sums: due.sums })?;
    failpoint::reach(Point::InClosing);
    db.prepare_cached("DELETE FROM ledger WHERE uid = ?1 AND seq <= ?2")?.execute(params![uid.as_str(), due.last.0])?;
    Ok(ClosedPage { entries: due.entries, more: due.entries == PAGE })
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
