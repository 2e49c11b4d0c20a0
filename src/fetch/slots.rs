//! How many downloads of one payer are under way at once.

use crate::domain::credit::Payer;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Downloads of one payer at once.
const AT_ONCE: usize = 4;

/// The payers that download or wait to. There are no more of them than requests in flight.
#[derive(Debug, Default)]
pub(super) struct DownloadSlots(Mutex<HashMap<Payer, Arc<Semaphore>>>);

/// One download of a payer, or one that waits; dropping it lets the next begin.
#[derive(Debug)]
pub(super) struct DownloadSlot {
    slots: Arc<DownloadSlots>,
    payer: Payer,
    /// Both are `Some` until the drop, which gives them back before it looks whether anybody else has the semaphore.
    semaphore: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl DownloadSlots {
    /// Waits until fewer than four downloads of the payer are under way.
    pub(super) async fn take(self: &Arc<Self>, payer: &Payer) -> Arc<DownloadSlot> {
        let new = || Arc::new(Semaphore::new(AT_ONCE));
        let semaphore = Arc::clone(self.map().entry(payer.clone()).or_insert_with(new));
        let waiting = Arc::clone(&semaphore).acquire_owned();
        let mut slot =
            DownloadSlot { slots: Arc::clone(self), payer: payer.clone(), semaphore: Some(semaphore), permit: None };
        // Nobody closes the semaphore.
        slot.permit = waiting.await.ok();
        Arc::new(slot)
    }

    /// How many payers are remembered.
    #[cfg(test)]
    pub(super) fn payers(&self) -> usize {
        self.map().len()
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Payer, Arc<Semaphore>>> {
        // A panic cannot leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DownloadSlot {
    fn drop(&mut self) {
        let mut map = self.slots.map();
        (self.permit, self.semaphore) = (None, None);
        // It is handed out under the lock only, so nobody takes it up while it is removed.
        if map.get(&self.payer).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            map.remove(&self.payer);
        }
    }
}
