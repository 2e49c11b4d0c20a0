//! Counters: plain integers under their documented names, and what is read from them.

use super::{accounts::scan, engine::Engine, link::Link, record, scripts::Call};
use crate::{
    domain::{
        account::Uid,
        credit::Channel,
        period::Counters,
        time::{UnixMicros, UnixSeconds},
    },
    store::{
        Fault, Result, Usage,
        key_names::{self, AccountNames, KeyStyle},
        whole::{not_an_integer, whole},
    },
};
use redis::cmd;
use std::{collections::BTreeMap, fmt};
use tracing::info;

/// What a counter stands at; 0 if it was never raised, or stands below that.
pub(super) async fn value(engine: &Engine, name: &str) -> Result<u64> {
    Ok(count(look(engine, name).await?.number(name)?))
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    Nothing,
    Text(Vec<u8>),
    /// No text: a list, a hash and the like.
    Kind(String),
}

impl Stands {
    /// The whole number that it is; 0 for nothing.
    pub(super) fn number(&self, name: &str) -> Result<i64> {
        match self {
            Self::Nothing => Ok(0),
            Self::Text(text) => str::from_utf8(text).ok().and_then(whole).ok_or_else(|| not_an_integer(name)),
            Self::Kind(_) => Err(not_an_integer(name)),
        }
    }
}

impl fmt::Display for Stands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Text(text) => write!(f, "{:?}", String::from_utf8_lossy(text)),
            Self::Kind(kind) => write!(f, "a {kind}"),
        }
    }
}

/// What stands under a name, whatever it is.
pub(super) async fn look(engine: &Engine, name: &str) -> Result<Stands> {
    match engine.link.command::<Option<Vec<u8>>>(cmd("GET").arg(name)).await {
        Ok(None) => Ok(Stands::Nothing),
        Ok(Some(text)) => Ok(Stands::Text(text)),
        Err(Fault::Unexpected(_)) => Ok(Stands::Kind(engine.link.command(cmd("TYPE").arg(name)).await?)),
        Err(fault) => Err(fault),
    }
}

/// Included credits that an account has used in a window.
pub(super) async fn usage(engine: &Engine, uid: &Uid, window: Counters) -> Result<Usage> {
    let [app, api] = engine.names(uid).usages(window);
    let used: [Option<Vec<u8>>; 2] = engine.link.command(cmd("MGET").arg(&app).arg(&api)).await?;
    let read = async |name: &str, text| match text {
        Some(text) => Ok(count(Stands::Text(text).number(name)?)),
        // Nothing, or no text.
        None => value(engine, name).await,
    };
    let [first, second] = used;
    Ok(Usage { app: read(&app, first).await?, api: read(&api, second).await? })
}

/// Every billing cycle in the account's index, oldest first.
pub(super) async fn cycles(engine: &Engine, uid: &Uid) -> Result<Vec<(UnixSeconds, Usage)>> {
    let names = engine.names(uid);
    let call = Call::of(&engine.scripts.cycles, [names.cycle_index()]);
    let call = call.arg(names.cycles(Channel::App)).arg(names.cycles(Channel::Api));
    let listed: Vec<String> = call.run(&engine.link).await?;
    if let [not_integer, name] = &listed[..]
        && not_integer == "not_integer"
    {
        return Err(not_an_integer(name));
    }
    let (cycles, _) = listed.as_chunks();
    let number = |text: &String| whole(text).ok_or_else(|| not_an_integer(&names.cycle_index()));
    let cycle = |[start, app, api]: &[String; 3]| {
        Ok((UnixSeconds(number(start)?), Usage { app: count(number(app)?), api: count(number(api)?) }))
    };
    cycles.iter().map(cycle).collect()
}

/// Holds open now. Walks over all keys: for operators, not for requests.
pub(super) async fn holds_open(engine: &Engine, now: UnixMicros) -> Result<u64> {
    let mut names = scan(&engine.link, key_names::ANY_HOLDS, "hash").await?;
    names.sort_unstable();
    names.dedup();
    let mut total = 0;
    for name in names {
        let records: Vec<String> = engine.link.command(cmd("HVALS").arg(&name)).await?;
        total += records.iter().filter(|record| record::ends(record).is_some_and(|ends| ends > now)).count() as u64;
    }
    Ok(total)
}

/// Puts the cycles that other software has counted into their accounts' indexes: once for each store, in the background.
pub(super) async fn index_cycles(link: Link, style: KeyStyle) -> Result<()> {
    if link.command::<Option<String>>(cmd("GET").arg(key_names::CYCLES_INDEXED)).await?.is_some() {
        return Ok(());
    }
    let mut by_account: BTreeMap<Uid, Vec<(i64, i64)>> = BTreeMap::new();
    for name in scan(&link, key_names::ANY_CYCLE, "string").await? {
        let Some((uid, start)) = key_names::cycle_named(&name) else { continue };
        by_account.entry(uid).or_default().push((start.0, start.0));
    }
    let mut indexed = 0;
    for (uid, starts) in by_account {
        let index = AccountNames::styled(&uid, style).cycle_index();
        for some in starts.chunks(1_000) {
            indexed += link.command::<u64>(cmd("ZADD").arg(&index).arg(some)).await?;
        }
    }
    let () = link.command(cmd("SET").arg(key_names::CYCLES_INDEXED).arg(1)).await?;
    info!(indexed, "billing cycles that other software had counted are in their accounts' indexes");
    Ok(())
}
