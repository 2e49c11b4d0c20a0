//! `grant`

use super::{
    accounts,
    engine::{Engine, STALE_TRIES, too_many_conflicts},
    scripts::Call,
};
use crate::{
    domain::{
        account::Uid,
        credit::{OperationId, Payer},
    },
    store::{Fault, Granted, Result, billing::conflict},
};

pub(super) async fn grant(engine: &Engine, uid: &Uid, credits: i64, id: &OperationId) -> Result<Granted> {
    let payer = Payer::Account(uid.clone());
    let names = engine.names(uid);
    let mut now = engine.now();
    for _ in 0..STALE_TRIES {
        let month = now.seconds().month();
        let keys = [names.own(), &names.grants(), &names.ledger(month), &names.ledgers(), &names.counted()];
        let call = Call::of(&engine.scripts.grant, keys)
            .arg(&id.0)
            .number(engine.now_argument())
            .arg(month.start().micros().0)
            .arg(month.end().micros().0)
            .shown(month)
            .arg(credits);
        let answer: Vec<String> = call.run(&engine.link).await?;
        match engine.if_stale(&payer, &answer)? {
            Some(better) => now = better.now,
            None => return granted(uid, id, &answer),
        }
    }
    Err(too_many_conflicts())
}

fn granted(uid: &Uid, id: &OperationId, answer: &[String]) -> Result<Granted> {
    let words: Vec<&str> = answer.iter().map(String::as_str).collect();
    let unexpected = || Fault::Unexpected(format!("the script for a grant says {answer:?}"));
    let balance = |text: &str| text.parse().map_err(|_| unexpected());
    match words[..] {
        ["granted", prepaid] => Ok(Granted { prepaid: balance(prepaid)?, repeated: false }),
        ["repeated", prepaid] => Ok(Granted { prepaid: balance(prepaid)?, repeated: true }),
        ["conflict", granted] => Err(conflict(id, balance(granted)?)),
        ["no_account"] => Err(accounts::nobody(uid)),
        ["too_large"] => Err(Fault::TooLarge("no balance can be that large".into())),
        ["spent", free] => Err(Fault::Insufficient(format!("only {free} prepaid credits can be taken back"))),
        _ => Err(unexpected()),
    }
}
