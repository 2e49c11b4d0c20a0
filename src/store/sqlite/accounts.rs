//! Accounts.

use super::moment::WindowAt;
use crate::{
    domain::{
        account::{Account, Overrides, Uid},
        period::{BillingPeriod, Interval, IntervalUnit},
        rate_limit::Burst,
        time::UnixSeconds,
    },
    store::{
        AccountChange, Fault, Result,
        key_names::AccountNames,
        number::FIELDS,
        whole::{fits, not_an_integer},
    },
};
use rusqlite::{Connection, Row, params};

const FIND: &str = "SELECT uid, membership, credits, prepaid, email_verified, billing_period_start, billing_period_end,
    billing_interval_unit, billing_interval_count, billing_anchor, billing_ends_at, billing_fallen,
    burst_per_minute, burst_size, priority, max_pixels
    FROM accounts WHERE uid = ?1";

/// The account as it is stored.
pub(super) fn find(db: &Connection, uid: &Uid) -> Result<Option<Account>> {
    let mut statement = db.prepare_cached(FIND)?;
    let mut rows = statement.query([uid.as_str()])?;
    rows.next()?.map(|row| from_row(row)).transpose()
}

/// The account, or the operator's error that there is none.
pub(super) fn existing(db: &Connection, uid: &Uid) -> Result<Account> {
    find(db, uid)?.ok_or_else(|| Fault::NotFound(format!("there is no account {uid}")))
}

/// Fails without the account. An account that cannot be read is there, too.
pub(super) fn must_exist(db: &Connection, uid: &Uid) -> Result<()> {
    let exists = db.prepare_cached("SELECT 1 FROM accounts WHERE uid = ?1")?.exists([uid.as_str()])?;
    if exists { Ok(()) } else { Err(Fault::NotFound(format!("there is no account {uid}"))) }
}

pub(super) fn uids(db: &Connection) -> Result<Vec<Uid>> {
    let mut statement = db.prepare_cached("SELECT uid FROM accounts ORDER BY uid")?;
    let mut rows = statement.query([])?;
    let mut uids = Vec::new();
    while let Some(row) = rows.next()? {
        uids.push(uid(row.get(0)?)?);
    }
    Ok(uids)
}

/// What stands in the columns of an account that must be whole numbers; an empty one is left out.
pub(super) fn numbers(db: &Connection, uid: &Uid) -> Result<Vec<(&'static str, i64)>> {
    let mut found = Vec::new();
    for (column, field) in [("prepaid", "prepaid_credits")].into_iter().chain(FIELDS.map(|field| (field, field))) {
        let value: Option<i64> = db
            .prepare_cached(&format!("SELECT {column} FROM accounts WHERE uid = ?1"))?
            .query_row([uid.as_str()], |row| row.get(0))?;
        found.extend(value.map(|value| (field, value)));
    }
    Ok(found)
}

/// Sets one of these columns.
pub(super) fn set_number(db: &Connection, uid: &Uid, column: &str, value: i64) -> Result<()> {
    db.prepare_cached(&format!("UPDATE accounts SET {column} = ?2 WHERE uid = ?1"))?
        .execute(params![uid.as_str(), value])?;
    Ok(())
}

pub(super) fn put(db: &Connection, change: &AccountChange, moment: &WindowAt) -> Result<Account> {
    let credits = change.credits.or(change.plan.as_ref().map(|(_, credits)| *credits));
    let credits = credits.map(allowance).transpose()?;
    let plan = change.plan.as_ref().map(|(name, _)| name);
    let made = db
        .prepare_cached("INSERT INTO accounts (uid) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([change.uid.as_str()])?;
    if made == 0 && change.only_new {
        return existing(db, &change.uid).map(|account| moment.account(account));
    }
    let stored = existing(db, &change.uid)?;
    let before = stored.overrides;
    let falls = moment.terms.must_fall(&stored, moment.now.seconds());
    if falls {
        fall(db, &moment.account(stored))?;
    }
    let another_plan = falls || plan.is_some();
    if another_plan {
        outdate_stripe_steps(db, &change.uid)?;
    }
    // A plan brings its own numbers, so the account's go.
    let overrides = if another_plan { change.overrides } else { change.overrides.or(before) };
    db.prepare_cached(
        "UPDATE accounts SET membership = COALESCE(?2, membership), credits = COALESCE(?3, credits),
         email_verified = COALESCE(?4, email_verified) WHERE uid = ?1",
    )?
    .execute(params![change.uid.as_str(), plan, credits, change.email_verified])?;
    set_overrides(db, &change.uid, overrides)?;
    existing(db, &change.uid)
}

/// Steps of Stripe's that were computed from the account as it was do nothing any more.
fn outdate_stripe_steps(db: &Connection, uid: &Uid) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO stripe_accounts (uid, version, remembered) VALUES (?1, 1, '')
         ON CONFLICT (uid) DO UPDATE SET version = version + 1",
    )?
    .execute([uid.as_str()])?;
    Ok(())
}

/// Makes an account with everything that it has.
pub(super) fn insert(db: &Connection, account: &Account) -> Result<()> {
    let Account { uid, membership, credits, prepaid, email_verified, overrides, billing_period } = account;
    db.prepare_cached(
        "INSERT INTO accounts (uid, membership, credits, prepaid, email_verified) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![uid.as_str(), membership, allowance(*credits)?, prepaid, email_verified])?;
    set_overrides(db, uid, *overrides)?;
    billing_period.map_or(Ok(()), |period| set_period(db, uid, &period))
}

pub(super) fn set_plan(db: &Connection, uid: &Uid, plan: &str, credits: u64) -> Result<()> {
    db.prepare_cached("UPDATE accounts SET membership = ?2, credits = ?3 WHERE uid = ?1")?.execute(params![
        uid.as_str(),
        plan,
        allowance(credits)?
    ])?;
    set_overrides(db, uid, Overrides::default())
}

fn set_overrides(db: &Connection, uid: &Uid, overrides: Overrides) -> Result<()> {
    let Overrides { burst, priority, max_pixels } = overrides;
    let (per_minute, size) = burst.map(|burst| (burst.per_minute, burst.size)).unzip();
    let max_pixels = max_pixels.map(pixels).transpose()?;
    db.prepare_cached(
        "UPDATE accounts SET burst_per_minute = ?2, burst_size = ?3, priority = ?4, max_pixels = ?5 WHERE uid = ?1",
    )?
    .execute(params![uid.as_str(), per_minute, size, priority, max_pixels])?;
    Ok(())
}

pub(super) fn set_period(db: &Connection, uid: &Uid, period: &BillingPeriod) -> Result<()> {
    let BillingPeriod { start, end, interval, anchor, ends_at, fallen } = period;
    db.prepare_cached(
        "UPDATE accounts SET billing_period_start = ?2, billing_period_end = ?3, billing_interval_unit = ?4,
         billing_interval_count = ?5, billing_anchor = ?6, billing_ends_at = ?7, billing_fallen = ?8 WHERE uid = ?1",
    )?
    .execute(params![
        uid.as_str(),
        start.0,
        end.0,
        interval.map(|interval| interval.unit.as_str()),
        interval.map(|interval| interval.count),
        anchor.map(|moment| moment.0),
        ends_at.map(|moment| moment.0),
        fallen
    ])?;
    Ok(())
}

/// Writes what an account has fallen to.
fn fall(db: &Connection, fallen: &Account) -> Result<()> {
    set_plan(db, &fallen.uid, &fallen.membership, fallen.credits)?;
    fallen.billing_period.map_or(Ok(()), |period| set_period(db, &fallen.uid, &period))
}

pub(super) fn change_prepaid(db: &Connection, uid: &Uid, by: i64) -> Result<()> {
    db.prepare_cached("UPDATE accounts SET prepaid = prepaid + ?2 WHERE uid = ?1")?
        .execute(params![uid.as_str(), by])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> Result<Account> {
    let uid = uid(row.get(0)?)?;
    let number = |column, field| match row.get(column)? {
        number if fits(number) => Ok(number),
        _ => Err(not_an_integer(&format!("{} {field}", AccountNames::of(&uid).own()))),
    };
    let own = |column| Ok::<_, Fault>(row.get::<_, Option<i64>>(column)?.and_then(|number| u64::try_from(number).ok()));
    Ok(Account {
        membership: row.get(1)?,
        credits: u64::try_from(number(2, "credits")?).unwrap_or(0),
        prepaid: number(3, "prepaid_credits")?,
        email_verified: row.get(4)?,
        overrides: Overrides {
            burst: own(12)?.zip(own(13)?).map(|(per_minute, size)| Burst::of(per_minute, size)),
            priority: own(14)?.map(|turns| u8::try_from(turns).unwrap_or(u8::MAX)),
            max_pixels: own(15)?,
        },
        uid,
        billing_period: period(row)?,
    })
}

/// The billing period, once both its bounds are there.
fn period(row: &Row<'_>) -> Result<Option<BillingPeriod>> {
    let moment = |column| Ok::<_, Fault>(row.get::<_, Option<i64>>(column)?.map(UnixSeconds));
    let Some((start, end)) = moment(5)?.zip(moment(6)?) else { return Ok(None) };
    let interval: Option<(String, i64)> = row.get::<_, Option<_>>(7)?.zip(row.get(8)?);
    let count = |count: i64| u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let interval =
        interval.map(|(unit, number)| Ok::<_, Fault>(Interval { unit: interval_unit(&unit)?, count: count(number) }));
    Ok(Some(BillingPeriod {
        start,
        end,
        interval: interval.transpose()?,
        anchor: moment(9)?,
        ends_at: moment(10)?,
        fallen: row.get(11)?,
    }))
}

fn interval_unit(stored: &str) -> Result<IntervalUnit> {
    let found = IntervalUnit::ALL.into_iter().find(|unit| unit.as_str() == stored);
    found.ok_or_else(|| Fault::Unexpected(format!("an account renews every {stored:?}")))
}

fn allowance(credits: u64) -> Result<i64> {
    i64::try_from(credits).map_err(|_| Fault::TooLarge("no account can have that many credits".into()))
}

fn pixels(most: u64) -> Result<i64> {
    i64::try_from(most).map_err(|_| Fault::TooLarge("no picture can have that many pixels".into()))
}

/// An account id as stored.
pub(super) fn uid(stored: String) -> Result<Uid> {
    Uid::new(stored).map_err(|error| Fault::Unexpected(error.to_string()))
}
