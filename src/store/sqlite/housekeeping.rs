//! Deletes rows that no request can need any more: a part of them with one commit in every second, found by index.

use super::DAY;
use crate::{domain::time::UnixMicros, store::Result};
use rusqlite::{Connection, params};

/// The time from one round to the next (µs), unless a round has left rows behind.
const EVERY: i64 = 1_000_000;

/// The most rows of one kind that one commit deletes, so that no caller waits long for it.
const AT_ONCE: usize = 512;

/// How long settled operations are remembered: repeats and late holds within this time change nothing.
const SETTLED_FOR: i64 = 7 * DAY;

/// How long claimed events are remembered. What follows from an event is remembered beside its claim, so that even a later
/// repeat changes nothing.
const CLAIMED_FOR: i64 = 30 * DAY;

/// When the next round of deletions is due.
#[derive(Default)]
pub(super) struct Housekeeping {
    last: Option<UnixMicros>,
}

impl Housekeeping {
    pub(super) fn is_due(&self, now: UnixMicros) -> bool {
        // The time of day may be set back.
        self.last.is_none_or(|last| now < last || now.0 - last.0 >= EVERY)
    }

    /// Deletes at most [`AT_ONCE`] rows of each kind. Where there may be more, the next commit goes on.
    pub(super) fn trim(&mut self, db: &Connection, now: UnixMicros) -> Result<()> {
        self.last = Some(now);
        if delete(db, now)? == AT_ONCE {
            self.last = None;
        }
        Ok(())
    }
}

/// The number of deleted rows, of the kind that had the most.
fn delete(db: &Connection, now: UnixMicros) -> Result<usize> {
    let mut most = 0;
    for (sql, before) in [
        ("DELETE FROM holds WHERE (payer, id) IN (SELECT payer, id FROM holds WHERE expires <= ?1 LIMIT ?2)", now.0),
        (
            "DELETE FROM settled WHERE (payer, id) IN (SELECT payer, id FROM settled WHERE at < ?1 LIMIT ?2)",
            now.0.saturating_sub(SETTLED_FOR * 1_000_000),
        ),
        (
            "DELETE FROM stripe_events WHERE (uid, id) IN (SELECT uid, id FROM stripe_events WHERE at < ?1 LIMIT ?2)",
            now.0.saturating_sub(CLAIMED_FOR * 1_000_000),
        ),
        ("DELETE FROM buckets WHERE payer IN (SELECT payer FROM buckets WHERE arrival <= ?1 LIMIT ?2)", now.0),
        (
            "DELETE FROM counters WHERE name IN (SELECT name FROM counters WHERE expires <= ?1 LIMIT ?2)",
            now.seconds().0,
        ),
    ] {
        let deleted = db.prepare_cached(sql)?.execute(params![before, AT_ONCE.cast_signed()])?;
        most = most.max(deleted);
    }
    Ok(most)
}
