//! API keys: found by their hash, managed by their public identifier.

use super::{accounts, counters};
use crate::{
    domain::{
        account::{Account, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        network::Network,
        time::UnixSeconds,
    },
    store::{Fault, KeyExport, KeyUse, Result, key_names::AccountNames},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, uid, name, hint, created, expires, revoked, networks, monthly_cap";

pub(super) fn caller(db: &Connection, hash: &KeyHash) -> Result<Option<(ApiKey, Account)>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys WHERE hash = ?1"))?;
    let mut rows = statement.query([&hash.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let key = from_row(row)?;
    let account = accounts::find(db, &key.uid)?;
    Ok(account.map(|account| (key, account)))
}

pub(super) fn put(db: &Connection, hash: &KeyHash, key: &ApiKey) -> Result<()> {
    accounts::existing(db, &key.uid)?;
    let stored: Option<(String, KeyId, String)> = db
        .prepare_cached("SELECT hash, id, uid FROM api_keys WHERE hash = ?1 OR id = ?2")?
        .query_row(params![hash.0, key.id.0], |row| Ok((row.get(0)?, KeyId(row.get(1)?), row.get(2)?)))
        .optional()?;
    match stored {
        None => insert(db, hash, key),
        Some((of, id, uid)) if of == hash.0 && id == key.id && uid == key.uid.as_str() => Ok(()),
        Some((_, id, _)) => Err(Fault::Taken(format!("this key exists already, as {}", id.0))),
    }
}

fn insert(db: &Connection, hash: &KeyHash, key: &ApiKey) -> Result<()> {
    let ApiKey { id, uid, name, hint, created, expires, revoked, networks, monthly_cap } = key;
    let (expires, revoked) = (expires.map(|end| end.0), revoked.map(|at| at.0));
    let networks = networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let cap = monthly_cap.map(i64::try_from).transpose();
    let cap = cap.map_err(|_| Fault::TooLarge("no key can have that high a cap".into()))?;
    db.prepare_cached(&format!(
        "INSERT INTO api_keys (hash, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?
    .execute(params![hash.0, id.0, uid.as_str(), name, hint, created.0, expires, revoked, networks, cap])?;
    Ok(())
}

pub(super) fn of_account(db: &Connection, uid: &Uid, now: UnixSeconds) -> Result<Vec<KeyUse>> {
    let names = AccountNames::of(uid);
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS}, last_used FROM api_keys WHERE uid = ?1 ORDER BY created, id"))?;
    let mut rows = statement.query([uid.as_str()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key = from_row(row)?;
        let used_this_month = counters::value(db, &names.key_usage(&key.id, now.month()))?;
        let last_used = row.get::<_, Option<i64>>(9)?.map(UnixSeconds);
        keys.push(KeyUse { key, used_this_month, last_used });
    }
    Ok(keys)
}

/// An account's keys with their hashes, by their public identifiers.
pub(super) fn exported(db: &Connection, uid: &Uid) -> Result<Vec<KeyExport>> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS}, last_used, hash FROM api_keys WHERE uid = ?1 ORDER BY id"))?;
    let mut rows = statement.query([uid.as_str()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let last_used = row.get::<_, Option<i64>>(9)?.map(UnixSeconds);
        keys.push(KeyExport { hash: KeyHash(row.get(10)?), key: from_row(row)?, last_used });
    }
    Ok(keys)
}

pub(super) fn revoke(db: &Connection, id: &KeyId, now: UnixSeconds) -> Result<bool> {
    let found = db
        .prepare_cached("UPDATE api_keys SET revoked = COALESCE(revoked, ?2) WHERE id = ?1")?
        .execute(params![id.0, now.0])?;
    Ok(found > 0)
}

pub(super) fn touch(db: &Connection, used: &[(KeyId, UnixSeconds)]) -> Result<()> {
    let mut statement = db
        .prepare_cached("UPDATE api_keys SET last_used = ?2 WHERE id = ?1 AND (last_used IS NULL OR last_used < ?2)")?;
    for (id, at) in used {
        statement.execute(params![id.0, at.0])?;
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: KeyId(row.get(0)?),
        uid: accounts::uid(row.get(1)?)?,
        name: row.get(2)?,
        hint: row.get(3)?,
        created: UnixSeconds(row.get(4)?),
        expires: row.get::<_, Option<i64>>(5)?.map(UnixSeconds),
        revoked: row.get::<_, Option<i64>>(6)?.map(UnixSeconds),
        networks: networks(&row.get::<_, String>(7)?)?,
        monthly_cap: row.get::<_, Option<i64>>(8)?.map(|cap| u64::try_from(cap).unwrap_or(0)),
    })
}

fn networks(stored: &str) -> Result<Vec<Network>> {
    let networks = stored.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>();
    networks.map_err(|error| Fault::Unexpected(format!("an API key's networks: {error}")))
}
