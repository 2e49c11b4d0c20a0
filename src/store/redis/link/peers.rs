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

/// Between two looks, and between two words of progress.
const PAUSE: Duration = Duration::from_millis(25);
const WORD_EVERY: Duration = Duration::from_millis(250);

/// How far a gateway is with writing again what a server has lost. No gateway goes on before all others are as far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Stage {
    Begun,
    /// Every account is there that was gone.
    Accounts,
    /// Operators' writes and Stripe's events are.
    Deeds,
    /// Nothing is left.
    Done,
}

impl Stage {
    /// What a gateway says, with its steps so far.
    fn word(self, steps: u64) -> String {
        format!("{} {steps}", self as u8)
    }

    fn is_reached(self, word: Option<&String>) -> bool {
        let told = word.and_then(|word| word.split(' ').next()?.parse::<u8>().ok());
        told.is_some_and(|stage| stage >= self as u8)
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
        *self.seen() = self.others(up, Stage::Done.word(0)).await?;
        Ok(())
    }

    /// Tells how far this gateway is on this server. Gives the others.
    async fn others(&self, up: &Connected, word: String) -> RedisResult<BTreeSet<String>> {
        let mut connection = up.connection.clone();
        let mut call = self.alive.prepare_invoke();
        call.key(key_names::ALIVE).key(key_names::replayed(&up.identity)).arg(&self.me).arg(word);
        call.invoke_async(&mut connection).await
    }

    fn seen(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a replay is, told to the other gateways.
pub(in super::super) struct Progress<'a> {
    peers: Option<&'a Peers>,
    up: &'a Connected,
    told: Mutex<Heard>,
}

struct Heard {
    stage: Stage,
    steps: u64,
    at: Option<Instant>,
    /// What each other gateway has said last, and since when. Nothing was heard yet of one with an empty word.
    words: HashMap<String, (String, Instant)>,
    /// Those that have said nothing new for too long. They are not waited for.
    silent: BTreeSet<String>,
}

impl<'a> Progress<'a> {
    pub(super) fn of(peers: Option<&'a Peers>, up: &'a Connected) -> Self {
        let told = Heard { stage: Stage::Begun, steps: 0, at: None, words: HashMap::new(), silent: BTreeSet::new() };
        Self { peers, up, told: Mutex::new(told) }
    }

    /// So many more steps are made. Others hear of it some times a second. That they do not is no reason to stop.
    pub(in super::super) async fn made(&self, steps: usize) {
        let Some(peers) = self.peers else { return };
        let word = {
            let mut told = self.told();
            told.steps += steps as u64;
            if told.at.is_some_and(|at| at.elapsed() < WORD_EVERY) {
                return;
            }
            told.at = Some(Instant::now());
            told.stage.word(told.steps)
        };
        let mut connection = self.up.connection.clone();
        let mut say = cmd("HSET");
        say.arg(key_names::replayed(&self.up.identity)).arg(&peers.me).arg(word);
        drop(say.query_async::<()>(&mut connection).await);
    }

    /// This gateway has come so far. Waits until all others have, as long as each shows progress.
    pub(in super::super) async fn reached(&self, stage: Stage) -> Result<()> {
        let Some(peers) = self.peers else { return Ok(()) };
        let word = {
            let mut told = self.told();
            told.stage = stage;
            stage.word(told.steps)
        };
        let mut awaited = peers.others(self.up, word).await.map_err(|error| fault(&error))?;
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
            if self.told().hear(&mut awaited, &said) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn told(&self) -> MutexGuard<'_, Heard> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    /// Notes what was said. Whether nobody is left to wait for.
    fn hear(&mut self, awaited: &mut BTreeSet<String>, said: &HashMap<String, String>) -> bool {
        let now = Instant::now();
        for peer in awaited.iter() {
            let word = said.get(peer).cloned().unwrap_or_default();
            match self.words.get(peer) {
                Some((before, _)) if *before == word => {}
                _ => {
                    self.silent.remove(peer);
                    self.words.insert(peer.clone(), (word, now));
                }
            }
        }
        let too_long = |peer: &String| self.words.get(peer).is_some_and(|(_, since)| now - *since >= PATIENCE);
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
