//! From an address to a connection.

use crate::config::{Node, RedisPlace, RedisUrl};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline, ProtocolVersion,
    PushInfo, PushKind, RedisConnectionInfo, RedisFuture, RedisResult, TlsCertificates, TlsMode, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub, SendError},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::ExposeSecret as _;
use std::{fs, io, path::Path, time::Duration};
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};

/// How long a connection may take to stand, and an answer to come. Redis answers in far less than a millisecond.
const CONNECT: Duration = Duration::from_secs(1);
pub(super) const ANSWER: Duration = Duration::from_secs(1);

/// For finding a master or a Cluster's slots, several connections included.
const FIND: Duration = Duration::from_secs(4);

/// Requests on their way on one connection; the next ones wait.
const IN_FLIGHT: usize = 2_048;

/// How often the Cluster's client itself repeats a request, and how long it waits between two tries (ms).
const CLUSTER_RETRIES: u32 = 3;
const CLUSTER_WAIT: u64 = 100;

/// Makes connections to one place.
pub(super) struct Dialer {
    settings: RedisConnectionInfo,
    security: Security,
    place: Place,
    /// Connections of a Cluster that were lost: its client replaces them without a word to whoever asks.
    lost: watch::Sender<u64>,
}

/// Whether by TLS, and whom to trust then if not the machine's authorities.
enum Security {
    Plain,
    Tls(Option<TlsCertificates>),
}

enum Place {
    Server(Client),
    Cluster { client: ClusterClient, nodes: Vec<Node> },
    Sentinel(Mutex<SentinelClient>),
}

/// A connection that many share.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Many(ClusterConnection),
}

impl Dialer {
    /// Connects to nothing yet; fails only for an address that makes no sense, or authorities that cannot be read.
    pub(super) fn new(url: &RedisUrl) -> RedisResult<Self> {
        let mut settings = RedisConnectionInfo::default().set_db(url.database).set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &url.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &url.password {
            settings = settings.set_password(password.expose_secret());
        }
        let security = match (url.tls, &url.ca_file) {
            (false, _) => Security::Plain,
            (true, file) => Security::Tls(file.as_deref().map(authorities).transpose()?),
        };
        let lost = watch::Sender::new(0);
        let place = match &url.place {
            RedisPlace::Server(node) => Place::Server(security.client(node, &settings)?),
            RedisPlace::Socket(path) => {
                Place::Server(Client::open(info(ConnectionAddr::Unix(path.clone()), &settings)?)?)
            }
            RedisPlace::Cluster(nodes) => {
                Place::Cluster { client: cluster(nodes, &security, &settings, lost.clone())?, nodes: nodes.clone() }
            }
            RedisPlace::Sentinel(nodes, master) => {
                Place::Sentinel(Mutex::new(sentinel(nodes, master, &security, &settings)?))
            }
        };
        Ok(Self { settings, security, place, lost })
    }

    /// How many connections to servers of a Cluster were lost so far; always 0 elsewhere, where whoever asks is told.
    pub(super) fn connections_lost(&self) -> u64 {
        *self.lost.borrow()
    }

    /// Waits until more than so many are lost.
    pub(super) async fn loses_one_after(&self, so_many: u64) {
        let mut lost = self.lost.subscribe();
        // The sender is ours: this ends only when one is lost.
        drop(lost.wait_for(|lost| *lost > so_many).await);
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.place, Place::Cluster { .. })
    }

    /// The database's number.
    pub(super) fn database(&self) -> i64 {
        self.settings.db()
    }

    /// A new connection, to the master of the moment.
    pub(super) fn connect(&self) -> RedisFuture<'_, Connection> {
        let found = async {
            match &self.place {
                Place::Cluster { client, .. } => Ok(Connection::Many(client.get_async_connection().await?)),
                Place::Server(_) | Place::Sentinel(_) => {
                    let (master, config) = (self.master().await?, one());
                    Ok(Connection::One(master.get_multiplexed_async_connection_with_config(&config).await?))
                }
            }
        };
        Box::pin(async move { timeout(FIND, found).await.unwrap_or_else(|_| Err(too_late())) })
    }

    /// A connection to hear on what the gateways tell each other.
    pub(super) fn listen(&self) -> RedisFuture<'_, PubSub> {
        let found = async {
            if let Place::Cluster { nodes, .. } = &self.place {
                let mut last = too_late();
                for node in nodes {
                    match self.security.client(node, &self.settings)?.get_async_pubsub().await {
                        Ok(heard) => return Ok(heard),
                        Err(error) => last = error,
                    }
                }
                return Err(last);
            }
            self.master().await?.get_async_pubsub().await
        };
        Box::pin(async move { timeout(FIND, found).await.unwrap_or_else(|_| Err(too_late())) })
    }

    async fn master(&self) -> RedisResult<Client> {
        match &self.place {
            Place::Server(client) => Ok(client.clone()),
            Place::Sentinel(sentinel) => sentinel.lock().await.async_get_client().await,
            Place::Cluster { .. } => Err(io::Error::other("a Cluster has no one master").into()),
        }
    }
}

impl Connection {
    /// Changes how long an answer may take, where one server answers.
    pub(super) fn answers_within(&mut self, longest: Duration) {
        if let Self::One(connection) = self {
            connection.set_response_timeout(longest);
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command),
            Self::Many(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Many(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Many(connection) => connection.get_db(),
        }
    }
}

fn one() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER))
        .set_pipeline_buffer_size(IN_FLIGHT)
        .set_concurrency_limit(IN_FLIGHT)
}

/// A peer that is silently gone is noticed by the system within seconds.
fn tcp() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(1));
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive.with_retries(3))
        .set_user_timeout(Duration::from_secs(5))
}

impl Security {
    fn address(&self, (host, port): &Node) -> ConnectionAddr {
        let (host, port) = (host.clone(), *port);
        match self {
            Self::Plain => ConnectionAddr::Tcp(host, port),
            Self::Tls(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        }
    }

    fn authorities(&self) -> Option<&TlsCertificates> {
        match self {
            Self::Plain => None,
            Self::Tls(authorities) => authorities.as_ref(),
        }
    }

    fn client(&self, node: &Node, settings: &RedisConnectionInfo) -> RedisResult<Client> {
        let info = info(self.address(node), settings)?;
        match self.authorities() {
            Some(authorities) => Client::build_with_tls(info, authorities.clone()),
            None => Client::open(info),
        }
    }
}

/// Nobody would be trusted on the word of an empty file: that is a mistake to tell before the first handshake fails.
fn authorities(path: &Path) -> RedisResult<TlsCertificates> {
    let wrong = |why: String| io::Error::other(format!("store.ca_file {}: {why}", path.display()));
    let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    if CertificateDer::pem_slice_iter(&pem).next().is_none() {
        return Err(wrong("holds no certificate".into()).into());
    }
    Ok(TlsCertificates { client_tls: None, root_cert: Some(pem) })
}

fn info(address: ConnectionAddr, settings: &RedisConnectionInfo) -> RedisResult<ConnectionInfo> {
    Ok(address.into_connection_info()?.set_tcp_settings(tcp()).set_redis_settings(settings.clone()))
}

fn cluster(
    nodes: &[Node],
    security: &Security,
    settings: &RedisConnectionInfo,
    lost: watch::Sender<u64>,
) -> RedisResult<ClusterClient> {
    let count = move |push: PushInfo| {
        if push.kind == PushKind::Disconnection {
            lost.send_modify(|lost| *lost += 1);
        }
        Ok::<_, SendError>(())
    };
    let nodes = nodes.iter().map(|node| info(security.address(node), settings)).collect::<RedisResult<Vec<_>>>()?;
    let mut builder = ClusterClient::builder(nodes)
        .tcp_settings(tcp())
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(CONNECT)
        .response_timeout(ANSWER)
        .retries(CLUSTER_RETRIES)
        .max_retry_wait(CLUSTER_WAIT)
        .connection_concurrency_limit(IN_FLIGHT)
        .push_sender(count);
    if let Some(authorities) = security.authorities() {
        builder = builder.certs(authorities.clone());
    }
    builder.build()
}

fn sentinel(
    nodes: &[Node],
    master: &str,
    security: &Security,
    settings: &RedisConnectionInfo,
) -> RedisResult<SentinelClient> {
    let nodes = nodes.iter().map(|node| security.address(node));
    let mut builder = SentinelClientBuilder::new(nodes, master, SentinelServerType::Master)?
        .set_client_to_redis_db(settings.db())
        .set_client_to_redis_protocol(settings.protocol())
        .set_client_to_redis_tcp_settings(tcp())
        .set_client_to_sentinel_tcp_settings(tcp());
    if matches!(security, Security::Tls(_)) {
        builder =
            builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(authorities) = security.authorities() {
        builder = builder
            .set_client_to_redis_certificates(authorities.clone())
            .set_client_to_sentinel_certificates(authorities.clone());
    }
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    builder.build()
}

fn too_late() -> redis::RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}
