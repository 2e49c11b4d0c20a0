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

/// Whether any replica follows this server.
pub(super) async fn has_replica(connection: &mut Connection) -> RedisResult<bool> {
    let info: String = cmd("INFO").arg("replication").query_async(connection).await?;
    Ok(fields(&info).get("connected_slaves").is_some_and(|count| count != "0"))
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
