//! `mend`: a number that other software has spoilt is set by an operator.

use super::{
    accounts,
    counters::{self, Stands},
    engine::{Engine, STALE_TRIES, too_many_conflicts},
    ledger,
    scripts::Call,
};
use crate::{
    domain::{
        account::Uid,
        credit::{OperationId, Payer},
    },
    store::{Fault, Result, key_names, number::Number},
};
use redis::cmd;

pub(super) async fn mend(engine: &Engine, uid: &Uid, (key, value): (&str, i64), id: &OperationId) -> Result<()> {
    let (names, payer) = (engine.names(uid), Payer::Account(uid.clone()));
    let number = Number::to_set(&names, key, value)?;
    let (below, field) = match &number {
        Number::Prepaid => ("", "prepaid_credits"),
        Number::Field(field) => ("", *field),
        Number::Counter(below) => (below.as_str(), ""),
    };
    let mut now = engine.now();
    for _ in 0..STALE_TRIES {
        // Before the ledger: whatever is counted after this look changes what stands there, too.
        let stands = match &number {
            Number::Counter(below) => counters::look(engine, &names.whole(below)).await?,
            Number::Prepaid | Number::Field(_) => {
                let value: Option<Vec<u8>> = engine.link.command(cmd("HGET").arg(names.own()).arg(field)).await?;
                value.map_or(Stands::Nothing, Stands::Text)
            }
        };
        let lacks = match number.counter() {
            Some(counter) => value.saturating_sub(ledger::sum(engine, &names, counter).await?).to_string(),
            None => String::new(),
        };
        let month = now.seconds().month();
        let keys = [names.own(), &names.ledger(month), &names.ledgers(), &names.counted()];
        let call = Call::of(&engine.scripts.mend, keys)
            .arg(&id.0)
            .number(engine.now_argument())
            .arg(month.start().micros().0)
            .arg(month.end().micros().0)
            .shown(month)
            .arg(below)
            .arg(field)
            .arg(as_sent(stands))
            .arg(value)
            .arg(lacks)
            .arg(number.counter().unwrap_or_default())
            .arg(key_names::CHANGES)
            .arg(uid.as_str());
        let answer: Vec<String> = call.run(&engine.link).await?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["mended"] => {
                engine.callers.forget_account(uid);
                return Ok(());
            }
            ["changed"] => {}
            ["no_account"] => return Err(accounts::nobody(uid)),
            ["stale", ..] => now = engine.server_time(&payer, &answer)?,
            _ => return Err(Fault::Unexpected(format!("the script for a mend says {answer:?}"))),
        }
    }
    Err(too_many_conflicts())
}

fn as_sent(stands: Stands) -> Vec<u8> {
    match stands {
        Stands::Nothing => Vec::new(),
        Stands::Text(text) => [b"=".to_vec(), text].concat(),
        Stands::Kind(kind) => kind.into_bytes(),
    }
}
