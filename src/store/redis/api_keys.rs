//! API keys: the account's side holds them, two pointers lead to it.
//!
//! A pointer is made after the account's side, so that it never leads nowhere.

use super::{accounts, counters, engine::Engine, scripts::Call};
use crate::{
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        time::UnixSeconds,
    },
    store::{Fault, KeyExport, KeyUse, Result, journal::Revocation, key_names},
};
use redis::cmd;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

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

impl Pointer {
    fn to(hash: &KeyHash, key: &ApiKey) -> Self {
        Self { uid: key.uid.clone(), id: key.id.clone(), hash: hash.clone() }
    }

    /// By the hash, and by the public identifier.
    fn names(&self) -> [String; 2] {
        [key_names::key_pointer(&self.hash), key_names::key_id_pointer(&self.id)]
    }
}

pub(super) async fn caller(engine: &Engine, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
    if let Some(known) = engine.callers.of_key(hash) {
        return Ok(known);
    }
    let lookup = engine.callers.lookup();
    let caller = look(engine, hash).await?;
    engine.callers.remember(lookup, hash, caller.as_ref());
    Ok(caller)
}

async fn look(engine: &Engine, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
    let Some(pointer) = pointer(engine, &key_names::key_pointer(hash)).await? else { return Ok(None) };
    let (key, account) = tokio::join!(key(engine, &pointer), accounts::find(engine, &pointer.uid));
    Ok(key?.zip(account?))
}

pub(super) async fn put(engine: &Engine, hash: &KeyHash, key: &ApiKey) -> Result<()> {
    must_be_free(engine, hash, key).await?;
    let (names, pointer) = (engine.names(&key.uid), Pointer::to(hash, key));
    let call = Call::of(&engine.scripts.put_key, [names.own(), &names.keys()]).arg(&key.id.0);
    let put: String = call.arg(stored(hash, key)?).run(&engine.link).await?;
    match put.as_str() {
        "no_account" => return Err(accounts::nobody(&key.uid)),
        "other" if self::key(engine, &pointer).await?.is_none_or(|there| there.id != key.id) => {
            return Err(exists(&key.id));
        }
        _ => {}
    }
    if let Some(at) = key.revoked {
        let () = engine.link.command(cmd("HSETNX").arg(names.revoked()).arg(&key.id.0).arg(at.0)).await?;
    }
    if let Err(fault) = point_to(engine, hash, key).await {
        if matches!(fault, Fault::Taken(_)) {
            let () = engine.link.command(cmd("HDEL").arg(names.keys()).arg(&key.id.0)).await?;
        }
        return Err(fault);
    }
    engine.callers.forget_key(hash);
    Ok(())
}

pub(super) async fn of_account(engine: &Engine, uid: &Uid) -> Result<Vec<KeyUse>> {
    let (names, month) = (engine.names(uid), engine.now().seconds().month());
    let mut keys = Vec::new();
    for KeyExport { key, last_used, .. } in exported(engine, uid).await? {
        let used_this_month = counters::value(engine, &names.key_usage(&key.id, month)).await?;
        keys.push(KeyUse { key, used_this_month, last_used });
    }
    keys.sort_by(|one, other| (one.key.created, &one.key.id).cmp(&(other.key.created, &other.key.id)));
    Ok(keys)
}

/// An account's keys with their hashes, by their public identifiers.
pub(super) async fn exported(engine: &Engine, uid: &Uid) -> Result<Vec<KeyExport>> {
    let names = engine.names(uid);
    let stored: BTreeMap<String, String> = engine.link.command(cmd("HGETALL").arg(names.keys())).await?;
    let revoked: HashMap<String, i64> = engine.link.command(cmd("HGETALL").arg(names.revoked())).await?;
    let last_used: Vec<(String, i64)> =
        engine.link.command(cmd("ZRANGE").arg(names.last_used()).arg(0).arg(-1).arg("WITHSCORES")).await?;
    let last_used: HashMap<_, _> = last_used.into_iter().collect();
    let whole = |(id, stored): (String, String)| {
        let Stored { hash, key } = read(&stored)?;
        let key = ApiKey { revoked: revoked.get(&id).copied().map(UnixSeconds), ..key };
        Ok(KeyExport { hash, key, last_used: last_used.get(&id).copied().map(UnixSeconds) })
    };
    stored.into_iter().map(whole).collect()
}

/// A key as the account's side stores it.
pub(super) fn stored(hash: &KeyHash, key: &ApiKey) -> Result<String> {
    text(&Stored { hash: hash.clone(), key: ApiKey { revoked: None, ..key.clone() } })
}

/// Makes sure that neither the hash nor the public identifier is another key's.
pub(super) async fn must_be_free(engine: &Engine, hash: &KeyHash, key: &ApiKey) -> Result<()> {
    let pointer = Pointer::to(hash, key);
    for name in pointer.names() {
        must_be_free_or_ours(engine, &name, &pointer).await?;
    }
    Ok(())
}

/// Makes the pointers to a key that is on its account's side. Another gateway may have been faster with another key.
pub(super) async fn point_to(engine: &Engine, hash: &KeyHash, key: &ApiKey) -> Result<()> {
    let pointer = Pointer::to(hash, key);
    // By the hash last: then it opens its account, and can be revoked.
    for name in pointer.names().iter().rev() {
        let () = engine.link.command(cmd("SETNX").arg(name).arg(text(&pointer)?)).await?;
        must_be_free_or_ours(engine, name, &pointer).await?;
    }
    Ok(())
}

async fn must_be_free_or_ours(engine: &Engine, name: &str, ours: &Pointer) -> Result<()> {
    match pointer(engine, name).await? {
        Some(taken) if taken != *ours => Err(exists(&taken.id)),
        _ => Ok(()),
    }
}

/// What was revoked, now or earlier; `None` without the key.
pub(super) async fn revoke(engine: &Engine, id: &KeyId) -> Result<Option<Revocation>> {
    let Some(pointer) = pointer(engine, &key_names::key_id_pointer(id)).await? else { return Ok(None) };
    let names = engine.names(&pointer.uid);
    let call = Call::of(&engine.scripts.revoke_key, [names.keys(), names.revoked()]);
    let call = call.arg(&id.0).number(engine.now_argument()).arg(key_names::CHANGES).arg(&pointer.hash.0);
    let at: Option<i64> = call.run(&engine.link).await?;
    engine.callers.forget_key(&pointer.hash);
    let Pointer { uid, hash, id } = pointer;
    Ok(at.map(|at| Revocation { id, uid, hash, at: UnixSeconds(at) }))
}

/// Writes a revocation again, whether the key is there or comes back later.
pub(super) async fn revoke_again(engine: &Engine, revocation: &Revocation) -> Result<()> {
    let Revocation { id, uid, hash, at } = revocation;
    let () = engine.link.command(cmd("HSETNX").arg(engine.names(uid).revoked()).arg(&id.0).arg(at.0)).await?;
    engine.link.command(cmd("PUBLISH").arg(key_names::CHANGES).arg(format!("key {}", hash.0))).await
}

/// Later moments win. A key that nobody knows (any more) is passed over.
pub(super) async fn touch(engine: &Engine, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
    for (id, at) in used {
        let Some(pointer) = pointer(engine, &key_names::key_id_pointer(id)).await? else { continue };
        let name = engine.names(&pointer.uid).last_used();
        let () = engine.link.command(cmd("ZADD").arg(name).arg("GT").arg(at.0).arg(&id.0)).await?;
    }
    Ok(())
}

/// The key that a pointer leads to, if it is the one that the pointer was made for.
async fn key(engine: &Engine, pointer: &Pointer) -> Result<Option<ApiKey>> {
    let (names, id) = (engine.names(&pointer.uid), &pointer.id.0);
    let (mut get, mut when) = (cmd("HGET"), cmd("HGET"));
    let (get, when) = (get.arg(names.keys()).arg(id), when.arg(names.revoked()).arg(id));
    let (stored, revoked) = tokio::join!(engine.link.command(get), engine.link.command(when));
    let (stored, revoked): (Option<String>, Option<i64>) = (stored?, revoked?);
    let stored = stored.as_deref().map(read).transpose()?.filter(|stored| stored.hash == pointer.hash);
    Ok(stored.map(|stored| ApiKey { revoked: revoked.map(UnixSeconds), ..stored.key }))
}

async fn pointer(engine: &Engine, name: &str) -> Result<Option<Pointer>> {
    let text: Option<String> = engine.link.command(cmd("GET").arg(name)).await?;
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
    Fault::Taken(format!("this key exists already, as {}", id.0))
}
