//! What the gateway needs of a server, looked at when it starts and by `doctor`, said in plain words.

use super::{
    dial::{Connection, Dialer},
    server::{self, Abilities, everywhere, fields},
};
use crate::{
    clock::Clock,
    config::RedisUrl,
    store::{Fault, Result, key_names},
};
use redis::cmd;
use std::collections::BTreeMap;

/// The oldest version that has everything; Valkey counts as the Redis that it answers to.
const OLDEST: (u32, u32) = (7, 0);

/// Clocks further apart than this are worth a word (µs).
const SKEW: i64 = 2_000_000;

/// The form of our keys and values there. A version that needs another one writes its number under
/// [`key_names::FORMAT`]; without a number it is this one.
const FORMAT: u64 = 1;

/// How much something found matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As it should be.
    Good,
    /// It works, but somebody should look.
    Doubtful,
    /// The gateway must not start.
    Fatal,
}

/// One thing found, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How much it matters.
    pub weight: Weight,
    /// The sentence. Holds no secret.
    pub says: String,
}

impl Remark {
    fn good(says: impl Into<String>) -> Self {
        Self { weight: Weight::Good, says: says.into() }
    }

    fn doubtful(says: impl Into<String>) -> Self {
        Self { weight: Weight::Doubtful, says: says.into() }
    }

    fn fatal(says: impl Into<String>) -> Self {
        Self { weight: Weight::Fatal, says: says.into() }
    }
}

/// Looks at the server behind an address, or at every master of a Cluster.
pub async fn inspect(url: &RedisUrl, clock: &Clock) -> Result<Vec<Remark>> {
    let away = |error: redis::RedisError| Fault::Unavailable(error.to_string());
    let dialer = Dialer::new(url).map_err(|error| Fault::Unusable(error.to_string()))?;
    let mut connection = dialer.connect().await.map_err(away)?;
    look(&mut connection, clock).await
}

pub(super) async fn look(connection: &mut Connection, clock: &Clock) -> Result<Vec<Remark>> {
    let infos = everywhere(connection, &["INFO"]).await.map_err(|error| Fault::Unavailable(error.to_string()))?;
    let is_cluster = matches!(connection, Connection::Many(_));
    let mut remarks = Vec::new();
    for info in infos {
        let text: String = redis::from_redis_value(info).map_err(|error| Fault::Unexpected(error.to_string()))?;
        let info = fields(&text);
        remarks.extend([version(&info), eviction(&info), persistence(&info), confirmation(&info, is_cluster)]);
    }
    remarks.extend(newer_format(connection).await?);
    remarks.push(scripts(connection).await);
    if matches!(clock, Clock::Own) {
        remarks.extend(skew(connection, clock).await);
    }
    Ok(remarks)
}

fn version(info: &BTreeMap<String, String>) -> Remark {
    let text = info.get("redis_version").map_or("", String::as_str);
    let version = server::version(info);
    let name = info.get("valkey_version").map_or(format!("Redis {text}"), |version| format!("Valkey {version}"));
    if version < OLDEST {
        return Remark::fatal(format!("{name} is too old: {}.{} is the least.", OLDEST.0, OLDEST.1));
    }
    Remark::good(format!("{name} answers."))
}

fn eviction(info: &BTreeMap<String, String>) -> Remark {
    let policy = info.get("maxmemory_policy").map_or("", String::as_str);
    let limited = info.get("maxmemory").is_some_and(|bytes| bytes != "0");
    let cure = "set maxmemory-policy to noeviction";
    match (policy, limited) {
        ("noeviction", _) => Remark::good("It evicts nothing."),
        (_, true) => Remark::fatal(format!("It drops counters when its memory is full ({policy}); {cure}.")),
        (_, false) => Remark::doubtful(format!("It would drop counters if maxmemory were set ({policy}); {cure}.")),
    }
}

fn persistence(info: &BTreeMap<String, String>) -> Remark {
    let on = |name: &str| info.get(name).is_some_and(|value| value == "1");
    if !on("aof_enabled") {
        let says = "It keeps no append-only file: a restart loses what its last snapshot does not hold and is older than \
                    the ten minutes in the gateways' journals. Set appendonly to yes.";
        return Remark::doubtful(says);
    }
    if info.get("aof_last_write_status").is_some_and(|status| status != "ok") {
        return Remark::doubtful("It cannot write its append-only file.");
    }
    Remark::good("It keeps an append-only file.")
}

/// What a newer version has written is not touched.
async fn newer_format(connection: &mut Connection) -> Result<Option<Remark>> {
    let mut command = cmd("GET");
    let answer: redis::RedisResult<Option<String>> = command.arg(key_names::FORMAT).query_async(connection).await;
    let found = answer.map_err(|error| Fault::Unavailable(error.to_string()))?;
    let is_known = found.as_ref().is_none_or(|format| format.parse().is_ok_and(|format: u64| format <= FORMAT));
    let newer = found.filter(|_| !is_known);
    Ok(newer.map(|format| {
        Remark::fatal(format!(
            "A newer version of this program has written here ({} is {format}, this version knows {FORMAT}). Run that \
             version, or restore a back-up from before it.",
            key_names::FORMAT
        ))
    }))
}

/// What an operator's change has to go by before the operator hears of it.
fn confirmation(info: &BTreeMap<String, String>, is_cluster: bool) -> Remark {
    let Abilities { has_replica, tells_of_its_disk } = Abilities::of(info);
    Remark::good(match (is_cluster, has_replica, tells_of_its_disk) {
        (false, true, true) => "An operator's change waits for a replica and for its disk.",
        (false, true, false) => "An operator's change waits for a replica.",
        (false, false, true) => "An operator's change waits for its disk.",
        (true, ..) | (false, false, false) => {
            "Neither a replica nor its disk confirms an operator's change: if it crashes or fails over right after a change of \
             a plan or an e-mail address, repeat that. All else is in the gateways' journals."
        }
    })
}

async fn scripts(connection: &mut Connection) -> Remark {
    let mut command = cmd("EVAL");
    command.arg("return redis.call('SET', KEYS[1], 1)").arg(1).arg(key_names::PULSE);
    match command.query_async::<()>(connection).await {
        Ok(()) => Remark::good("Scripts run and write."),
        Err(error) => Remark::fatal(format!("No script can write: {error}.")),
    }
}

async fn skew(connection: &mut Connection, clock: &Clock) -> Option<Remark> {
    let before = clock.now().0;
    let (seconds, micros): (i64, i64) = cmd("TIME").query_async(connection).await.ok()?;
    let apart = seconds * 1_000_000 + micros - i64::midpoint(before, clock.now().0);
    let says = format!("Its clock and ours are {} ms apart.", apart.abs() / 1_000);
    Some(if apart.abs() > SKEW { Remark::doubtful(says) } else { Remark::good(says) })
}
