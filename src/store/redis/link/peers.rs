//! The gateways on one store. When the server has been started anew or replaced, each writes again what its journal has; until
//! all have, none admits anybody: counters without another gateway's keeps would let callers overshoot.

use super::{Connected, error::fault};
use crate::{
    random::base62_text,
    store::{Fault, Result, key_names},
};
use redis::{RedisResult, Script, cmd};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tracing::warn;

/// The longest that a gateway waits for another that shows no progress: it may be gone together with the server.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks, and between two reports of progress.
const PAUSE: Duration = Duration::from_millis(25);
const REPORT_EVERY: Duration = Duration::from_millis(250);

/// How far a gateway is with writing again what a server has lost. No gateway goes on before all others are as far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Stage {
    Begun,
    /// Every account is there that was gone.
    Accounts,
    /// Operators' changes and Stripe's events are.
    Changes,
    /// Nothing is left.
    Done,
}

impl Stage {
    /// What a gateway reports, with its steps so far.
    fn report(self, steps: u64) -> String {
        format!("{} {steps}", self as u8)
    }

    fn is_reached(self, report: Option<&String>) -> bool {
        let reached = report.and_then(|report| report.split(' ').next()?.parse::<u8>().ok());
        reached.is_some_and(|stage| stage >= self as u8)
    }
}

/// This gateway among the others.
pub(super) struct Peers {
    me: String,
    alive: Script,
    /// Who was there when the last heartbeat went well: the server may have lost that too.
    seen: Mutex<BTreeSet<String>>,
}

impl Peers {
    pub(super) fn new() -> Result<Self> {
        let me = base62_text(16).map_err(|error| Fault::Unavailable(error.to_string()))?;
        Ok(Self { me, alive: Script::new(include_str!("../../lua/alive.lua")), seen: Mutex::default() })
    }

    /// Tells that this gateway is there and has nothing to write again on this server, and notes who else is there.
    pub(super) async fn greet(&self, up: &Connected) -> RedisResult<()> {
        *self.seen() = self.others(up, Stage::Done.report(0)).await?;
        Ok(())
    }

    /// Tells how far this gateway is on this server. Gives the others.
    async fn others(&self, up: &Connected, report: String) -> RedisResult<BTreeSet<String>> {
        let mut connection = up.connection.clone();
        let mut call = self.alive.prepare_invoke();
        call.key(key_names::ALIVE).key(key_names::replayed(&up.identity)).arg(&self.me).arg(report);
        call.invoke_async(&mut connection).await
    }

    fn seen(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a replay is, reported to the other gateways.
pub(in super::super) struct Progress<'a> {
    peers: Option<&'a Peers>,
    up: &'a Connected,
    reports: Mutex<Reports>,
}

/// This gateway's last report, and those of others.
struct Reports {
    stage: Stage,
    steps: u64,
    at: Option<Instant>,
    /// The last report of each other gateway, and since when; an empty text while there is none.
    of_peers: HashMap<String, (String, Instant)>,
    /// Those that have reported nothing new for too long. They are not waited for.
    silent: BTreeSet<String>,
}

impl<'a> Progress<'a> {
    pub(super) fn of(peers: Option<&'a Peers>, up: &'a Connected) -> Self {
        let reports =
            Reports { stage: Stage::Begun, steps: 0, at: None, of_peers: HashMap::new(), silent: BTreeSet::new() };
        Self { peers, up, reports: Mutex::new(reports) }
    }

    /// So many more steps are made. Others hear of it some times a second. That they do not is no reason to stop.
    pub(in super::super) async fn made(&self, steps: usize) {
        let Some(peers) = self.peers else { return };
        let report = {
            let mut own = self.reports();
            own.steps += steps as u64;
            if own.at.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
                return;
            }
            own.at = Some(Instant::now());
            own.stage.report(own.steps)
        };
        // A gateway that starts meanwhile must find this one among those that are there.
        drop(peers.others(self.up, report).await);
    }

    /// This gateway has come so far. Waits until all others have, as long as each shows progress.
    pub(in super::super) async fn reached(&self, stage: Stage) -> Result<()> {
        let Some(peers) = self.peers else { return Ok(()) };
        let report = {
            let mut own = self.reports();
            own.stage = stage;
            stage.report(own.steps)
        };
        let mut awaited = peers.others(self.up, report).await.map_err(|error| fault(&error))?;
        {
            let mut seen = peers.seen();
            awaited.extend(seen.iter().cloned());
            seen.clone_from(&awaited);
        }
        loop {
            let mut connection = self.up.connection.clone();
            let answer = cmd("HGETALL").arg(key_names::replayed(&self.up.identity)).query_async(&mut connection).await;
            let said: HashMap<String, String> = answer.map_err(|error| fault(&error))?;
            awaited.retain(|peer| !stage.is_reached(said.get(peer)));
            if self.reports().note(&mut awaited, &said) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reports {
    /// Notes the reports of others. Whether nobody is left to wait for.
    fn note(&mut self, awaited: &mut BTreeSet<String>, said: &HashMap<String, String>) -> bool {
        let now = Instant::now();
        for peer in awaited.iter() {
            let report = said.get(peer).cloned().unwrap_or_default();
            match self.of_peers.get(peer) {
                Some((before, _)) if *before == report => {}
                _ => {
                    self.silent.remove(peer);
                    self.of_peers.insert(peer.clone(), (report, now));
                }
            }
        }
        let too_long = |peer: &String| self.of_peers.get(peer).is_some_and(|(_, since)| now - *since >= PATIENCE);
        let silent: Vec<String> =
            awaited.iter().filter(|peer| too_long(peer) && !self.silent.contains(*peer)).cloned().collect();
        if !silent.is_empty() {
            let missing = silent.len();
            warn!(missing, "other gateways have not said that they wrote again what the store may have lost");
            self.silent.extend(silent);
        }
        awaited.retain(|peer| !self.silent.contains(peer));
        awaited.is_empty()
    }
}
