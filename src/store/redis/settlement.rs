//! `keep` and `release`

use super::{
    accounts,
    desk::{Desk, Guess, STALE_TRIES, restless},
    present::Seen,
    scripts::Call,
};
use crate::{
    domain::{
        caller::{ClientAddress, Payer, Uid},
        credit::{Charge, Hold, Kept, OperationId, Settlement, Standing},
        time::Day,
    },
    store::{
        Fault, Result,
        keys::{self, PayerNames, Served},
    },
};

/// For so long after its day a client's counter is kept, because a keep may still be under way (seconds).
const AFTER_THE_DAY: i64 = 86_400;

pub(super) async fn keep(desk: &Desk, hold: &Hold) -> Result<Kept> {
    let payer = hold.charge.payer();
    let mut guess = desk.guess(&payer);
    for _ in 0..STALE_TRIES {
        let call = match &hold.charge {
            Charge::Account { uid, .. } => for_account(desk, hold, uid, &guess),
            Charge::Client { client, day } => for_client(desk, hold, client, *day),
        };
        let answer: Vec<String> = call.run(&desk.line).await?;
        match desk.corrected(&payer, &answer)? {
            Some(better) => guess = better,
            None => return kept(&answer, &payer),
        }
    }
    Err(restless())
}

pub(super) async fn release(desk: &Desk, id: &OperationId, payer: &Payer) -> Result<Settlement> {
    let names = PayerNames::of(payer, desk.style);
    let client = match payer {
        Payer::Account(_) => "",
        Payer::Client(_) => "1",
    };
    let call = Call::of(&desk.scripts.release).key(names.holds).key(names.leases).key(names.settled);
    let call = desk.with_open_holds(call).arg(&id.0).arg(desk.now_argument()).arg(client);
    settled_as(&call.run::<String>(&desk.line).await?)
}

pub(super) fn settled_as(text: &str) -> Result<Settlement> {
    match text {
        "kept" => Ok(Settlement::Kept),
        "released" => Ok(Settlement::Released),
        _ => Err(Fault::Unexpected(format!("an operation ended as {text:?}"))),
    }
}

fn for_account<'a>(desk: &'a Desk, hold: &Hold, uid: &Uid, guess: &Guess) -> Call<'a> {
    let Seen(seen) = &guess.seen;
    let present = desk.present(guess);
    let (names, payer) = (desk.names(uid), PayerNames::of(&hold.charge.payer(), desk.style));
    let [app, api] = names.usages(present.window.counters());
    let call = Call::of(&desk.scripts.keep)
        .key(names.own())
        .key(payer.holds)
        .key(payer.leases)
        .key(payer.settled)
        .key(names.ledger(present.month))
        .key(names.ledgers())
        .key(names.counted())
        .key(names.cycle_index())
        .key(app)
        .key(api)
        .key(names.moved_cycles());
    let call = desk.with_open_holds(call).arg(&hold.id.0).arg(desk.now_argument()).arg(seen);
    let call = call.arg(present.from.0).arg(present.until.0);
    let Charge::Account { channel, pool, month, cycle, key, .. } = &hold.charge else { return call };
    let served = Served { channel: *channel, pool: *pool, month: *month, cycle: None, key: key.as_ref() };
    let mut call = call
        .arg(pool.as_str())
        .arg(month.to_string())
        .arg(cycle.map_or(String::new(), |start| start.0.to_string()))
        .arg(channel.as_str())
        .arg(key.as_ref().map_or("", |key| key.0.as_str()))
        .arg(hold.expires.0)
        .arg(present.month.to_string())
        .arg("")
        .arg(present.credits(&desk.terms))
        .arg(names.below(&served.cycle_prefix(&names)));
    for counter in served.counters(&names) {
        call = call.arg(names.below(&counter));
    }
    call
}

fn for_client<'a>(desk: &'a Desk, hold: &Hold, client: &ClientAddress, day: Day) -> Call<'a> {
    let payer = hold.charge.payer();
    let (names, own) = (PayerNames::of(&payer, desk.style), keys::styled_payer(&payer, desk.style));
    let counter = keys::styled_client_usage(client, day, desk.style);
    // A client has no ledger and no cycles; the script asks for none of these.
    let none = || own.clone();
    let call = Call::of(&desk.scripts.keep).key(none()).key(names.holds).key(names.leases).key(names.settled);
    let call = call.key(none()).key(none()).key(none()).key(none()).key(&counter).key(&counter).key(none());
    desk.with_open_holds(call)
        .arg(&hold.id.0)
        .arg(desk.now_argument())
        .arg("")
        .arg(0)
        .arg(0)
        .arg("day")
        .arg(day.to_string())
        .arg("")
        .arg("")
        .arg("")
        .arg(hold.expires.0)
        .arg("")
        .arg(day.end().0.saturating_add(AFTER_THE_DAY))
        .arg("")
        .arg("")
}

fn kept(answer: &[String], payer: &Payer) -> Result<Kept> {
    let words: Vec<&str> = answer.iter().map(String::as_str).collect();
    match (&words[..], payer) {
        (["no_account"], Payer::Account(uid)) => Err(accounts::nobody(uid)),
        ([end, credits, used, prepaid], _) => {
            let number = |text: &str| text.parse::<i64>().ok();
            let standing = number(credits).zip(number(used)).map(|(credits, used)| Standing {
                credits: u64::try_from(credits).unwrap_or(0),
                used: u64::try_from(used).unwrap_or(0),
                held_included: 0,
                prepaid: number(prepaid).unwrap_or(0),
                held_prepaid: 0,
            });
            Ok(Kept { settlement: settled_as(end)?, remaining: standing.map(|standing| standing.remaining()) })
        }
        _ => Err(Fault::Unexpected(format!("the script for a keep says {answer:?}"))),
    }
}
