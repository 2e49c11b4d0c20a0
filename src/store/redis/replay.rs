//! Every write of the last ten minutes, to be made again when a server has been started anew or another has taken over:
//! acknowledged is not durable. All of them are idempotent, so that making them again is free.

use super::{
    accounts::{self, Changed},
    admission, api_keys,
    engine::Engine,
    grants, parked, settlement,
    stripe::{self, Written},
};
use crate::{
    domain::{
        account::Uid,
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Hold, OperationId, Payer},
        time::UnixMicros,
    },
    store::{Fault, ParkedEvent, Result, StripeObject},
};
use futures_util::future::join_all;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// How long a write is remembered: longer than any server goes without a sync to its disk or its replica.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The most that are remembered; beyond that, the oldest are forgotten.
const WRITES: usize = 500_000;

/// Writes made again at once.
const AT_ONCE: usize = 128;

/// The pass whose writes are made again one after another: of two changes of one thing, the later one stays.
const IN_ORDER: usize = 0;

/// One acknowledged write.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Account(Changed),
    Stripe(Written),
    StripeObject(String, StripeObject),
    Parked(ParkedEvent),
    Unparked(String),
    Key(KeyHash, ApiKey),
    Revoked(KeyId),
    Granted(Uid, i64, OperationId),
    Held(Hold),
    Kept(Hold),
    Released(OperationId, Payer),
}

/// The order in which writes are made again: accounts and what Stripe changed of them, before what belongs to them; open
/// holds, before what settles them gives their credits to others.
const PASSES: usize = 4;

impl Write {
    fn pass(&self) -> usize {
        match self {
            Self::Account(..) | Self::Stripe(_) | Self::StripeObject(..) | Self::Parked(_) | Self::Unparked(_) => {
                IN_ORDER
            }
            Self::Key(..) | Self::Granted(..) => 1,
            Self::Held(_) => 2,
            Self::Revoked(_) | Self::Kept(_) | Self::Released(..) => 3,
        }
    }

    /// The operation that it settles.
    fn settles(&self) -> Option<&OperationId> {
        match self {
            Self::Kept(hold) => Some(&hold.id),
            Self::Released(id, _) => Some(id),
            Self::Account(_)
            | Self::Stripe(_)
            | Self::StripeObject(..)
            | Self::Parked(_)
            | Self::Unparked(_)
            | Self::Key(..)
            | Self::Revoked(_)
            | Self::Granted(..)
            | Self::Held(_) => None,
        }
    }

    async fn replay(self, engine: &Engine) -> Result<()> {
        match self {
            Self::Account(changed) => accounts::restore(engine, &changed).await,
            Self::Stripe(written) => stripe::restore(engine, &written).await,
            Self::StripeObject(id, object) => stripe::restore_object(engine, &id, &object).await,
            Self::Parked(event) => parked::park(engine, &event).await,
            Self::Unparked(id) => parked::unpark(engine, &id).await,
            Self::Key(hash, key) => api_keys::put(engine, &hash, &key).await,
            Self::Revoked(id) => api_keys::revoke(engine, &id).await.map(drop),
            Self::Granted(uid, credits, id) => grants::grant(engine, &uid, credits, &id).await.map(drop),
            Self::Held(hold) => admission::restore(engine, &hold).await,
            Self::Kept(hold) => settlement::keep(engine, &hold).await.map(drop),
            Self::Released(id, payer) => settlement::release(engine, &id, &payer).await.map(drop),
        }
    }
}

/// The memory.
#[derive(Default)]
pub(super) struct ReplayBuffer(Mutex<VecDeque<(Instant, Write)>>);

impl ReplayBuffer {
    pub(super) fn note(&self, write: Write) {
        let now = Instant::now();
        let mut writes = self.lock();
        let old = |(since, _): &(Instant, Write)| now.duration_since(*since) > REMEMBERED;
        while writes.len() >= WRITES || writes.front().is_some_and(old) {
            writes.pop_front();
        }
        writes.push_back((now, write));
    }

    /// Makes every write again. [`Fault::Unavailable`] where the server goes away meanwhile; then all is to be made again.
    pub(super) async fn replay(&self, engine: &Engine) -> Result<()> {
        let (mut total, mut refused) = (0, 0);
        for pass in 0..PASSES {
            let of_pass = self.of_pass(pass, engine.now());
            total += of_pass.len();
            for some in of_pass.chunks(if pass == IN_ORDER { 1 } else { AT_ONCE }) {
                let under_way = some.iter().map(|write| write.clone().replay(engine));
                for outcome in join_all(under_way).await {
                    match outcome {
                        Err(Fault::Unavailable(why)) => return Err(Fault::Unavailable(why)),
                        // An account deleted meanwhile, credits spent meanwhile: what is so now, stays.
                        Ok(())
                        | Err(
                            Fault::NotFound(_)
                            | Fault::Insufficient(_)
                            | Fault::TooLarge(_)
                            | Fault::Taken(_)
                            | Fault::Unusable(_)
                            | Fault::Conflict(_),
                        ) => {}
                        Err(fault @ Fault::Unexpected(_)) => {
                            refused += 1;
                            debug!(%fault, "a write cannot be made again");
                        }
                    }
                }
            }
        }
        if refused > 0 {
            warn!(refused, "writes that the server may have lost could not be made again; compare with: audit");
        }
        if total > 0 {
            info!(writes = total, "another server, or one started anew: what it may have lost was written again");
        }
        Ok(())
    }

    /// What is to be made again in one pass. A hold that has been settled since, or whose lease has ended, need not come
    /// back.
    fn of_pass(&self, pass: usize, now: UnixMicros) -> Vec<Write> {
        let writes = self.lock();
        let settled: HashSet<&OperationId> = writes.iter().filter_map(|(_, write)| write.settles()).collect();
        let is_over =
            |write: &Write| matches!(write, Write::Held(hold) if hold.expires <= now || settled.contains(&hold.id));
        let of_pass = writes.iter().map(|(_, write)| write).filter(|write| write.pass() == pass && !is_over(write));
        of_pass.cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, Write)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
