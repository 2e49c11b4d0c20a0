//! Keeps that the server has not acknowledged are sent until it takes them, or until they are set aside for a person.

use super::{engine::Engine, settlement};
use crate::{
    domain::credit::{Hold, OperationId, Settlement},
    store::{Fault, journal::Journal},
};
use futures_util::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tracing::{error, warn};

/// Keeps that are sent at once.
const AT_ONCE: usize = 64;

/// The pause between two attempts while the server is unavailable.
const PAUSE: Duration = Duration::from_millis(200);

/// The shortest and the longest pause before refused keeps are tried again.
const SOON: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);

/// How often the journal's files are looked after, and at which of these times those of processes that are gone are adopted.
const TIDY_EVERY: Duration = Duration::from_millis(250);
const ADOPT_AT: u32 = 120;

/// The outcome of one attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The keep needs nothing more.
    Done,
    /// The server is unavailable.
    Unavailable,
    /// The server is available and refuses. Perhaps an operator has made a mistake, which can be mended.
    Refused,
}

/// How many keeps of a round had which outcome.
#[derive(Default)]
struct Round {
    done: usize,
    unavailable: usize,
    refused: usize,
}

/// Drains for ever.
pub(super) async fn drain(engine: Arc<Engine>, journal: Arc<Journal>) {
    let mut pause = SOON;
    loop {
        let round = round(&engine, &journal).await;
        pause = if round.done > 0 || round.refused == 0 { SOON } else { (pause * 2).min(LATEST) };
        if round.unavailable > 0 {
            sleep(PAUSE).await;
        } else if round.refused > 0 {
            // The pause or another keep, whichever comes first.
            drop(timeout(pause, journal.owes()).await);
        } else {
            journal.owes().await;
        }
    }
}

/// Tries every keep once, except those that come meanwhile. Stops if the server is unavailable for all that are tried at once.
async fn round(engine: &Engine, journal: &Arc<Journal>) -> Round {
    let mut round = Round::default();
    for some in journal.owed().chunks(AT_ONCE) {
        let outcomes = join_all(some.iter().map(|id| one(engine, journal, id))).await;
        let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
        round.done += count(Outcome::Done);
        round.refused += count(Outcome::Refused);
        round.unavailable += count(Outcome::Unavailable);
        if count(Outcome::Unavailable) == outcomes.len() {
            break;
        }
    }
    round
}

async fn one(engine: &Engine, journal: &Arc<Journal>, id: &OperationId) -> Outcome {
    // Somebody else may have sent it meanwhile.
    let Some(hold) = journal.hold(id) else { return Outcome::Done };
    if journal.is_too_old(&hold) {
        return set_aside(journal, hold, "it is older than six days".into()).await;
    }
    match settlement::keep(engine, &hold).await {
        Ok(kept) if kept.settlement == Settlement::Kept => {
            if engine.clock.now() >= hold.expires {
                journal.was_late();
            }
            Outcome::Done
        }
        Ok(_) => set_aside(journal, hold, "it had been released".into()).await,
        Err(Fault::Unavailable(_)) => Outcome::Unavailable,
        Err(
            Fault::NotFound(why)
            | Fault::Insufficient(why)
            | Fault::TooLarge(why)
            | Fault::Taken(why)
            | Fault::Unusable(why)
            | Fault::Conflict(why),
        ) => set_aside(journal, hold, why).await,
        Err(Fault::Unexpected(why)) => {
            if !journal.was_refused(id) {
                error!(
                    operation = id.0.as_str(),
                    why, "the store refuses a keep: it stays in the journal for six days"
                );
            }
            Outcome::Refused
        }
    }
}

async fn set_aside(journal: &Arc<Journal>, hold: Hold, why: String) -> Outcome {
    let (to, id) = (Arc::clone(journal), hold.id.clone());
    let put = spawn_blocking(move || to.set_aside(&hold, &why).map_err(|error| error.to_string())).await;
    match put.unwrap_or_else(|gave_up| Err(gave_up.to_string())) {
        Ok(()) => Outcome::Done,
        Err(error) => {
            if !journal.was_refused(&id) {
                warn!(operation = id.0.as_str(), error, "a keep cannot be set aside: it stays in the journal");
            }
            Outcome::Refused
        }
    }
}

/// Looks after the journal's files for ever.
pub(super) async fn tidy(journal: Arc<Journal>) {
    let mut rounds = 0_u32;
    loop {
        sleep(TIDY_EVERY).await;
        rounds = rounds.wrapping_add(1);
        let (to, adopts) = (Arc::clone(&journal), rounds.is_multiple_of(ADOPT_AT));
        let tidied = spawn_blocking(move || to.tidy().and_then(|()| if adopts { to.adopt() } else { Ok(()) })).await;
        if let Ok(Err(error)) = tidied
            && rounds.is_multiple_of(ADOPT_AT)
        {
            warn!(%error, "the journal's files cannot be looked after");
        }
    }
}
