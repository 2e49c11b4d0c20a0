//! `hold`

use super::{
    desk::{Desk, Guess, STALE_TRIES, restless},
    present::{Present, Seen},
    record,
    scripts::Call,
    settlement::settled_as,
};
use crate::{
    domain::{
        caller::{ClientAddress, Uid},
        credit::{Admission, Denial, Draw, Hold, HoldRequest},
        period::Counters,
        time::UnixMicros,
    },
    store::{
        Fault, Result,
        keys::{self, PayerNames},
    },
};
use redis::Script;
use std::time::Duration;

pub(super) async fn hold(desk: &Desk, request: &HoldRequest) -> Result<Admission> {
    let mut guess = desk.guess(&request.draw.payer());
    for _ in 0..STALE_TRIES {
        let call = match &request.draw {
            Draw::Account { uid, .. } => for_account(desk, request, uid, &guess),
            Draw::Client { client, per_day } => for_client(desk, request, client, *per_day, guess.now),
        };
        let answer: Vec<String> = call.run(&desk.line).await?;
        match desk.corrected(&request.draw.payer(), &answer)? {
            Some(better) => guess = better,
            None => return admission(request, &answer),
        }
    }
    Err(restless())
}

/// Writes a hold again that the server has lost, unless it has been settled or has ended.
pub(super) async fn restore(desk: &Desk, hold: &Hold) -> Result<()> {
    let names = PayerNames::of(&hold.charge.payer(), desk.style);
    let call = Call::of(&desk.scripts.restore).key(names.holds).key(names.leases).key(names.settled);
    let call = desk.with_open_holds(call).arg(&hold.id.0).arg(desk.now_argument()).arg(record::text(hold));
    call.run(&desk.line).await
}

fn begin<'a>(desk: &Desk, script: &'a Script, names: &PayerNames, own: &str, used: [String; 2]) -> Call<'a> {
    let [app, api] = used;
    let call = Call::of(script).key(own).key(&names.holds).key(&names.leases).key(&names.settled).key(&names.bucket);
    desk.with_open_holds(call.key(app).key(api))
}

/// The arguments that both kinds of payer begin with.
fn common<'a>(desk: &Desk, call: Call<'a>, request: &HoldRequest, seen: &str) -> Call<'a> {
    let burst = request.burst.map(|burst| {
        let interval = burst.interval_micros();
        (interval.to_string(), (interval * i64::from(burst.size.max(1))).to_string())
    });
    let (interval, whole) = burst.unwrap_or_default();
    let lease = i64::try_from(request.lease.as_micros()).unwrap_or(i64::MAX / 4);
    call.arg(&request.id.0).arg(desk.now_argument()).arg(lease).arg(interval).arg(whole).arg(seen)
}

fn for_account<'a>(desk: &'a Desk, request: &HoldRequest, uid: &Uid, guess: &Guess) -> Call<'a> {
    let Seen(seen) = &guess.seen;
    let present = Present::at(guess.seen.period().as_ref(), guess.now);
    let names = desk.names(uid);
    let window = present.window.counters();
    let allowance = match window {
        Counters::Month(month) => format!("included:{month}"),
        Counters::Cycle(start) => format!("included:cycle:{}", start.0),
    };
    let rest = match &request.draw {
        Draw::Account { channel, key, .. } => {
            format!("{}|{}", channel.as_str(), key.as_ref().map_or("", |key| key.0.as_str()))
        }
        Draw::Client { .. } => String::new(),
    };
    let payer = PayerNames::of(&request.draw.payer(), desk.style);
    let call = begin(desk, &desk.scripts.hold, &payer, names.own(), names.usages(window));
    common(desk, call, request, seen)
        .arg(present.from.0)
        .arg(present.until.0)
        .arg("account")
        .arg("")
        .arg(present.month.to_string())
        .arg(present.window.cycle().map_or(String::new(), |start| start.0.to_string()))
        .arg(allowance)
        .arg(rest)
        .arg(present.window.until.micros().0)
}

fn for_client<'a>(
    desk: &'a Desk,
    request: &HoldRequest,
    client: &ClientAddress,
    per_day: u64,
    now: UnixMicros,
) -> Call<'a> {
    let day = now.seconds().date();
    let (from, until) = (day.end().micros().0 - 86_400_000_000, day.end().micros().0);
    let counter = keys::styled_client_usage(client, day, desk.style);
    let payer = PayerNames::of(&request.draw.payer(), desk.style);
    let own = keys::styled_payer(&request.draw.payer(), desk.style);
    let call = begin(desk, &desk.scripts.hold, &payer, &own, [counter.clone(), counter]);
    common(desk, call, request, "")
        .arg(from)
        .arg(until)
        .arg("day")
        .arg(per_day)
        .arg(day.to_string())
        .arg("")
        .arg(format!("day:{day}"))
        .arg("")
        .arg(until)
}

fn admission(request: &HoldRequest, answer: &[String]) -> Result<Admission> {
    let words: Vec<&str> = answer.iter().map(String::as_str).collect();
    let micros = |text: &str| text.parse().map(Duration::from_micros).map_err(|_| strange(answer));
    Ok(match words[..] {
        ["held", held] => Admission::Held(record::hold(&request.id, &request.draw.payer(), held)?),
        ["settled", end] => Admission::Settled(settled_as(end)?),
        ["no_account"] => Admission::Denied(Denial::NoAccount),
        ["too_fast", after] => Admission::Denied(Denial::TooFast { retry_after: micros(after)? }),
        ["exhausted", after] => Admission::Denied(Denial::Exhausted { retry_after: micros(after)? }),
        _ => return Err(strange(answer)),
    })
}

fn strange(answer: &[String]) -> Fault {
    Fault::Unexpected(format!("the script for a hold says {answer:?}"))
}
