//! Step 6: the hold is kept or released. A credit that was asked for is always settled, whatever happens to the request.

use super::{Rmbg, Stop};
use crate::{
    domain::credit::{Charge, Hold, OperationId, Payer, Pool, Settlement},
    failpoint::{self, Point},
    random::{NoRandomness, operation_id_at},
    store::{Fault, Metering},
    telemetry::{OpenPledge, panics},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::error;

/// How often a write with an unknown outcome is tried under the same operation id, before the caller gets an error.
const TRIES: u32 = 3;

/// The longest pause between two tries of a release that is still owed.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The promise to settle one operation. It is made *before* the store is asked for the hold, so that no hold exists
/// without a pledge. If it is dropped unsettled, a background task releases the hold.
pub(super) struct Pledge {
    store: Arc<dyn Metering>,
    id: OperationId,
    payer: Payer,
    lease: Duration,
    hold: Option<Hold>,
    /// Credits that the hold left.
    credits: Option<u64>,
    owed: bool,
    tasks: TaskTracker,
    /// Counts it as open. A task that goes on with its release takes this along.
    open: Option<OpenPledge>,
}

impl Pledge {
    pub(super) fn new(rmbg: &Rmbg, payer: Payer, lease: Duration) -> Result<Self, NoRandomness> {
        let (store, tasks) = (Arc::clone(&rmbg.store), rmbg.tasks.clone());
        Ok(Self {
            store,
            id: operation_id_at(rmbg.clock.now())?,
            payer,
            lease,
            hold: None,
            credits: None,
            owed: true,
            tasks,
            open: Some(rmbg.pledges.open()),
        })
    }

    pub(super) fn id(&self) -> &OperationId {
        &self.id
    }

    /// The store has taken the hold, which leaves so many credits.
    pub(super) fn holds(&mut self, hold: Hold, credits: Option<u64>) {
        self.hold = Some(hold);
        self.credits = credits;
    }

    /// The store holds nothing under this id.
    pub(super) fn was_denied(&mut self) {
        self.owed = false;
    }

    /// The pool that the credit comes from; `None` for an anonymous client's daily allowance.
    pub(super) fn pool(&self) -> Option<Pool> {
        match &self.hold.as_ref()?.charge {
            Charge::Account { pool, .. } => Some(*pool),
            Charge::Client { .. } => None,
        }
    }

    /// Counts the picture. Returns the credits that its hold left. After an error nothing is charged, and a release is owed.
    pub(super) async fn keep(mut self) -> Result<Option<u64>, Stop> {
        let Some(hold) = self.hold.clone() else {
            return Err(Fault::Unexpected("a keep without a hold".into()).into());
        };
        let mut tries = 1;
        let kept = loop {
            match self.store.keep(&hold).await {
                Err(Fault::Unavailable(_)) if tries < TRIES => tries += 1,
                answer => break answer?,
            }
        };
        self.owed = false;
        match kept.settlement {
            Settlement::Kept => Ok(self.credits),
            Settlement::Released => Err(Fault::Unexpected("a hold was released before its keep".into()).into()),
        }
    }

    /// Releases the credit. If the store does not answer, the release is still owed and goes on in the background.
    pub(super) async fn release(mut self) {
        self.owed = !released(&*self.store, &self.id, &self.payer).await;
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        if self.owed {
            let (store, id, payer) = (Arc::clone(&self.store), self.id.clone(), self.payer.clone());
            let lease_end = Instant::now() + self.lease;
            let again = move || release_until(Arc::clone(&store), id.clone(), payer.clone(), lease_end);
            let mut open = self.open.take();
            open.iter_mut().for_each(OpenPledge::becomes_owed);
            self.tasks.spawn(async move {
                let _open = open;
                // At the end of its lease the hold ends by itself.
                let _ = timeout_at(lease_end, panics::keep_alive(again)).await;
            });
        }
    }
}

/// Repeats a release until the store acknowledges it or the lease has ended.
async fn release_until(store: Arc<dyn Metering>, id: OperationId, payer: Payer, lease_end: Instant) {
    let mut pause = Duration::from_millis(50);
    while !released(&*store, &id, &payer).await && Instant::now() < lease_end {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn released(store: &dyn Metering, id: &OperationId, payer: &Payer) -> bool {
    failpoint::reach(Point::InRelease);
    match store.release(id, payer).await {
        Ok(Settlement::Released) => true,
        Ok(Settlement::Kept) => {
            error!(operation = id.0.as_str(), "a picture was counted although its caller was refused");
            true
        }
        Err(_) => false,
    }
}
