//! `hold`: the short-term limit, the quota and the credit set aside, in one step. Everything is read before anything is
//! written.

use super::{
    accounts, counters,
    holds::{self, Open},
    moment::WindowAt,
    settlement,
};
use crate::{
    domain::{
        account::Account,
        client_address::ClientAddress,
        credit::{Admission, Channel, Charge, Denial, Draw, Hold, HoldRequest, KeyDraw, Pool, Remaining, Standing},
        rate_limit::{Burst, Verdict},
        time::UnixMicros,
    },
    store::{
        Result,
        key_names::{self, AccountNames, Served},
    },
};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// What will be charged and what is left then, or why nothing will be.
type Decision = std::result::Result<(Charge, Remaining), Denial>;

/// The same, as far as the quota goes: how many credits or pictures are left, or after how long there may be more.
type Quota = std::result::Result<(Charge, u64), Duration>;

pub(super) fn hold(db: &Connection, request: &HoldRequest, moment: &WindowAt) -> Result<Admission> {
    let now = moment.now;
    let payer = key_names::payer(&request.draw.payer());
    if let Some(settlement) = settlement::of(db, &payer, &request.id)? {
        return Ok(Admission::Settled(settlement));
    }
    if let Some(hold) = holds::find(db, &payer, &request.id, now)? {
        return Ok(Admission::Held(hold, Remaining::default()));
    }
    match decide(db, &payer, request, moment)? {
        Ok((charge, left)) => {
            let hold = Hold { id: request.id.clone(), charge, taken: now, expires: now.plus(request.lease) };
            holds::insert(db, &payer, &hold)?;
            Ok(Admission::Held(hold, left))
        }
        Err(denial) => Ok(Admission::Denied(denial)),
    }
}

fn decide(db: &Connection, payer: &str, request: &HoldRequest, moment: &WindowAt) -> Result<Decision> {
    let now = moment.now;
    match &request.draw {
        Draw::Account { uid, channel, key } => {
            let Some(account) = accounts::find(db, uid)? else { return Ok(Err(Denial::NoAccount)) };
            let account = moment.account(account);
            let quota = || account_quota(db, &account, (*channel, key.as_ref()), moment);
            after_burst(db, payer, request.burst, now, quota)
        }
        Draw::Client { client, per_day } => {
            after_burst(db, payer, request.burst, now, || client_quota(db, payer, client, *per_day, now))
        }
    }
}

/// Asks the short-term limit, then the quota. What the former lets through is taken from it for good, even if the latter
/// then says no.
fn after_burst(
    db: &Connection,
    payer: &str,
    burst: Option<Burst>,
    now: UnixMicros,
    quota: impl FnOnce() -> Result<Quota>,
) -> Result<Decision> {
    let arrival = match burst.map(|burst| judge(db, payer, burst, now)).transpose()? {
        Some(Verdict::Wait(retry_after)) => return Ok(Err(Denial::TooFast { retry_after })),
        Some(Verdict::Admit(arrival)) => Some(arrival),
        None => None,
    };
    let quota = quota()?;
    if let Some(arrival) = arrival {
        take_from_bucket(db, payer, arrival)?;
    }
    Ok(match quota {
        Ok((charge, quota)) => Ok((charge, Remaining { arrival, quota: Some(quota) })),
        Err(retry_after) => Err(Denial::Exhausted { retry_after, full_in: arrival.map(|arrival| now.until(arrival)) }),
    })
}

fn judge(db: &Connection, payer: &str, burst: Burst, now: UnixMicros) -> Result<Verdict> {
    let stored: Option<i64> = db
        .prepare_cached("SELECT arrival FROM buckets WHERE payer = ?1")?
        .query_row([payer], |row| row.get(0))
        .optional()?;
    Ok(burst.judge(stored.map(UnixMicros), now))
}

fn take_from_bucket(db: &Connection, payer: &str, arrival: UnixMicros) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO buckets (payer, arrival) VALUES (?1, ?2)
         ON CONFLICT (payer) DO UPDATE SET arrival = excluded.arrival",
    )?
    .execute(params![payer, arrival.0])?;
    Ok(())
}

/// The key's cap first, then the account's two pools.
fn account_quota(
    db: &Connection,
    account: &Account,
    (channel, key): (Channel, Option<&KeyDraw>),
    moment: &WindowAt,
) -> Result<Quota> {
    let now = moment.now;
    let names = AccountNames::of(&account.uid);
    let free_of_key = match key.map(|key| key_quota(db, &names, key, now)).transpose()? {
        Some(Err(wait)) => return Ok(Err(wait)),
        Some(Ok(free)) => free,
        None => u64::MAX,
    };
    let window = moment.window(account);
    let used = counters::usage(db, &names, window.counters())?;
    let (included, prepaid) = holds::of_account(db, names.own(), window.counters(), now)?;
    let standing = Standing {
        credits: account.credits,
        used: used.app.saturating_add(used.api),
        held_included: included.count,
        prepaid: account.prepaid,
        held_prepaid: prepaid.count,
    };
    let Some(pool) = standing.next_pool() else {
        let leases = [(Pool::Included, included), (Pool::Prepaid, prepaid)];
        let worth_waiting_for = leases.into_iter().filter(|(pool, _)| standing.frees_with_a_lease(*pool));
        let lease = worth_waiting_for.filter_map(|(_, open)| open.earliest).min();
        return Ok(Err(wait(lease, window.until.micros(), now)));
    };
    let (month, cycle, key) = (now.seconds().month(), window.cycle(), key.map(|key| &key.id));
    // A keep that cannot count would come too late.
    for pool in [Pool::Included, Pool::Prepaid] {
        for counter in (Served { channel, pool, month, cycle, key }).counters(&names) {
            counters::value(db, &counter)?;
        }
    }
    let charge = Charge::Account { uid: account.uid.clone(), channel, pool, month, cycle, key: key.cloned() };
    Ok(Ok((charge, free_of_key.min(standing.free().saturating_sub(1)))))
}

/// What a key's cap leaves of the UTC month after one more picture, whichever pool that comes from.
fn key_quota(
    db: &Connection,
    names: &AccountNames,
    key: &KeyDraw,
    now: UnixMicros,
) -> Result<std::result::Result<u64, Duration>> {
    let Some(cap) = key.monthly_cap else { return Ok(Ok(u64::MAX)) };
    let month = now.seconds().month();
    let used = counters::value(db, &names.key_usage(&key.id, month))?;
    let Open { count: held, earliest } = holds::of_key(db, names.own(), &key.id, month, now)?;
    let lease = earliest.filter(|_| used < cap);
    Ok(after_one_more(cap, used, held).ok_or_else(|| wait(lease, month.end().micros(), now)))
}

fn client_quota(db: &Connection, payer: &str, client: &ClientAddress, per_day: u64, now: UnixMicros) -> Result<Quota> {
    let day = now.seconds().date();
    let used = counters::value(db, &key_names::client_usage(client, day))?;
    let Open { count: held, earliest } = holds::of_client(db, payer, day, now)?;
    match after_one_more(per_day, used, held) {
        Some(left) => Ok(Ok((Charge::Client { client: client.clone(), day }, left))),
        None => Ok(Err(wait(earliest.filter(|_| used < per_day), day.end().micros(), now))),
    }
}

fn after_one_more(most: u64, used: u64, held: u64) -> Option<u64> {
    most.checked_sub(used)?.checked_sub(held)?.checked_sub(1)
}

fn wait(lease: Option<UnixMicros>, end: UnixMicros, now: UnixMicros) -> Duration {
    now.until(lease.map_or(end, |lease| lease.min(end)))
}
