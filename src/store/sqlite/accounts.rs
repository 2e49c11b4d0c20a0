//! Accounts.

use crate::{
    domain::{
        caller::{Account, Uid},
        credit::Burst,
        period::BillingPeriod,
        time::UnixSeconds,
    },
    store::{AccountChange, Fault, Result},
};
use rusqlite::{Connection, Row, params};

const COLUMNS: &str = "uid, membership, credits, prepaid, email_verified, billing_period_start, billing_period_end, \
                       burst_per_minute, burst_size";

pub(super) fn find(db: &Connection, uid: &Uid) -> Result<Option<Account>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE uid = ?1"))?;
    let mut rows = statement.query([uid.as_str()])?;
    rows.next()?.map(|row| from_row(row)).transpose()
}

/// The account, or the operator's error that there is none.
pub(super) fn existing(db: &Connection, uid: &Uid) -> Result<Account> {
    find(db, uid)?.ok_or_else(|| Fault::Impossible(format!("there is no account {uid}")))
}

pub(super) fn all(db: &Connection) -> Result<Vec<Account>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts ORDER BY uid"))?;
    let mut rows = statement.query([])?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        accounts.push(from_row(row)?);
    }
    Ok(accounts)
}

pub(super) fn put(db: &Connection, change: &AccountChange) -> Result<Account> {
    let credits = change.credits.or(change.plan.as_ref().map(|(_, credits)| *credits));
    let credits = credits.map(i64::try_from).transpose();
    let credits = credits.map_err(|_| Fault::Impossible("no account can have that many credits".into()))?;
    let plan = change.plan.as_ref().map(|(name, _)| name);
    let made = db
        .prepare_cached("INSERT INTO accounts (uid) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([change.uid.as_str()])?;
    if made == 0 && change.only_new {
        return existing(db, &change.uid);
    }
    // A plan brings its own short-term limit, so the account's goes.
    let clear = plan.is_some() || change.burst.is_some();
    let (per_minute, size) = change.burst.map(|burst| (burst.per_minute, burst.size)).unzip();
    db.prepare_cached(
        "UPDATE accounts SET membership = COALESCE(?2, membership), credits = COALESCE(?3, credits),
         email_verified = COALESCE(?4, email_verified),
         burst_per_minute = IIF(?5, ?6, burst_per_minute), burst_size = IIF(?5, ?7, burst_size) WHERE uid = ?1",
    )?
    .execute(params![change.uid.as_str(), plan, credits, change.email_verified, clear, per_minute, size])?;
    existing(db, &change.uid)
}

pub(super) fn change_prepaid(db: &Connection, uid: &Uid, by: i64) -> Result<()> {
    db.prepare_cached("UPDATE accounts SET prepaid = prepaid + ?2 WHERE uid = ?1")?
        .execute(params![uid.as_str(), by])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> Result<Account> {
    let period: (Option<i64>, Option<i64>) = (row.get(5)?, row.get(6)?);
    let burst: (Option<u32>, Option<u32>) = (row.get(7)?, row.get(8)?);
    Ok(Account {
        uid: uid(row.get(0)?)?,
        membership: row.get(1)?,
        credits: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        prepaid: row.get(3)?,
        email_verified: row.get(4)?,
        burst: burst.0.zip(burst.1).map(|(per_minute, size)| Burst { per_minute, size }),
        billing_period: period
            .0
            .zip(period.1)
            .map(|(start, end)| BillingPeriod::new(UnixSeconds(start), UnixSeconds(end))),
    })
}

/// An account id as stored.
pub(super) fn uid(stored: String) -> Result<Uid> {
    Uid::new(stored).map_err(|error| Fault::Unexpected(error.to_string()))
}
