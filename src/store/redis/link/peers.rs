//! The gateways on one store. When the server has been started anew or replaced, each writes again what it remembers; until
//! all have, none admits anybody: counters without another gateway's keeps would let callers overshoot.

use super::{Connected, error::fault};
use crate::{
    random::base62_text,
    store::{Fault, Result, key_names},
};
use redis::{RedisResult, Script, cmd};
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tracing::warn;

/// The longest that a gateway waits for others, which may be gone together with the server.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(25);

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
        *self.seen() = self.others(up).await?;
        Ok(())
    }

    /// Tells the same, and waits until all others have told it of this server.
    pub(super) async fn have_replayed(&self, up: &Connected) -> Result<()> {
        let begun = Instant::now();
        let mut awaited = self.others(up).await.map_err(|error| fault(&error))?;
        {
            let mut seen = self.seen();
            awaited.extend(seen.iter().cloned());
            seen.clone_from(&awaited);
        }
        loop {
            let mut connection = up.connection.clone();
            let done: BTreeSet<String> = cmd("SMEMBERS")
                .arg(key_names::replayed(&up.identity))
                .query_async(&mut connection)
                .await
                .map_err(|error| fault(&error))?;
            if awaited.is_subset(&done) {
                return Ok(());
            }
            if begun.elapsed() >= PATIENCE {
                let missing = awaited.difference(&done).count();
                warn!(missing, "other gateways have not said that they wrote again what the store may have lost");
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn others(&self, up: &Connected) -> RedisResult<BTreeSet<String>> {
        let mut connection = up.connection.clone();
        let mut call = self.alive.prepare_invoke();
        call.key(key_names::ALIVE).key(key_names::replayed(&up.identity)).arg(&self.me);
        call.invoke_async(&mut connection).await
    }

    fn seen(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
