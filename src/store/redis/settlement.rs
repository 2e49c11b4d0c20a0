//! `keep` and `release`

use super::{
    accounts,
    engine::{Assumed, Engine, STALE_TRIES, too_many_conflicts},
    moment::PeriodFields,
    scripts::Call,
};
use crate::{
    domain::{
        account::Uid,
        client_address::ClientAddress,
        credit::{Charge, Hold, Kept, OperationId, Payer, Settlement, Standing},
        time::Day,
    },
    store::{
        Fault, Result,
        key_names::{self, PayerNames, Served},
    },
};

/// For so long after its day a client's counter is kept, because a keep may still be under way (seconds).
const AFTER_THE_DAY: i64 = 86_400;

pub(super) async fn keep(engine: &Engine, hold: &Hold) -> Result<Kept> {
    let payer = hold.charge.payer();
    let mut assumed = engine.assumed(&payer);
    for _ in 0..STALE_TRIES {
        let call = match &hold.charge {
            Charge::Account { uid, .. } => for_account(engine, hold, uid, &assumed),
            Charge::Client { client, day } => for_client(engine, hold, client, *day),
        };
        let answer: Vec<String> = call.run(&engine.link).await?;
        match engine.if_stale(&payer, &answer)? {
            Some(better) => assumed = better,
            None => return kept(&answer, &payer),
        }
    }
    Err(too_many_conflicts())
}

pub(super) async fn release(engine: &Engine, id: &OperationId, payer: &Payer) -> Result<Settlement> {
    let names = PayerNames::of(payer, engine.style);
    let client = match payer {
        Payer::Account(_) => "",
        Payer::Client(_) => "1",
    };
    let call = Call::of(&engine.scripts.release).key(names.holds).key(names.leases).key(names.settled);
    let call = engine.with_open_holds(call).arg(&id.0).arg(engine.now_argument()).arg(client);
    settled_as(&call.run::<String>(&engine.link).await?)
}

pub(super) fn settled_as(text: &str) -> Result<Settlement> {
    match text {
        "kept" => Ok(Settlement::Kept),
        "released" => Ok(Settlement::Released),
        _ => Err(Fault::Unexpected(format!("an operation ended as {text:?}"))),
    }
}

fn for_account<'a>(engine: &'a Engine, hold: &Hold, uid: &Uid, assumed: &Assumed) -> Call<'a> {
    let PeriodFields(seen) = &assumed.seen;
    let moment = engine.moment(assumed);
    let (names, payer) = (engine.names(uid), PayerNames::of(&hold.charge.payer(), engine.style));
    let [app, api] = names.usages(moment.window.counters());
    let call = Call::of(&engine.scripts.keep)
        .key(names.own())
        .key(payer.holds)
        .key(payer.leases)
        .key(payer.settled)
        .key(names.ledger(moment.month))
        .key(names.ledgers())
        .key(names.counted())
        .key(names.cycle_index())
        .key(app)
        .key(api)
        .key(names.moved_cycles());
    let call = engine.with_open_holds(call).arg(&hold.id.0).arg(engine.now_argument()).arg(seen);
    let call = call.arg(moment.from.0).arg(moment.until.0);
    let Charge::Account { channel, pool, month, cycle, key, .. } = &hold.charge else { return call };
    let served = Served { channel: *channel, pool: *pool, month: *month, cycle: None, key: key.as_ref() };
    let mut call = call
        .arg(pool.as_str())
        .arg(month.to_string())
        .arg(cycle.map_or(String::new(), |start| start.0.to_string()))
        .arg(channel.as_str())
        .arg(key.as_ref().map_or("", |key| key.0.as_str()))
        .arg(hold.expires.0)
        .arg(moment.month.to_string())
        .arg("")
        .arg(moment.credits(&engine.terms))
        .arg(names.below(&served.cycle_prefix(&names)));
    for counter in served.counters(&names) {
        call = call.arg(names.below(&counter));
    }
    call
}

fn for_client<'a>(engine: &'a Engine, hold: &Hold, client: &ClientAddress, day: Day) -> Call<'a> {
    let payer = hold.charge.payer();
    let (names, own) = (PayerNames::of(&payer, engine.style), key_names::styled_payer(&payer, engine.style));
    let counter = key_names::styled_client_usage(client, day, engine.style);
    // A client has no ledger and no cycles; the script asks for none of these.
    let none = || own.clone();
    let call = Call::of(&engine.scripts.keep).key(none()).key(names.holds).key(names.leases).key(names.settled);
    let call = call.key(none()).key(none()).key(none()).key(none()).key(&counter).key(&counter).key(none());
    engine
        .with_open_holds(call)
        .arg(&hold.id.0)
        .arg(engine.now_argument())
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
