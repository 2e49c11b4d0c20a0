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
use std::{
    collections::{BTreeSet, HashMap},
    str::FromStr,
};

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

/// What a change made of an account.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) account: Account,
    /// The numbers of the changes that plan, credits and the like, and the e-mail address had come to.
    revisions: [u64; 2],
    /// The version that a step of Stripe's had to name.
    version: u64,
}

pub(super) async fn put(engine: &Engine, change: &AccountChange) -> Result<Changed> {
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
        let call = Call::of(&engine.scripts.put_account).key(names.own()).key(names.stripe()).arg(change.uid.as_str());
        let call =
            call.arg(engine.now_argument()).arg(seen).arg(moment.from.0).arg(moment.until.0).arg(key_names::CHANGES);
        let call = call.arg(if change.only_new { "1" } else { "" }).arg(fall_to).arg(moment.credits(&terms));
        let call = changed_fields(call.arg(if change.plan.is_some() { "1" } else { "" }), change, credits);
        let answer: Vec<Vec<u8>> = call.run(&engine.link).await?;
        let mut answer: Vec<String> = answer.iter().map(|word| words(word)).collect();
        if let Some(better) = engine.if_stale(&payer, &answer)? {
            assumed = better;
            continue;
        }
        engine.callers.forget_account(&change.uid);
        let fields = pairs(answer.split_off(2));
        let version = answer.last().and_then(|text| text.parse().ok()).unwrap_or(0);
        let revisions = ["revision:numbers", "revision:email"].map(|name| parsed(&fields, name).unwrap_or(0));
        return Ok(Changed { account: engine.noticed(&change.uid, fields)?, revisions, version });
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

/// Writes a change again that the server has lost, unless a later one has been made since. The balance comes back with
/// its grants, the period with Stripe's steps.
pub(super) async fn restore(engine: &Engine, changed: &Changed) -> Result<()> {
    let Changed { account, revisions: [numbers, email], version } = changed;
    let names = engine.names(&account.uid);
    let fallen = account.billing_period.filter(|period| period.fallen);
    let call = Call::of(&engine.scripts.restore_account).key(names.own()).key(names.stripe()).arg(account.uid.as_str());
    let call = call.arg(key_names::CHANGES).arg(*numbers).arg(*email);
    let call = call.arg(fallen.map_or(String::new(), |period| period.start.0.to_string()));
    let call = call.arg(*version).arg(u8::from(account.email_verified));
    let call = call.arg("membership").arg(&account.membership).arg("credits").arg(account.credits);
    let own = overridden(account.overrides).into_iter();
    own.fold(call, |call, (name, value)| call.arg(name).arg(value)).run(&engine.link).await
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pairs(words: Vec<String>) -> HashMap<String, String> {
    let mut words = words.into_iter();
    std::iter::from_fn(|| words.next().zip(words.next())).collect()
}

fn parsed<T: FromStr>(fields: &HashMap<String, String>, name: &str) -> Option<T> {
    fields.get(name)?.parse().ok()
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
