//! Closed months: what their entries add up to is kept in one hash of the account, the entries are deleted.

use super::{RedisStore, engine::Engine, entry::unexpected, ledger, record, scripts::Call};
use crate::{
    domain::{account::Uid, time::Month},
    store::{
        ClosedPage, Closing, Fault, Result, Sums,
        closing::{PAGE, earliest, too_early},
        key_names,
        whole::not_an_integer,
    },
};
use async_trait::async_trait;
use redis::cmd;

#[async_trait]
impl Closing for RedisStore {
    async fn close_page(&self, uid: &Uid, through: Month) -> Result<ClosedPage> {
        close_page(&self.engine, uid, through).await
    }

    async fn all_closed(&self) -> Result<Option<Month>> {
        let month: Option<String> = self.engine.link.command(cmd("GET").arg(key_names::ALL_CLOSED)).await?;
        Ok(month.and_then(|month| record::month(&month)))
    }

    async fn note_all_closed(&self, through: Month) -> Result<()> {
        self.engine.link.command(cmd("SET").arg(key_names::ALL_CLOSED).arg(through.to_string())).await
    }
}

async fn close_page(engine: &Engine, uid: &Uid, through: Month) -> Result<ClosedPage> {
    let (names, nothing) = (engine.names(uid), ClosedPage { entries: 0, more: false });
    let mut months = ledger::months(engine, &names).await?.into_iter().filter(|month| *month <= through);
    let Some(month) = months.next() else { return Ok(nothing) };
    // First: whatever is closed after this makes the script do nothing.
    let step = ledger::step(engine, &names).await?;
    let page = ledger::page(engine, &names.ledger(month), "", PAGE).await?;
    let mut sums = Sums::default();
    for (_, entry) in &page {
        sums.add(&names, &entry.kind);
    }
    let stays = page.last().map_or(Ok("0-0".into()), |(last, _)| after(last))?;
    let keys = [names.own(), &names.closed(), &names.ledger(month), &names.ledgers(), &names.holds()];
    let call = Call::of(&engine.scripts.close_month, keys)
        .number(engine.now_argument())
        .arg(earliest(through).0)
        .shown(month)
        .shown(through)
        .arg(step)
        .arg(stays)
        .arg(sums.entries);
    let call = sums.credits.into_iter().fold(call, |call, (counter, credits)| call.arg(counter).arg(credits));
    let answer: Vec<String> = call.run(&engine.link).await?;
    match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["closed", left] => Ok(ClosedPage { entries: page.len(), more: left != "0" || months.next().is_some() }),
        // Somebody else has closed this page.
        ["changed"] => Ok(ClosedPage { entries: 0, more: true }),
        ["no_account"] => Ok(nothing),
        ["early"] => Err(too_early(through)),
        ["not_integer", name] => Err(not_an_integer(name)),
        _ => Err(Fault::Unexpected(format!("the script for closing a month says {answer:?}"))),
    }
}

/// The smallest id after this one.
fn after(id: &str) -> Result<String> {
    let next =
        id.split_once('-').and_then(|(millis, number)| Some((millis, number.parse::<u64>().ok()?.checked_add(1)?)));
    let (millis, number) = next.ok_or_else(|| unexpected(id))?;
    Ok(format!("{millis}-{number}"))
}
