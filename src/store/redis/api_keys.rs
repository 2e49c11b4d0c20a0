//! API keys: the account's side holds them, two pointers lead to it.
//!
//! A pointer is made after the account's side, so that it never leads nowhere.

use super::{accounts, counters, desk::Desk, scripts::Call};
use crate::{
    domain::{
        caller::{Account, ApiKey, KeyHash, KeyId, Uid},
        time::UnixSeconds,
    },
    store::{Fault, KeyUse, Result, keys},
};
use redis::cmd;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tokio::time::Instant;

/// A key as the account's side stores it. When it was revoked is stored apart.
#[derive(PartialEq, Serialize, Deserialize)]
struct Stored {
    hash: KeyHash,
    #[serde(flatten)]
    key: ApiKey,
}

/// What a pointer says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pointer {
    uid: Uid,
    id: KeyId,
    hash: KeyHash,
}

pub(super) async fn caller(desk: &Desk, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
    let now = Instant::now();
    if let Some(caller) = desk.callers.of_key(hash, now) {
        return Ok(Some(caller));
    }
    let generation = desk.callers.generation();
    let Some(pointer) = pointer(desk, &keys::key_pointer(hash)).await? else { return Ok(None) };
    let (key, account) = tokio::join!(key(desk, &pointer), accounts::find(desk, &pointer.uid));
    let caller = key?.zip(account?);
    if let Some(caller) = &caller {
        desk.callers.remember((generation, now), hash, caller);
    }
    Ok(caller)
}

pub(super) async fn put(desk: &Desk, hash: &KeyHash, key: &ApiKey) -> Result<()> {
    let pointer = Pointer { uid: key.uid.clone(), id: key.id.clone(), hash: hash.clone() };
    let (by_hash, by_id) = (keys::key_pointer(hash), keys::key_id_pointer(&key.id));
    for name in [&by_hash, &by_id] {
        if let Some(taken) = self::pointer(desk, name).await?
            && taken != pointer
        {
            return Err(exists(&taken.id));
        }
    }
    let names = desk.names(&key.uid);
    let stored = Stored { hash: hash.clone(), key: ApiKey { revoked: None, ..key.clone() } };
    let call = Call::of(&desk.scripts.put_key).key(names.own()).key(names.keys()).arg(&key.id.0).arg(text(&stored)?);
    let put: String = call.run(&desk.line).await?;
    match put.as_str() {
        "no_account" => return Err(accounts::nobody(&key.uid)),
        "other" if self::key(desk, &pointer).await?.is_none_or(|there| there.id != key.id) => {
            return Err(exists(&key.id));
        }
        _ => {}
    }
    if let Some(at) = key.revoked {
        let () = desk.line.command(cmd("HSETNX").arg(names.revoked()).arg(&key.id.0).arg(at.0)).await?;
    }
    for name in [&by_id, &by_hash] {
        let () = desk.line.command(cmd("SETNX").arg(name).arg(text(&pointer)?)).await?;
        match self::pointer(desk, name).await? {
            Some(taken) if taken != pointer => {
                let () = desk.line.command(cmd("HDEL").arg(names.keys()).arg(&key.id.0)).await?;
                return Err(exists(&taken.id));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) async fn of_account(desk: &Desk, uid: &Uid) -> Result<Vec<KeyUse>> {
    let (names, month) = (desk.names(uid), desk.now().seconds().month());
    let stored: HashMap<String, String> = desk.line.command(cmd("HGETALL").arg(names.keys())).await?;
    let revoked: HashMap<String, i64> = desk.line.command(cmd("HGETALL").arg(names.revoked())).await?;
    let last_used: Vec<(String, i64)> =
        desk.line.command(cmd("ZRANGE").arg(names.last_used()).arg(0).arg(-1).arg("WITHSCORES")).await?;
    let last_used: HashMap<_, _> = last_used.into_iter().collect();
    let mut keys = Vec::new();
    for (id, stored) in stored {
        let key = ApiKey { revoked: revoked.get(&id).copied().map(UnixSeconds), ..read(&stored)?.key };
        let used_this_month = counters::value(desk, &names.key_usage(&key.id, month)).await?;
        let last_used = last_used.get(&key.id.0).copied().map(UnixSeconds);
        keys.push(KeyUse { key, used_this_month, last_used });
    }
    keys.sort_by(|one, other| (one.key.created, &one.key.id).cmp(&(other.key.created, &other.key.id)));
    Ok(keys)
}

pub(super) async fn revoke(desk: &Desk, id: &KeyId) -> Result<bool> {
    let Some(pointer) = pointer(desk, &keys::key_id_pointer(id)).await? else { return Ok(false) };
    let names = desk.names(&pointer.uid);
    let call = Call::of(&desk.scripts.revoke_key).key(names.keys()).key(names.revoked());
    let call = call.arg(&id.0).arg(desk.now_argument()).arg(keys::CHANGES).arg(&pointer.hash.0);
    let found: bool = call.run(&desk.line).await?;
    desk.callers.forget_key(&pointer.hash);
    Ok(found)
}

/// Later moments win. A key that nobody knows (any more) is passed over.
pub(super) async fn touch(desk: &Desk, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
    for (id, at) in used {
        let Some(pointer) = pointer(desk, &keys::key_id_pointer(id)).await? else { continue };
        let name = desk.names(&pointer.uid).last_used();
        let () = desk.line.command(cmd("ZADD").arg(name).arg("GT").arg(at.0).arg(&id.0)).await?;
    }
    Ok(())
}

/// The key that a pointer leads to, if it is the one that the pointer was made for.
async fn key(desk: &Desk, pointer: &Pointer) -> Result<Option<ApiKey>> {
    let (names, id) = (desk.names(&pointer.uid), &pointer.id.0);
    let (mut get, mut when) = (cmd("HGET"), cmd("HGET"));
    let (get, when) = (get.arg(names.keys()).arg(id), when.arg(names.revoked()).arg(id));
    let (stored, revoked) = tokio::join!(desk.line.command(get), desk.line.command(when));
    let (stored, revoked): (Option<String>, Option<i64>) = (stored?, revoked?);
    let stored = stored.as_deref().map(read).transpose()?.filter(|stored| stored.hash == pointer.hash);
    Ok(stored.map(|stored| ApiKey { revoked: revoked.map(UnixSeconds), ..stored.key }))
}

async fn pointer(desk: &Desk, name: &str) -> Result<Option<Pointer>> {
    let text: Option<String> = desk.line.command(cmd("GET").arg(name)).await?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| Fault::Unexpected(format!("{name} leads nowhere"))))
        .transpose()
}

fn read(stored: &str) -> Result<Stored> {
    serde_json::from_str(stored).map_err(|error| Fault::Unexpected(format!("a key cannot be read: {error}")))
}

fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Fault::Unexpected(error.to_string()))
}

fn exists(id: &KeyId) -> Fault {
    Fault::Impossible(format!("this key exists already, as {}", id.0))
}
