//! The file: how it is created, opened, recognised, and what its tables are.

use crate::{
    domain::time::UnixMicros,
    store::{Fault, Result},
};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The schema that this version writes; others are refused.
const VERSION: i64 = 3;

/// How often, a millisecond apart, to ask for a lock that another process holds.
///
/// `SQLite`'s own back-off grows to 100 ms a try, and the free moment between two group commits of a busy gateway is
/// far shorter: the command line would hardly ever find it.
const BUSY_TRIES: i32 = 5_000;

/// Statements that a connection keeps prepared: all that there are.
const STATEMENTS: usize = 128;

const TABLES: &str = "
CREATE TABLE accounts (
    uid TEXT PRIMARY KEY,
    membership TEXT NOT NULL DEFAULT '',
    credits INTEGER NOT NULL DEFAULT 0,
    prepaid INTEGER NOT NULL DEFAULT 0,
    email_verified INTEGER NOT NULL DEFAULT 0,
    burst_per_minute INTEGER,
    burst_size INTEGER,
    priority INTEGER,
    max_pixels INTEGER,
    billing_period_start INTEGER,
    billing_period_end INTEGER,
    billing_interval_unit TEXT,
    billing_interval_count INTEGER,
    billing_anchor INTEGER,
    billing_ends_at INTEGER,
    billing_fallen INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- `networks`: with blanks between them, empty for anywhere.
CREATE TABLE api_keys (
    hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    uid TEXT NOT NULL,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    networks TEXT NOT NULL,
    monthly_cap INTEGER,
    last_used INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_of_account ON api_keys (uid, created, id);

-- Named as documented. `expires` (unix seconds): when nobody can ask for it any more, NULL for never.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    expires INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX counters_by_expiry ON counters (expires) WHERE expires IS NOT NULL;

-- The short-term limits: one theoretical arrival time each, in microseconds. Once it has passed, the bucket is full.
CREATE TABLE buckets (
    payer TEXT PRIMARY KEY,
    arrival INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_by_arrival ON buckets (arrival);

-- `charge` is the whole of it (JSON); pool, calendar ('2026:3' or '2026:3:9'), cycle and key repeat what is counted by.
CREATE TABLE holds (
    payer TEXT NOT NULL,
    id TEXT NOT NULL,
    taken INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    charge TEXT NOT NULL,
    pool TEXT,
    calendar TEXT NOT NULL,
    cycle INTEGER,
    key TEXT,
    PRIMARY KEY (payer, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_by_expiry ON holds (expires);
CREATE INDEX holds_by_quota ON holds (payer, pool, calendar, cycle, expires);

CREATE TABLE settled (
    payer TEXT NOT NULL,
    id TEXT NOT NULL,
    kept INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (payer, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX settled_by_age ON settled (at);

-- Remembered for ever: an operator may repeat a grant after months.
CREATE TABLE grants (
    uid TEXT NOT NULL,
    id TEXT NOT NULL,
    credits INTEGER NOT NULL,
    balance INTEGER NOT NULL,
    PRIMARY KEY (uid, id)
) STRICT, WITHOUT ROWID;

-- `detail` (JSON) is the whole of an entry that has no columns of its own.
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    uid TEXT NOT NULL,
    operation TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT,
    pool TEXT,
    year INTEGER,
    month INTEGER,
    cycle INTEGER,
    key TEXT,
    late INTEGER,
    credits INTEGER,
    detail TEXT
) STRICT;
CREATE INDEX ledger_of_account ON ledger (uid);

-- What the entries of an account's closed months add up to: by counter, without the account's own name.
CREATE TABLE closed (
    uid TEXT NOT NULL,
    counter TEXT NOT NULL,
    credits INTEGER NOT NULL,
    PRIMARY KEY (uid, counter)
) STRICT, WITHOUT ROWID;

-- No keep of this month or an earlier one is counted any more. `entries`: how many were closed, openings excluded.
CREATE TABLE closed_through (
    uid TEXT PRIMARY KEY,
    year INTEGER NOT NULL,
    month INTEGER NOT NULL,
    entries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The month through which the ledgers of all accounts are closed.
CREATE TABLE all_closed (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    year INTEGER NOT NULL,
    month INTEGER NOT NULL
) STRICT;

-- What Stripe's events have left of each account.
CREATE TABLE stripe_accounts (
    uid TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    remembered TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stripe_events (
    uid TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (uid, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stripe_events_by_age ON stripe_events (at);

-- What is known of Stripe's objects and customers.
CREATE TABLE stripe_objects (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which of them are about an account; one may be about several.
CREATE TABLE stripe_ids (
    uid TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (uid, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (
    id TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    about TEXT NOT NULL,
    reason TEXT NOT NULL,
    aliases TEXT NOT NULL,
    event TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE parked_under (
    alias TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (alias, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_under_by_event ON parked_under (id);

-- Predicted billing cycles whose usage went to another: keeps that still come follow.
CREATE TABLE moved_cycles (
    uid TEXT NOT NULL,
    source INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY (uid, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE pulse (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    at INTEGER NOT NULL
) STRICT;
";

/// A database file, and the inode that it was when it was opened.
#[derive(Clone, Debug)]
pub(super) struct File {
    path: PathBuf,
    identity: (u64, u64),
}

impl File {
    /// Makes the folder and the file where they are missing, readable by their owner only, and the tables in it.
    pub(super) fn prepare(path: &Path) -> Result<Self> {
        let told = |error: io::Error| Fault::Unavailable(format!("cannot open {}: {error}", path.display()));
        create(path).map_err(told)?;
        let file = Self { path: path.to_owned(), identity: identity(path).map_err(told)? };
        let mut db = file.connect()?;
        wal(&db)?;
        migrate(&mut db, path)?;
        Ok(file)
    }

    /// A new connection to the file.
    pub(super) fn connect(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_handler(Some(wait_for_lock))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(db)
    }

    /// Device and inode.
    pub(super) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Fails when the path no longer names the file that is open: what is written to a deleted file is lost, and
    /// `SQLite` would go on writing to it.
    pub(super) fn check_in_place(&self) -> Result<()> {
        match identity(&self.path) {
            Ok(found) if found == self.identity => Ok(()),
            Ok(_) => Err(Fault::Unavailable(format!("{} has been replaced", self.path.display()))),
            Err(error) => Err(Fault::Unavailable(format!("{}: {error}", self.path.display()))),
        }
    }
}

fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

fn wait_for_lock(tries: i32) -> bool {
    thread::sleep(Duration::from_millis(1));
    tries < BUSY_TRIES
}

/// Where several open a new file at once, `SQLite` gives up here without asking the busy handler.
fn wal(db: &Connection) -> Result<()> {
    let switch = || db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    let mut tries = 0;
    let mode = loop {
        match switch() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && wait_for_lock(tries) => {
                tries += 1;
            }
            switched => break switched?,
        }
    };
    if mode == "wal" { Ok(()) } else { Err(Fault::Unexpected(format!("the database cannot use WAL, only {mode}"))) }
}

fn migrate(db: &mut Connection, path: &Path) -> Result<()> {
    let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = step.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = step.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (version, tables) {
        (VERSION, _) => Ok(()),
        (0, 0) => {
            step.execute_batch(TABLES)?;
            step.pragma_update(None, "user_version", VERSION)?;
            Ok(step.commit()?)
        }
        (newer, _) if newer > VERSION => Err(Fault::Unexpected(format!(
            "a newer version of this program has written {} (schema {newer}, this version knows {VERSION}): run that version, \
             or restore a back-up from before it",
            path.display()
        ))),
        _ => Err(Fault::Unexpected(format!(
            "{} has schema version {version}, this program knows {VERSION}: it is another version's, or another program's",
            path.display()
        ))),
    }
}

/// Writes a row that is there for this alone: it shows whether writing works.
pub(super) fn write_test_row(db: &Connection, now: UnixMicros) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO pulse (id, at) VALUES (0, ?1)")?.execute([now.0])?;
    Ok(())
}

/// Reads it.
pub(super) fn read_test_row(db: &Connection) -> Result<()> {
    db.prepare_cached("SELECT at FROM pulse")?.query_row([], |row| row.get::<_, i64>(0))?;
    Ok(())
}
