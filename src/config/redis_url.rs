//! The address of a Redis or Valkey: one server, a Sentinel group or a Cluster.

use secrecy::SecretString;
use std::path::PathBuf;

/// The port of a server, and that of a Sentinel.
const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// A Redis: `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, `redis+cluster://…HOST:PORT,HOST:PORT`,
/// `redis+sentinel://…HOST:PORT,HOST:PORT/MASTER[/DATABASE]`, each with `rediss` for TLS, or `redis+unix:PATH`.
///
/// User and password are percent-decoded. For Sentinel they are those of the servers.
#[derive(Clone, Debug)]
pub struct RedisUrl {
    /// The servers, and how they form one store.
    pub place: RedisPlace,
    /// Whether connections use TLS.
    pub tls: bool,
    /// Authorities that TLS is checked against, in PEM; `None` for the machine's. It is a setting of its own, not a
    /// part of the address.
    pub ca_file: Option<PathBuf>,
    /// The ACL user; `None` for the default one.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// The database's number.
    pub database: i64,
}

/// Host and port.
pub type Node = (String, u16);

/// The servers at an address, by how they form one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisPlace {
    /// One server.
    Server(Node),
    /// One server, by its socket's path.
    Socket(PathBuf),
    /// Some nodes of a Cluster, from which the others are learned.
    Cluster(Vec<Node>),
    /// Sentinels, and the name under which they watch the master.
    Sentinel(Vec<Node>, String),
}

impl RedisUrl {
    /// Parses an address; `None` if it is not one of a Redis. The error never holds the password.
    pub(super) fn parse(url: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = url.split_once(':')?;
        let (family, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match family {
            "redis" => false,
            "rediss" => true,
            _ => return None,
        };
        Some(match (kind, rest.strip_prefix("//")) {
            ("unix", _) if !tls => Self::socket(rest),
            ("" | "cluster" | "sentinel", Some(rest)) => Self::network(kind, tls, rest),
            _ => Err("must look like \"redis://127.0.0.1:6379\"".into()),
        })
    }

    fn socket(rest: &str) -> Result<Self, String> {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() {
            return Err("names no socket".into());
        }
        let place = RedisPlace::Socket(path.into());
        Ok(Self { place, tls: false, ca_file: None, user: None, password: None, database: 0 })
    }

    fn network(kind: &str, tls: bool, rest: &str) -> Result<Self, String> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let given = |text: &str| (!text.is_empty()).then(|| decoded(text)).transpose();
        let port = if kind == "sentinel" { SENTINEL_PORT } else { REDIS_PORT };
        let mut nodes = hosts.split(',').map(|host| node(host, port)).collect::<Result<Vec<_>, _>>()?;
        let mut path = path.split('/').filter(|part| !part.is_empty());
        let place = match kind {
            "cluster" => RedisPlace::Cluster(nodes),
            "sentinel" => RedisPlace::Sentinel(nodes, path.next().ok_or("names no master: …/MASTER")?.into()),
            _ if nodes.len() == 1 => RedisPlace::Server(nodes.remove(0)),
            _ => return Err("names several servers; write redis+cluster:// or redis+sentinel://".into()),
        };
        let database = path.next().map_or(Ok(0), str::parse).ok().filter(|number| *number >= 0);
        let database = database.ok_or("the database must be a number")?;
        if matches!(place, RedisPlace::Cluster(_)) && database != 0 {
            return Err("a Cluster has no database but 0".into());
        }
        let (user, password) = (given(user)?, given(password)?.map(Into::into));
        Ok(Self { place, tls, ca_file: None, user, password, database })
    }
}

fn node(text: &str, port: u16) -> Result<Node, String> {
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, number)) if !number.contains(']') => {
            // The text is not shown: it may be a part of a password with a slash in it.
            (
                bare(host),
                number.parse().map_err(|_| "has no port number after its last colon (a slash in a password is %2F)")?,
            )
        }
        _ => (bare(text), port),
    };
    if host.is_empty() { Err("names no host".into()) } else { Ok((host, port)) }
}

fn decoded(text: &str) -> Result<String, String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(*first);
        if let (b'%', [high, low, beyond @ ..]) = (*first, tail)
            && let Ok(byte) = u8::from_str_radix(&String::from_utf8_lossy(&[*high, *low]), 16)
        {
            bytes.pop();
            bytes.push(byte);
            rest = beyond;
        }
    }
    String::from_utf8(bytes).map_err(|_| "user and password must be UTF-8".into())
}

/// The address with `***` in place of its password.
pub(super) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((login, place)) = rest.rsplit_once('@') else { return url.to_owned() };
    let user = login.split(':').next().unwrap_or_default();
    let secret = if login.contains(':') { ":***" } else { "" };
    format!("{scheme}://{user}{secret}@{place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn parsed(url: &str) -> RedisUrl {
        RedisUrl::parse(url).unwrap().unwrap()
    }

    #[test]
    fn every_kind_of_address_is_read() {
        let host = |name: &str, port| (name.to_owned(), port);
        for (url, place, tls, database) in [
            ("redis://h", RedisPlace::Server(host("h", 6379)), false, 0),
            ("rediss://h:7/3", RedisPlace::Server(host("h", 7)), true, 3),
            ("redis://[::1]:7", RedisPlace::Server(host("::1", 7)), false, 0),
            ("redis+unix:///run/r.sock", RedisPlace::Socket("/run/r.sock".into()), false, 0),
            ("redis+cluster://a:1,b:2", RedisPlace::Cluster(vec![host("a", 1), host("b", 2)]), false, 0),
            (
                "redis+sentinel://a,b:2/main/1",
                RedisPlace::Sentinel(vec![host("a", 26379), host("b", 2)], "main".into()),
                false,
                1,
            ),
        ] {
            let found = parsed(url);
            assert_eq!((found.place, found.tls, found.database), (place, tls, database), "{url}");
        }
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        let url = "redis://ann:p%40ss:w%2Frd@h:1/2";
        let found = parsed(url);
        assert_eq!(
            (found.user.as_deref(), found.password.as_ref().unwrap().expose_secret()),
            (Some("ann"), "p@ss:w/rd")
        );
        assert_eq!(masked(url), "redis://ann:***@h:1/2");
        assert_eq!(parsed("redis://:secret@h").user, None);
        assert!(!format!("{found:?}").contains("p@ss"));
    }

    #[test]
    fn what_cannot_be_read_is_said_in_words() {
        for (url, words) in [
            ("redis:h", "must look like"),
            ("redis://", "names no host"),
            ("redis://h:x", "no port"),
            ("redis://:sec/ret@h", "no port"),
            ("redis://a,b", "several servers"),
            ("redis://h/x", "must be a number"),
            ("redis+sentinel://h", "names no master"),
            ("redis+cluster://h/1", "no database"),
        ] {
            let error = RedisUrl::parse(url).unwrap().unwrap_err();
            assert!(error.contains(words) && !error.contains("sec/") && !error.contains("\"sec"), "{url}: {error}");
        }
        assert!(RedisUrl::parse("sqlite:x").is_none());
    }
}
