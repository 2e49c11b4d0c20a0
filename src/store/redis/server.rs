//! What stands at the other end, and whether it will do.

use super::dial::Connection;
use redis::{
    Cmd, RedisResult, Value,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo},
    cmd,
};
use std::{collections::BTreeMap, io};

/// Every master by its run id and replication id: changes when one was started anew or another has taken over.
pub(super) type Identity = Vec<String>;

/// Asks every master who it is. An error for a server that cannot be written to.
pub(super) async fn identity(connection: &mut Connection) -> RedisResult<Identity> {
    let mut identity = Vec::new();
    for info in everywhere(connection, &["INFO"]).await? {
        let info = fields(&redis::from_redis_value::<String>(info)?);
        let field = |name: &str| info.get(name).cloned().unwrap_or_default();
        if field("loading") == "1" {
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "it is still loading its data").into());
        }
        if field("role") != "master" {
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "it is a replica").into());
        }
        identity.push(format!("{} {}", field("run_id"), field("master_replid")));
    }
    identity.sort_unstable();
    Ok(identity)
}

/// What a server can confirm.
pub(super) struct Abilities {
    /// A replica follows it.
    pub(super) has_replica: bool,
    /// It says when its disk has something: Redis 7.2 and newer, and Valkey.
    pub(super) tells_of_its_disk: bool,
}

pub(super) async fn abilities(connection: &mut Connection) -> RedisResult<Abilities> {
    let info: String = cmd("INFO").query_async(connection).await?;
    Ok(Abilities::of(&fields(&info)))
}

impl Abilities {
    pub(super) fn of(info: &BTreeMap<String, String>) -> Self {
        let field = |name: &str| info.get(name).map_or("", String::as_str);
        Self {
            has_replica: !matches!(field("connected_slaves"), "" | "0"),
            tells_of_its_disk: field("aof_enabled") == "1" && version(info) >= (7, 2),
        }
    }
}

/// The version; a Valkey's is the Redis that it answers to.
pub(super) fn version(info: &BTreeMap<String, String>) -> (u32, u32) {
    let text = info.get("redis_version").map_or("", String::as_str);
    let mut numbers = text.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// A master: `None` where there is only one, else its host and port.
pub(super) type Master = Option<(String, u16)>;

/// Every master there is.
pub(super) async fn masters(connection: &mut Connection) -> RedisResult<Vec<Master>> {
    let Connection::Many(many) = connection else { return Ok(vec![None]) };
    let nodes: String = cmd("CLUSTER").arg("NODES").query_async(many).await?;
    let masters = nodes.lines().filter_map(|link| {
        let mut words = link.split(' ');
        let (place, flags) = (words.nth(1)?, words.next()?);
        let master = flags.split(',').any(|flag| flag == "master") && !flags.contains("fail");
        let (host, port) = place.split(['@', ',']).next()?.rsplit_once(':')?;
        master.then(|| Some((host.to_owned(), port.parse().ok()?)))
    });
    Ok(masters.collect())
}

/// Asks one master.
pub(super) async fn ask_one(connection: &mut Connection, master: &Master, command: &Cmd) -> RedisResult<Value> {
    match (connection, master) {
        (Connection::Many(many), Some((host, port))) => {
            let there = SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
            many.route_command(command.clone(), RoutingInfo::SingleNode(there)).await
        }
        (connection, _) => command.query_async(connection).await,
    }
}

/// One command's answers: the server's, or each master's of a Cluster.
pub(super) async fn everywhere(connection: &mut Connection, words: &[&str]) -> RedisResult<Vec<Value>> {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    match connection {
        Connection::One(one) => Ok(vec![command.query_async(one).await?]),
        Connection::Many(many) => {
            let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
            let answers = many.route_command(command, masters).await?.into_map_iter();
            let answers = answers.map_err(|_| io::Error::other("the Cluster's answer is no map"))?;
            Ok(answers.map(|(_, answer)| answer).collect())
        }
    }
}

/// The `name:value` lines of `INFO`.
pub(super) fn fields(info: &str) -> BTreeMap<String, String> {
    let lines = info.lines().filter_map(|link| link.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}
