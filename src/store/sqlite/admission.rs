//! `hold`: the short-term limit, the quota and the credit set aside, in one step.

use super::{
    accounts, counters,
    holds::{self, Open},
    present::Present,
    settlement,
};
use crate::{
    domain::{
        caller::{Account, Channel, ClientAddress, KeyId},
        credit::{Admission, Burst, Charge, Denial, Draw, Hold, HoldRequest, Pool, Standing},
        quota::Verdict,
        time::{UnixMicros, UnixSeconds},
    },
    store::{
        Result,
        keys::{self, AccountNames},
    },
};
use rusqlite::{Connection, OptionalExtension, params};

/// What will be charged, or why nothing will be.
type Decision = std::result::Result<Charge, Denial>;

pub(super) fn hold(db: &Connection, request: &HoldRequest, present: &Present) -> Result<Admission> {
    let now = present.now;
    let payer = keys::payer(&request.draw.payer());
    if let Some(settlement) = settlement::of(db, &payer, &request.id)? {
        return Ok(Admission::Settled(settlement));
    }
    if let Some(hold) = holds::find(db, &payer, &request.id, now)? {
        return Ok(Admission::Held(hold));
    }
    match decide(db, &payer, request, present)? {
        Ok(charge) => {
            let hold = Hold { id: request.id.clone(), charge, taken: now, expires: now.plus(request.lease) };
            holds::insert(db, &payer, &hold)?;
            Ok(Admission::Held(hold))
        }
        Err(denial) => Ok(Admission::Denied(denial)),
    }
}

fn decide(db: &Connection, payer: &str, request: &HoldRequest, present: &Present) -> Result<Decision> {
    let now = present.now;
    match &request.draw {
        Draw::Account { uid, channel, key } => {
            let Some(account) = accounts::find(db, uid)? else { return Ok(Err(Denial::NoAccount)) };
            if let Some(denial) = too_fast(db, payer, request.burst, now)? {
                return Ok(Err(denial));
            }
            account_charge(db, &present.account(account), *channel, key.as_ref(), present)
        }
        Draw::Client { client, per_day } => {
            if let Some(denial) = too_fast(db, payer, request.burst, now)? {
                return Ok(Err(denial));
            }
            client_charge(db, payer, client, *per_day, now)
        }
    }
}

/// Asks the short-term limit. What it lets through is taken from it for good, even if the quota then says no.
fn too_fast(db: &Connection, payer: &str, burst: Option<Burst>, now: UnixMicros) -> Result<Option<Denial>> {
    let Some(burst) = burst else { return Ok(None) };
    let stored: Option<i64> = db
        .prepare_cached("SELECT arrival FROM buckets WHERE payer = ?1")?
        .query_row([payer], |row| row.get(0))
        .optional()?;
    match burst.judge(stored.map(UnixMicros), now) {
        Verdict::Wait(retry_after) => Ok(Some(Denial::TooFast { retry_after })),
        Verdict::Admit(arrival) => {
            db.prepare_cached(
                "INSERT INTO buckets (payer, arrival) VALUES (?1, ?2)
                 ON CONFLICT (payer) DO UPDATE SET arrival = excluded.arrival",
            )?
            .execute(params![payer, arrival.0])?;
            Ok(None)
        }
    }
}

fn account_charge(
    db: &Connection,
    account: &Account,
    channel: Channel,
    key: Option<&KeyId>,
    present: &Present,
) -> Result<Decision> {
    let now = present.now;
    let names = AccountNames::of(&account.uid);
    let window = present.window(account);
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
        return Ok(Err(exhausted(worth_waiting_for.filter_map(|(_, open)| open.earliest).min(), window.until, now)));
    };
    Ok(Ok(Charge::Account {
        uid: account.uid.clone(),
        channel,
        pool,
        month: now.seconds().month(),
        cycle: window.cycle(),
        key: key.cloned(),
    }))
}

fn client_charge(
    db: &Connection,
    payer: &str,
    client: &ClientAddress,
    per_day: u64,
    now: UnixMicros,
) -> Result<Decision> {
    let day = now.seconds().date();
    let used = counters::value(db, &keys::client_usage(client, day))?;
    let Open { count: held, earliest } = holds::of_client(db, payer, day, now)?;
    if used.saturating_add(held) < per_day {
        return Ok(Ok(Charge::Client { client: client.clone(), day }));
    }
    Ok(Err(exhausted(earliest.filter(|_| used < per_day), day.end(), now)))
}

fn exhausted(lease: Option<UnixMicros>, window_end: UnixSeconds, now: UnixMicros) -> Denial {
    let end = window_end.micros();
    Denial::Exhausted { retry_after: now.until(lease.map_or(end, |lease| lease.min(end))) }
}
