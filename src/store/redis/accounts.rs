//! Accounts: one hash each, which other software may write as well.

use super::{desk::Desk, line::Line, present::Seen, scripts::Call};
use crate::{
    domain::caller::{Account, Uid},
    store::{
        AccountChange, Fault, Result,
        keys::{self, AccountNames},
    },
};
use redis::cmd;
use std::collections::{BTreeMap, HashMap};

/// Names that one step of a walk over all keys looks at.
const SCAN_COUNT: usize = 1_000;

pub(super) async fn find(desk: &Desk, uid: &Uid) -> Result<Option<Account>> {
    let fields: HashMap<String, String> = desk.line.command(cmd("HGETALL").arg(desk.names(uid).own())).await?;
    if fields.is_empty() {
        return Ok(None);
    }
    Ok(Some(desk.noticed(uid, fields)))
}

pub(super) async fn existing(desk: &Desk, uid: &Uid) -> Result<Account> {
    find(desk, uid).await?.ok_or_else(|| nobody(uid))
}

/// The operator's error that there is no such account.
pub(super) fn nobody(uid: &Uid) -> Fault {
    Fault::Impossible(format!("there is no account {uid}"))
}

/// Walks over all keys: for operators, not for requests.
pub(super) async fn all(desk: &Desk) -> Result<Vec<Account>> {
    let mut accounts = BTreeMap::new();
    for name in scan(&desk.line, keys::ANY_ACCOUNT, "hash").await? {
        if let Some(uid) = keys::account_named(&name)
            && let Some(account) = find(desk, &uid).await?
        {
            accounts.insert(uid, account);
        }
    }
    Ok(accounts.into_values().collect())
}

pub(super) async fn put(desk: &Desk, change: &AccountChange) -> Result<Account> {
    let credits = change.credits.or(change.plan.as_ref().map(|(_, credits)| *credits));
    if credits.is_some_and(|credits| i64::try_from(credits).is_err()) {
        return Err(Fault::Impossible("no account can have that many credits".into()));
    }
    let names: AccountNames = desk.names(&change.uid);
    let mut call = Call::of(&desk.scripts.put_account).key(names.own()).arg(change.uid.as_str()).arg(keys::CHANGES);
    if let Some((plan, _)) = &change.plan {
        call = call.arg("membership").arg(plan);
    }
    if let Some(credits) = credits {
        call = call.arg("credits").arg(credits);
    }
    if let Some(verified) = change.email_verified {
        call = call.arg("email_verified").arg(u8::from(verified));
    }
    let fields: HashMap<String, String> = call.run(&desk.line).await?;
    desk.callers.forget_account(&change.uid);
    Ok(desk.noticed(&change.uid, fields))
}

/// An account as its hash says. What other software left out, or wrote in another way, is read with good will.
pub(super) fn from_fields(uid: &Uid, mut fields: HashMap<String, String>) -> (Account, Seen) {
    let seen = Seen::of(|name| fields.get(name).cloned());
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let verified = fields.get("email_verified").is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true"));
    let (credits, prepaid) = (u64::try_from(number("credits")).unwrap_or(0), number("prepaid_credits"));
    let account = Account {
        uid: uid.clone(),
        membership: fields.remove("membership").unwrap_or_default(),
        credits,
        prepaid,
        email_verified: verified,
        billing_period: seen.period(),
    };
    (account, seen)
}

/// Every key of a kind, on every master. May name one twice.
pub(super) async fn scan(line: &Line, pattern: &str, kind: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for node in line.masters().await? {
        let mut cursor = 0_u64;
        loop {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN_COUNT).arg("TYPE").arg(kind);
            let (next, found): (u64, Vec<String>) = line.command_at(&node, &command).await?;
            names.extend(found);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    Ok(names)
}
