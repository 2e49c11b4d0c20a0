//! Accounts: one hash each, which other software may write as well.

use super::{
    account_fields::overridden,
    engine::{Engine, STALE_TRIES, too_many_conflicts},
    link::Link,
    moment::PeriodFields,
    scripts::Call,
};
use crate::{
    domain::{
        account::{Account, Uid},
        credit::Payer,
    },
    store::{AccountChange, Fault, Result, key_names},
};
use redis::cmd;
use std::collections::{BTreeSet, HashMap};

/// Names that one step of a walk over all keys looks at.
const SCAN_COUNT: usize = 1_000;

pub(super) async fn find(engine: &Engine, uid: &Uid) -> Result<Option<Account>> {
    let fields = fields(engine, uid).await?;
    if fields.is_empty() { Ok(None) } else { engine.noticed(uid, fields).map(Some) }
}

/// An account's fields, whatever stands in them; none without the account.
pub(super) async fn fields(engine: &Engine, uid: &Uid) -> Result<HashMap<String, String>> {
    // Other software may keep anything in it.
    let fields: HashMap<String, Vec<u8>> = engine.link.command(cmd("HGETALL").arg(engine.names(uid).own())).await?;
    Ok(fields.into_iter().map(|(name, value)| (name, words(&value))).collect())
}

/// The operator's error that there is no such account.
pub(super) fn nobody(uid: &Uid) -> Fault {
    Fault::NotFound(format!("there is no account {uid}"))
}

/// Walks over all keys: for operators, not for requests.
pub(super) async fn uids(engine: &Engine) -> Result<Vec<Uid>> {
    let names = scan(&engine.link, key_names::ANY_ACCOUNT, "hash").await?;
    let uids: BTreeSet<Uid> = names.iter().filter_map(|name| key_names::account_named(name)).collect();
    Ok(uids.into_iter().collect())
}

/// Gives the account as it is stored now.
pub(super) async fn put(engine: &Engine, change: &AccountChange) -> Result<Account> {
    let credits = change.credits.or(change.plan.as_ref().map(|(_, credits)| *credits));
    if credits.is_some_and(|credits| i64::try_from(credits).is_err()) {
        return Err(Fault::TooLarge("no account can have that many credits".into()));
    }
    if change.overrides.max_pixels.is_some_and(|pixels| i64::try_from(pixels).is_err()) {
        return Err(Fault::TooLarge("no picture can have that many pixels".into()));
    }
    let payer = Payer::Account(change.uid.clone());
    let mut assumed = engine.assumed(&change.uid);
    for _ in 0..STALE_TRIES {
        let (moment, PeriodFields(seen)) = (engine.moment(&assumed), &assumed.seen);
        let terms = engine.terms.now();
        let fall_to = if moment.falls { terms.default_plan.0.as_str() } else { "" };
        let names = engine.names(&change.uid);
        let call = Call::of(&engine.scripts.put_account, [names.own(), &names.stripe()]).arg(change.uid.as_str());
        let call =
            call.number(engine.now_argument()).arg(seen).arg(moment.from.0).arg(moment.until.0).arg(key_names::CHANGES);
        let call = call.arg(if change.only_new { "1" } else { "" }).arg(fall_to).arg(moment.credits(&terms));
        let call = changed_fields(call.arg(if change.plan.is_some() { "1" } else { "" }), change, credits);
        let answer: Vec<Vec<u8>> = call.run(&engine.link).await?;
        let mut answer: Vec<String> = answer.iter().map(|word| words(word)).collect();
        if let Some(better) = engine.if_stale(&payer, &answer)? {
            assumed = better;
            continue;
        }
        engine.callers.forget_account(&change.uid);
        return engine.noticed(&change.uid, pairs(answer.split_off(1)));
    }
    Err(too_many_conflicts())
}

fn changed_fields<'a>(mut call: Call<'a>, change: &AccountChange, credits: Option<u64>) -> Call<'a> {
    if let Some((plan, _)) = &change.plan {
        call = call.arg("membership").arg(plan);
    }
    if let Some(credits) = credits {
        call = call.arg("credits").arg(credits);
    }
    if let Some(verified) = change.email_verified {
        call = call.arg("email_verified").arg(u8::from(verified));
    }
    overridden(change.overrides).into_iter().fold(call, |call, (name, value)| call.arg(name).arg(value))
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pairs(words: Vec<String>) -> HashMap<String, String> {
    let mut words = words.into_iter();
    std::iter::from_fn(|| words.next().zip(words.next())).collect()
}

/// Every key of a kind, on every master. May name one twice.
pub(super) async fn scan(link: &Link, pattern: &str, kind: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for node in link.masters().await? {
        let mut cursor = 0_u64;
        loop {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN_COUNT).arg("TYPE").arg(kind);
            let (next, found): (u64, Vec<String>) = link.command_at(&node, &command).await?;
            names.extend(found);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    Ok(names)
}
