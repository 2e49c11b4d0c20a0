//! An account's ledger as another program reads it, past the gateway's own code.

use redis::{Client, ConnectionLike, cluster::ClusterClient, cmd};
use rembg_gateway::{
    config::{RedisPlace, StoreConfig},
    domain::account::Uid,
};
use std::collections::HashMap;

/// The ledger's entries of pictures, counted.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    /// Entries of pictures.
    pub(crate) counted: u64,
    /// Entries under an operation id that an earlier one has.
    pub(crate) twice: u64,
    /// Entries of keeps that came after their lease.
    pub(crate) late: u64,
}

/// Reads every month's stream.
pub(crate) fn pictures(url: &str, uid: &Uid) -> Pictures {
    let place = StoreConfig { url: url.to_owned(), ..StoreConfig::default() }.redis_url().unwrap().unwrap().place;
    let own = match place {
        RedisPlace::Cluster(_) => format!("user:{{{uid}}}"),
        RedisPlace::Server(_) | RedisPlace::Socket(_) | RedisPlace::Sentinel(..) => format!("user:{uid}"),
    };
    let mut connection = connect(place);
    let months: Vec<String> = cmd("SMEMBERS").arg(format!("{own}:ledgers")).query(&mut *connection).unwrap();
    let mut pictures = Pictures::default();
    let mut times: HashMap<String, u64> = HashMap::new();
    for month in months {
        let stream = format!("{own}:ledger:{month}");
        let entries: Vec<(String, HashMap<String, String>)> =
            cmd("XRANGE").arg(stream).arg("-").arg("+").query(&mut *connection).unwrap();
        for (_, entry) in entries.into_iter().filter(|(_, entry)| entry["kind"] == "served") {
            pictures.counted += 1;
            pictures.late += u64::from(entry["late"] == "1");
            *times.entry(entry["operation"].clone()).or_default() += 1;
        }
    }
    pictures.twice = times.values().map(|times| times - 1).sum();
    pictures
}

fn connect(place: RedisPlace) -> Box<dyn ConnectionLike> {
    let server = |(host, port): (String, u16)| Client::open((host, port)).unwrap().get_connection().unwrap();
    match place {
        RedisPlace::Server(node) => Box::new(server(node)),
        RedisPlace::Socket(path) => panic!("no run is on a socket: {}", path.display()),
        RedisPlace::Cluster(nodes) => {
            let nodes = nodes.iter().map(|(host, port)| format!("redis://{host}:{port}"));
            Box::new(ClusterClient::new(nodes.collect::<Vec<_>>()).unwrap().get_connection().unwrap())
        }
        RedisPlace::Sentinel(mut nodes, master) => {
            let mut sentinel = server(nodes.remove(0));
            let node = cmd("SENTINEL").arg("get-master-addr-by-name").arg(master).query(&mut sentinel).unwrap();
            Box::new(server(node))
        }
    }
}
