//! The line to Redis: one shared connection, a breaker in front of it, and a watchman who replaces it.
//!
//! While the line is down every verb fails at once. A connection that breaks, that only times out, or that leads to
//! a server which is no longer (or not yet) the one to ask, is given up; the watchman dials until a new one stands.

mod error;
mod peers;
mod supervisor;

use super::{
    dial::{Connection, Dialer},
    inspection::{self, Remark},
    server::{self, Identity, Master},
};
use crate::{
    clock::Clock,
    store::{Fault, Result, key_names},
    telemetry::panics,
};
use async_trait::async_trait;
use error::fault;
use peers::Peers;
pub(super) use peers::{Progress, Stage};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Script, ServerErrorKind, Value, cmd};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tracing::warn;

/// Answers in a row that did not come in time, after which a connection is given up.
const TIMEOUTS: u32 = 3;

/// How often a request whose outcome is unknown is repeated, and how long it waits for a new connection to do so.
const REPEATS: u32 = 2;
const PATIENCE: Duration = Duration::from_millis(500);

/// How long an operator's change waits for a replica, and for the server's disk (ms).
const REPLICA_WAIT: u32 = 300;
const DISK_WAIT: u32 = 2_500;

/// How long the answer to such a wait may take.
const WAIT_ANSWER: Duration = Duration::from_secs(4);

/// For how long a first connection is tried for, and the pause between two tries.
const START: Duration = Duration::from_secs(3);
const START_PAUSE: Duration = Duration::from_millis(400);

/// What is to be done on a line to a server that may have lost what it had acknowledged, before anybody else asks it.
#[async_trait]
pub(super) trait Replay: Send + Sync {
    async fn replay(&self, link: Link, progress: &Progress<'_>) -> Result<()>;
}

/// The line. Clones are the same line; dropping the last one ends the watch.
#[derive(Clone)]
pub(super) struct Link {
    shared: Arc<Shared>,
    watch: Arc<OnceLock<Watch>>,
}

struct Watch(JoinHandle<()>);

struct Shared {
    dialer: Arc<Dialer>,
    state: watch::Sender<State>,
    replay: OnceLock<Arc<dyn Replay>>,
    outages: AtomicU64,
    /// The other gateways; `None` for a command, which serves nobody.
    peers: Option<Peers>,
}

#[derive(Clone)]
enum State {
    Connected(Arc<Connected>),
    Disconnected(Arc<str>),
}

struct Connected {
    connection: Connection,
    identity: Identity,
    timeouts: AtomicU32,
    /// How many of the dialer's connections had been lost when this one stood.
    lost_before: u64,
}

/// One request.
pub(super) enum Request<'a> {
    Command(&'a Cmd),
    /// A script, and its call.
    Script(&'a Script, &'a Cmd),
}

impl Link {
    /// Connects. Waits some seconds for a failover under way to end. Nobody watches it before [`serve`](Self::serve).
    pub(super) async fn open(dialer: Dialer, is_gateway: bool) -> Result<Self> {
        let peers = is_gateway.then(Peers::new).transpose()?;
        let begun = Instant::now();
        let up = loop {
            match Connected::dial(&dialer).await {
                Ok(up) => break up,
                Err(error) if begun.elapsed() >= START => return Err(Fault::Unavailable(error.to_string())),
                Err(_) => tokio::time::sleep(START_PAUSE).await,
            }
        };
        Ok(Self { shared: Arc::new(Shared::of(Arc::new(dialer), up, peers)), watch: Arc::default() })
    }

    /// Watches from now on. A gateway replays first, and waits for the others; then again whenever the server is another.
    pub(super) async fn serve(&self, replay: Option<Arc<dyn Replay>>) -> Result<()> {
        if let Some(replay) = replay {
            let up = self.shared.up()?;
            self.shared.replayed(&*replay, &up).await?;
            drop(self.shared.replay.set(replay));
        }
        let watched = Arc::clone(&self.shared);
        let watch = panics::keep_alive(move || Arc::clone(&watched).watch());
        drop(self.watch.set(Watch(tokio::spawn(watch))));
        Ok(())
    }

    /// How often the line went down.
    pub(super) fn outages(&self) -> u64 {
        self.shared.outages.load(Ordering::Relaxed)
    }

    /// Who is at the other end.
    pub(super) fn identity(&self) -> Result<Identity> {
        Ok(self.shared.up()?.identity.clone())
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.shared.dialer
    }

    /// Asks, and asks again where the outcome is unknown: every writing verb may be repeated under its operation id.
    pub(super) async fn ask<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T> {
        self.ask_telling(request).await.map_err(|(fault, _)| fault)
    }

    /// The same; a fault with whether it is the connection's.
    pub(super) async fn ask_telling<T: FromRedisValue>(
        &self,
        request: Request<'_>,
    ) -> std::result::Result<T, (Fault, bool)> {
        let mut repeats = 0;
        loop {
            let up = self.shared.up().map_err(|fault| (fault, true))?;
            let (fault, worth_repeating) = tokio::select! {
                answer = up.answer(&request) => match answer {
                    Ok(value) => return read(value).map_err(|fault| (fault, false)),
                    Err(error) => (fault(&error), self.shared.classify(&up, &error)),
                },
                fault = self.shared.goes_down(&up) => (fault, true),
            };
            repeats += 1;
            if !worth_repeating || repeats > REPEATS || !self.shared.up_within(PATIENCE).await {
                return Err((fault, worth_repeating));
            }
        }
    }

    /// Whether the next request would be refused without asking anybody.
    pub(super) fn is_down(&self) -> bool {
        self.shared.up().is_err()
    }

    pub(super) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.ask(Request::Command(command)).await
    }

    /// Waits until a replica has what was written so far, and the server's disk where the server can tell: some have neither. Not on
    /// a Cluster, where each master has its own. Blocks a connection of its own, and nobody else's.
    pub(super) async fn wait_until_safe(&self) -> Result<()> {
        if self.shared.dialer.is_cluster() {
            return Ok(());
        }
        let waited = async {
            let mut connection = self.shared.dialer.connect().await?;
            connection.answers_within(WAIT_ANSWER);
            let able = server::abilities(&mut connection).await?;
            // A server waits for what the connection itself has written, and so for all that came before.
            let () = cmd("SET").arg(key_names::PULSE).arg(1).query_async(&mut connection).await?;
            let (mut replicas, mut disks) = (u64::from(able.has_replica), u64::from(able.tells_of_its_disk));
            if able.has_replica {
                replicas = cmd("WAIT").arg(1).arg(REPLICA_WAIT).query_async(&mut connection).await?;
            }
            if able.tells_of_its_disk {
                (disks, _) =
                    cmd("WAITAOF").arg(1).arg(0).arg(DISK_WAIT).query_async::<(u64, u64)>(&mut connection).await?;
            }
            Ok::<_, RedisError>((able.has_replica && replicas == 0, able.tells_of_its_disk && disks == 0))
        };
        match waited.await {
            Ok((false, false)) => {}
            Ok((no_replica, no_disk)) => warn!(no_replica, no_disk, "an operator's change is not confirmed yet"),
            Err(error) => warn!(%error, "nobody has confirmed an operator's change"),
        }
        Ok(())
    }

    /// What the server is found to be.
    pub(super) async fn inspected(&self, clock: &Clock) -> Result<Vec<Remark>> {
        let mut connection = self.shared.up()?.connection.clone();
        inspection::look(&mut connection, clock).await
    }

    /// Every master, to ask one by one with [`Link::command_at`].
    pub(super) async fn masters(&self) -> Result<Vec<Master>> {
        let mut connection = self.shared.up()?.connection.clone();
        server::masters(&mut connection).await.map_err(|error| fault(&error))
    }

    /// Asks one master.
    pub(super) async fn command_at<T: FromRedisValue>(&self, master: &Master, command: &Cmd) -> Result<T> {
        let mut connection = self.shared.up()?.connection.clone();
        read(server::ask_one(&mut connection, master, command).await.map_err(|error| fault(&error))?)
    }
}

/// What an answer means. One that cannot be read is no fault of the connection.
fn read<T: FromRedisValue>(value: Value) -> Result<T> {
    T::from_redis_value(value).map_err(|error| Fault::Unexpected(error.to_string()))
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connected {
    /// A connection to a server that can be written to.
    async fn dial(dialer: &Dialer) -> RedisResult<Arc<Self>> {
        let mut connection = dialer.connect().await?;
        let lost_before = dialer.connections_lost();
        let identity = server::identity(&mut connection).await?;
        Ok(Arc::new(Self { connection, identity, timeouts: AtomicU32::new(0), lost_before }))
    }

    async fn answer(&self, request: &Request<'_>) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let answer = match request {
            Request::Command(command) => command.query_async(&mut connection).await,
            Request::Script(script, call) => match call.query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    script.load_async(&mut connection).await?;
                    call.query_async(&mut connection).await
                }
                answer => answer,
            },
        };
        if answer.is_ok() {
            self.timeouts.store(0, Ordering::Relaxed);
        }
        answer
    }
}

impl Shared {
    fn of(dialer: Arc<Dialer>, up: Arc<Connected>, peers: Option<Peers>) -> Self {
        Self {
            dialer,
            state: watch::channel(State::Connected(up)).0,
            replay: OnceLock::new(),
            outages: AtomicU64::new(0),
            peers,
        }
    }

    fn up(&self) -> Result<Arc<Connected>> {
        match &*self.state.borrow() {
            State::Connected(up) => Ok(Arc::clone(up)),
            State::Disconnected(why) => Err(Fault::Unavailable(why.to_string())),
        }
    }

    async fn up_within(&self, patience: Duration) -> bool {
        let mut state = self.state.subscribe();
        timeout(patience, state.wait_for(|state| matches!(state, State::Connected(_))))
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// Waits until that connection is no longer the one which everybody uses: what is still asked on it may be done or not.
    async fn goes_down(&self, up: &Arc<Connected>) -> Fault {
        let mut state = self.state.subscribe();
        let is_other = |state: &State| !matches!(state, State::Connected(now) if Arc::ptr_eq(now, up));
        let why = match state.wait_for(is_other).await.as_deref() {
            Ok(State::Disconnected(why)) => why.to_string(),
            Ok(State::Connected(_)) | Err(_) => "the connection was replaced".into(),
        };
        Fault::Unavailable(why)
    }

    /// Writes again on this connection what its server may have lost, and waits until all other gateways have.
    async fn replayed(self: &Arc<Self>, replay: &dyn Replay, up: &Arc<Connected>) -> Result<()> {
        let shared = Arc::new(Self::of(Arc::clone(&self.dialer), Arc::clone(up), None));
        let progress = Progress::of(self.peers.as_ref(), up);
        replay.replay(Link { shared, watch: Arc::default() }, &progress).await?;
        progress.reached(Stage::Done).await
    }

    /// Whether asking again may help; takes the line down if the connection is to blame.
    fn classify(&self, up: &Arc<Connected>, error: &RedisError) -> bool {
        let Some(classify) = error::classify(error) else { return false };
        let lost = match classify {
            error::Cause::Connection => true,
            error::Cause::Slowness => up.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= TIMEOUTS,
            error::Cause::Nobody => false,
        };
        if lost {
            self.take_down(up, &error.to_string());
        }
        true
    }

    /// Only if it is still that connection which everybody uses.
    fn take_down(&self, up: &Arc<Connected>, why: &str) {
        let changed = self.state.send_if_modified(|state| {
            let current = matches!(state, State::Connected(now) if Arc::ptr_eq(now, up));
            if current {
                *state = State::Disconnected(why.into());
            }
            current
        });
        if changed {
            self.outages.fetch_add(1, Ordering::Relaxed);
            warn!(why, "the store is away: requests are answered 503");
        }
    }
}
