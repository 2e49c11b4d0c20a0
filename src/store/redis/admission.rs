//! `hold`

use super::{
    engine::{Assumed, Engine, STALE_TRIES, too_many_conflicts},
    moment::PeriodFields,
    record,
    scripts::Call,
    settlement::settled_as,
};
use crate::{
    domain::{
        account::Uid,
        client_address::ClientAddress,
        credit::{Admission, Denial, Draw, Hold, HoldRequest, Payer, Pool, Remaining},
        period::Counters,
        time::UnixMicros,
    },
    store::{
        Fault, Result,
        key_names::{self, PayerNames, Served},
    },
};
use std::{collections::BTreeSet, time::Duration};

pub(super) async fn hold(engine: &Engine, request: &HoldRequest) -> Result<Admission> {
    let mut assumed = engine.assumed(&request.draw.payer());
    for _ in 0..STALE_TRIES {
        let call = match &request.draw {
            Draw::Account { uid, .. } => for_account(engine, request, uid, &assumed),
            Draw::Client { client, per_day } => for_client(engine, request, client, *per_day, assumed.now),
        };
        let answer: Vec<String> = call.run(&engine.link).await?;
        match engine.if_stale(&request.draw.payer(), &answer)? {
            Some(better) => assumed = better,
            None => return admission(request, &answer),
        }
    }
    Err(too_many_conflicts())
}

/// Writes a hold again that the server has lost, unless it has been settled or has ended.
pub(super) async fn restore(engine: &Engine, hold: &Hold) -> Result<()> {
    let payer = hold.charge.payer();
    let names = PayerNames::of(&payer, engine.style);
    let moved = match &payer {
        Payer::Account(uid) => engine.names(uid).moved_cycles(),
        // A client has no cycles; the script asks for none.
        Payer::Client(_) => names.holds.clone(),
    };
    let call = Call::of(&engine.scripts.restore).key(names.holds).key(names.leases).key(names.settled).key(moved);
    let call = engine.with_open_holds(call).arg(&hold.id.0).arg(engine.now_argument()).arg(record::text(hold));
    call.run(&engine.link).await
}

/// The keys: `used` are the counters of the window, or of the day, and of the API key.
fn begin<'a>(engine: &'a Engine, payer: &Payer, own: &str, used: [String; 3]) -> Call<'a> {
    let names = PayerNames::of(payer, engine.style);
    let call = Call::of(&engine.scripts.hold).key(own).key(names.holds).key(names.leases).key(names.settled);
    let call = used.into_iter().fold(call.key(names.bucket), Call::key);
    engine.with_open_holds(call)
}

/// The arguments that both kinds of payer begin with.
fn common<'a>(engine: &Engine, call: Call<'a>, request: &HoldRequest, seen: &str) -> Call<'a> {
    let burst = request.burst.map(|burst| (burst.interval_micros().to_string(), burst.whole_micros().to_string()));
    let (interval, whole) = burst.unwrap_or_default();
    let lease = i64::try_from(request.lease.as_micros()).unwrap_or(i64::MAX / 4);
    call.arg(&request.id.0).arg(engine.now_argument()).arg(lease).arg(interval).arg(whole).arg(seen)
}

fn for_account<'a>(engine: &'a Engine, request: &HoldRequest, uid: &Uid, assumed: &Assumed) -> Call<'a> {
    let PeriodFields(seen) = &assumed.seen;
    let (moment, names) = (engine.moment(assumed), engine.names(uid));
    let window = moment.window.counters();
    let allowance = match window {
        Counters::Month(month) => format!("included:{month}"),
        Counters::Cycle(start) => format!("included:cycle:{}", start.0),
    };
    let Draw::Account { channel, key, .. } = &request.draw else { return Call::of(&engine.scripts.hold) };
    let of_key = key.as_ref().map_or("", |key| key.id.0.as_str());
    let used_by_key = key.as_ref().map(|key| names.key_usage(&key.id, moment.month));
    let [app, api] = names.usages(window);
    let used = [app, api, used_by_key.unwrap_or_else(|| names.own().into())];
    let call = begin(engine, &request.draw.payer(), names.own(), used);
    let call = common(engine, call, request, seen)
        .arg(moment.from.0)
        .arg(moment.until.0)
        .arg("account")
        .arg(moment.credits(&engine.terms))
        .arg(moment.month.to_string())
        .arg(moment.window.cycle().map_or(String::new(), |start| start.0.to_string()))
        .arg(allowance)
        .arg(format!("{}|{of_key}", channel.as_str()))
        .arg(moment.window.until.micros().0)
        .arg(key.as_ref().and_then(|key| key.monthly_cap).map_or(String::new(), |cap| cap.to_string()))
        .arg(moment.month.end().micros().0);
    // A keep that cannot count would come too late.
    let of_pool = |pool| {
        let (month, cycle, key) = (moment.month, moment.window.cycle(), key.as_ref().map(|key| &key.id));
        Served { channel: *channel, pool, month, cycle, key }.counters(&names)
    };
    let raised: BTreeSet<String> = [Pool::Included, Pool::Prepaid].into_iter().flat_map(of_pool).collect();
    raised.iter().fold(call, |call, counter| call.arg(names.below(counter)))
}

fn for_client<'a>(
    engine: &'a Engine,
    request: &HoldRequest,
    client: &ClientAddress,
    per_day: u64,
    now: UnixMicros,
) -> Call<'a> {
    let day = now.seconds().date();
    let (from, until) = (day.end().micros().0 - 86_400_000_000, day.end().micros().0);
    let counter = key_names::styled_client_usage(client, day, engine.style);
    let payer = request.draw.payer();
    let own = key_names::styled_payer(&payer, engine.style);
    let call = begin(engine, &payer, &own, [counter.clone(), counter, own.clone()]);
    common(engine, call, request, "")
        .arg(from)
        .arg(until)
        .arg("day")
        .arg(per_day)
        .arg(day.to_string())
        .arg("")
        .arg(format!("day:{day}"))
        .arg("")
        .arg(until)
        .arg("")
        .arg("")
}

fn admission(request: &HoldRequest, answer: &[String]) -> Result<Admission> {
    let words: Vec<&str> = answer.iter().map(String::as_str).collect();
    let micros = |text: &str| text.parse().map(Duration::from_micros).map_err(|_| strange(answer));
    Ok(match words[..] {
        ["held", held] => {
            Admission::Held(record::hold(&request.id, &request.draw.payer(), held)?, Remaining::default())
        }
        ["held", held, arrival, quota] => {
            let left = Remaining {
                arrival: arrival.parse().ok().map(UnixMicros),
                quota: Some(quota.parse().map_err(|_| strange(answer))?),
            };
            Admission::Held(record::hold(&request.id, &request.draw.payer(), held)?, left)
        }
        ["settled", end] => Admission::Settled(settled_as(end)?),
        ["no_account"] => Admission::Denied(Denial::NoAccount),
        ["too_fast", after] => Admission::Denied(Denial::TooFast { retry_after: micros(after)? }),
        ["exhausted", after, full] => {
            let full_in = if full.is_empty() { None } else { Some(micros(full)?) };
            Admission::Denied(Denial::Exhausted { retry_after: micros(after)?, full_in })
        }
        _ => return Err(strange(answer)),
    })
}

fn strange(answer: &[String]) -> Fault {
    Fault::Unexpected(format!("the script for a hold says {answer:?}"))
}
