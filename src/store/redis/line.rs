//! The line to Redis: one shared connection, a breaker in front of it, and a watchman who replaces it.
//!
//! While the line is down every verb fails at once. A connection that breaks, that only times out, or that leads to
//! a server which is no longer (or not yet) the one to ask, is given up; the watchman dials until a new one stands.

use super::{
    dial::{Connection, Dialer},
    inspection::{self, Remark},
    server::{self, Identity, Master},
};
use crate::{
    clock::Clock,
    store::{Fault, Result},
};
use async_trait::async_trait;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ScriptInvocation, ServerErrorKind, Value, cmd};
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
use tracing::{info, warn};

/// Answers in a row that did not come in time, after which a connection is given up.
const TIMEOUTS: u32 = 3;

/// How often a request whose outcome is unknown is repeated, and how long it waits for a new connection to do so.
const REPEATS: u32 = 2;
const PATIENCE: Duration = Duration::from_millis(500);

/// How long an operator's change waits for a replica (ms). Everything else on the connection waits with it.
const REPLICA_WAIT: u32 = 300;

/// For how long a first connection is tried for.
const START: Duration = Duration::from_secs(3);

/// How often an idle line is tried.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The shortest and the longest pause between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// What is to be done on a line to a server that may have lost what it had acknowledged, before anybody else asks it.
#[async_trait]
pub(super) trait Recall: Send + Sync {
    async fn recall(&self, line: Line) -> Result<()>;
}

/// The line. Clones are the same line; dropping the last one ends the watch.
#[derive(Clone)]
pub(super) struct Line {
    shared: Arc<Shared>,
    _watch: Option<Arc<Watch>>,
}

struct Watch(JoinHandle<()>);

struct Shared {
    dialer: Arc<Dialer>,
    state: watch::Sender<State>,
    recall: OnceLock<Arc<dyn Recall>>,
    outages: AtomicU64,
}

#[derive(Clone)]
enum State {
    Up(Arc<Up>),
    Down(Arc<str>),
}

struct Up {
    connection: Connection,
    identity: Identity,
    timeouts: AtomicU32,
}

/// One request.
pub(super) enum Request<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Line {
    /// Connects, and watches from then on. Waits some seconds for a failover under way to end.
    pub(super) async fn open(dialer: Dialer) -> Result<Self> {
        let begun = Instant::now();
        let up = loop {
            match dial(&dialer).await {
                Ok(up) => break up,
                Err(error) if begun.elapsed() >= START => return Err(Fault::Unavailable(error.to_string())),
                Err(_) => tokio::time::sleep(LONGEST_PAUSE).await,
            }
        };
        let shared = Arc::new(Shared::of(Arc::new(dialer), up));
        let watch = Arc::new(Watch(tokio::spawn(Arc::clone(&shared).watch())));
        Ok(Self { shared, _watch: Some(watch) })
    }

    /// Names what is to be recalled from now on.
    pub(super) fn will_recall(&self, recall: Arc<dyn Recall>) {
        // Only the first one counts, and there is only one.
        drop(self.shared.recall.set(recall));
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
        let mut repeats = 0;
        loop {
            let up = self.shared.up()?;
            let error = match up.answer(&request).await.and_then(|value| Ok(T::from_redis_value(value)?)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let fault = fault(&error);
            if !self.shared.blame(&up, &error) {
                return Err(fault);
            }
            repeats += 1;
            if repeats > REPEATS || !self.shared.up_within(PATIENCE).await {
                return Err(fault);
            }
        }
    }

    pub(super) async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.ask(Request::Command(command)).await
    }

    /// Waits until a replica has what was written so far, but not for long. Not on a Cluster, where each master has its own.
    pub(super) async fn wait_for_replica(&self) -> Result<()> {
        let mut connection = self.shared.up()?.connection.clone();
        if self.shared.dialer.is_cluster()
            || !server::has_replica(&mut connection).await.map_err(|error| fault(&error))?
        {
            return Ok(());
        }
        let reached: u64 = self.command(cmd("WAIT").arg(1).arg(REPLICA_WAIT)).await?;
        if reached == 0 {
            warn!("no replica has confirmed an operator's change yet");
        }
        Ok(())
    }

    /// What the server is found to be.
    pub(super) async fn inspected(&self, clock: &Clock) -> Result<Vec<Remark>> {
        let mut connection = self.shared.up()?.connection.clone();
        inspection::look(&mut connection, clock).await
    }

    /// Every master, to ask one by one with [`Line::command_at`].
    pub(super) async fn masters(&self) -> Result<Vec<Master>> {
        let mut connection = self.shared.up()?.connection.clone();
        server::masters(&mut connection).await.map_err(|error| fault(&error))
    }

    /// Asks one master.
    pub(super) async fn command_at<T: FromRedisValue>(&self, master: &Master, command: &Cmd) -> Result<T> {
        let mut connection = self.shared.up()?.connection.clone();
        let answer = server::ask_one(&mut connection, master, command).await;
        answer.and_then(|value| Ok(T::from_redis_value(value)?)).map_err(|error| fault(&error))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Up {
    async fn answer(&self, request: &Request<'_>) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let answer = match request {
            Request::Command(command) => command.query_async(&mut connection).await,
            Request::Script(call) => call.invoke_async(&mut connection).await,
        };
        if answer.is_ok() {
            self.timeouts.store(0, Ordering::Relaxed);
        }
        answer
    }
}

impl Shared {
    fn of(dialer: Arc<Dialer>, up: Arc<Up>) -> Self {
        Self { dialer, state: watch::channel(State::Up(up)).0, recall: OnceLock::new(), outages: AtomicU64::new(0) }
    }

    fn up(&self) -> Result<Arc<Up>> {
        match &*self.state.borrow() {
            State::Up(up) => Ok(Arc::clone(up)),
            State::Down(why) => Err(Fault::Unavailable(why.to_string())),
        }
    }

    async fn up_within(&self, patience: Duration) -> bool {
        let mut state = self.state.subscribe();
        timeout(patience, state.wait_for(|state| matches!(state, State::Up(_)))).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Whether asking again may help; takes the line down if the connection is to blame.
    fn blame(&self, up: &Arc<Up>, error: &RedisError) -> bool {
        let kind = error.kind();
        let broken = matches!(kind, ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound);
        if !broken && !matches!(kind, ErrorKind::Server(kind) if is_elsewhere(kind)) {
            return false;
        }
        let lost = !error.is_timeout() || up.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= TIMEOUTS;
        if lost {
            self.take_down(up, &error.to_string());
        }
        true
    }

    /// Only if it is still that connection which everybody uses.
    fn take_down(&self, up: &Arc<Up>, why: &str) {
        let changed = self.state.send_if_modified(|state| {
            let current = matches!(state, State::Up(now) if Arc::ptr_eq(now, up));
            if current {
                *state = State::Down(why.into());
            }
            current
        });
        if changed {
            self.outages.fetch_add(1, Ordering::Relaxed);
            warn!(why, "the store is away: requests are answered 503");
        }
    }

    async fn watch(self: Arc<Self>) {
        let mut state = self.state.subscribe();
        let mut identity = self.up().map(|up| up.identity.clone()).unwrap_or_default();
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Up(up) => tokio::select! {
                    changed = state.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(HEARTBEAT) => self.try_line(&up).await,
                },
                State::Down(_) => identity = self.dial_until_up(identity).await,
            }
        }
    }

    async fn try_line(&self, up: &Arc<Up>) {
        let mut connection = up.connection.clone();
        match server::identity(&mut connection).await {
            Ok(identity) if identity == up.identity => up.timeouts.store(0, Ordering::Relaxed),
            Ok(_) => self.take_down(up, "another server has taken over"),
            Err(error) => {
                self.blame(up, &error);
            }
        }
    }

    /// Answers with who is at the other end now.
    async fn dial_until_up(&self, last: Identity) -> Identity {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.redial(&last).await {
                Ok(up) => {
                    let identity = up.identity.clone();
                    self.state.send_replace(State::Up(up));
                    info!("the store is back");
                    return identity;
                }
                Err(fault) => {
                    self.state.send_replace(State::Down(fault.to_string().into()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn redial(&self, last: &Identity) -> Result<Arc<Up>> {
        let up = dial(&self.dialer).await.map_err(|error| fault(&error))?;
        if up.identity != *last
            && let Some(recall) = self.recall.get()
        {
            let shared = Arc::new(Self::of(Arc::clone(&self.dialer), Arc::clone(&up)));
            recall.recall(Line { shared, _watch: None }).await?;
        }
        Ok(up)
    }
}

/// A connection to a server that can be written to.
async fn dial(dialer: &Dialer) -> RedisResult<Arc<Up>> {
    let mut connection = dialer.connect().await?;
    let identity = server::identity(&mut connection).await?;
    Ok(Arc::new(Up { connection, identity, timeouts: AtomicU32::new(0) }))
}

/// The server says that it is not, or not yet, the one to ask.
fn is_elsewhere(kind: ServerErrorKind) -> bool {
    use ServerErrorKind as Kind;
    matches!(
        kind,
        Kind::BusyLoading
            | Kind::ReadOnly
            | Kind::MasterDown
            | Kind::ClusterDown
            | Kind::TryAgain
            | Kind::Moved
            | Kind::Ask
    )
}

/// What an error means to the gateway.
pub(super) fn fault(error: &RedisError) -> Fault {
    let full = matches!(error.code(), Some("OOM" | "MISCONF" | "NOREPLICAS" | "BUSY"));
    let kind = error.kind();
    let unexpected = kind == ErrorKind::UnexpectedReturnType
        || matches!(kind, ErrorKind::Server(kind) if !is_elsewhere(kind))
        || (kind == ErrorKind::Extension && !full);
    if unexpected { Fault::Unexpected(error.to_string()) } else { Fault::Unavailable(error.to_string()) }
}
