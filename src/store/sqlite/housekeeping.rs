//! Forgetting what nobody can ask for any more: a little with every commit, found by index.

use super::DAY;
use crate::{domain::time::UnixMicros, store::Result};
use rusqlite::{Connection, params};

/// How long settled operations are remembered: repeats and late holds within this time change nothing.
const SETTLED_FOR: i64 = 7 * DAY;

/// How long claimed events are remembered. What follows from an event is remembered beside its claim, so that even a later
/// repeat changes nothing.
const CLAIMED_FOR: i64 = 30 * DAY;

/// Forgets at most so many rows of each kind.
pub(super) fn trim(db: &Connection, now: UnixMicros, at_most: isize) -> Result<()> {
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
        db.prepare_cached(sql)?.execute(params![before, at_most])?;
    }
    Ok(())
}
