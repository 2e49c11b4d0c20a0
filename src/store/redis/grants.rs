//! `grant`

use super::{
    accounts,
    desk::{Desk, STALE_TRIES, restless},
    scripts::Call,
};
use crate::{
    domain::{
        caller::{Payer, Uid},
        credit::OperationId,
    },
    store::{Fault, Granted, Result, billing::conflict, keys::PayerNames},
};

pub(super) async fn grant(desk: &Desk, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
    let payer = Payer::Account(uid.clone());
    let (names, holds) = (desk.names(uid), PayerNames::of(&payer, desk.style).holds);
    let mut now = desk.now();
    for _ in 0..STALE_TRIES {
        let month = now.seconds().month();
        let call = Call::of(&desk.scripts.grant)
            .key(names.own())
            .key(names.grants())
            .key(format!("{holds}:prepaid"))
            .key(names.ledger(month))
            .key(names.ledgers())
            .key(names.counted())
            .arg(&id.0)
            .arg(desk.now_argument())
            .arg(month.start().micros().0)
            .arg(month.end().micros().0)
            .arg(month.to_string())
            .arg(credits);
        let answer: Vec<String> = call.run(&desk.line).await?;
        match desk.corrected(&payer, &answer)? {
            Some(better) => now = better.now,
            None => return granted(uid, id, &answer),
        }
    }
    Err(restless())
}

fn granted(uid: &Uid, id: &OperationId, answer: &[String]) -> Result<Granted> {
    let words: Vec<&str> = answer.iter().map(String::as_str).collect();
    let strange = || Fault::Unexpected(format!("the script for a grant says {answer:?}"));
    let balance = |text: &str| text.parse().map_err(|_| strange());
    match words[..] {
        ["granted", prepaid] => Ok(Granted { prepaid: balance(prepaid)?, repeated: false }),
        ["repeated", prepaid] => Ok(Granted { prepaid: balance(prepaid)?, repeated: true }),
        ["conflict", granted] => Err(conflict(id, balance(granted)?)),
        ["no_account"] => Err(accounts::nobody(uid)),
        ["too_large"] => Err(Fault::Impossible("no balance can be that large".into())),
        ["spent", free] => Err(Fault::Impossible(format!("only {free} prepaid credits can be taken back"))),
        _ => Err(strange()),
    }
}
