//! The operations of this process that are not settled yet: while one is open, a credit may be held for it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The pledges that are open now. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct OpenPledges(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    /// When each was made. The numbers are in the order of these times.
    since: BTreeMap<u64, Instant>,
    next: u64,
    owed: u64,
}

/// A pledge that is open until this is dropped.
#[derive(Debug)]
pub struct OpenPledge {
    all: OpenPledges,
    number: u64,
    owed: bool,
}

/// The state of the pledges at the moment of a scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PledgeGauges {
    /// Pledges that are not settled, with those whose release is owed.
    pub open: u64,
    /// The age of the oldest one.
    pub oldest: Duration,
    /// Pledges whose request has ended and whose release the store has not acknowledged.
    pub owed: u64,
}

impl OpenPledges {
    /// A pledge that is made now.
    #[must_use]
    pub fn open(&self) -> OpenPledge {
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        open.since.insert(number, Instant::now());
        OpenPledge { all: self.clone(), number, owed: false }
    }

    /// All of them, as they are now.
    #[must_use]
    pub fn gauges(&self) -> PledgeGauges {
        let open = self.lock();
        let oldest = open.since.first_key_value().map(|(_, since)| since.elapsed()).unwrap_or_default();
        PledgeGauges { open: open.since.len() as u64, oldest, owed: open.owed }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenPledge {
    /// From now on a release is owed.
    pub fn becomes_owed(&mut self) {
        if !self.owed {
            self.owed = true;
            self.all.lock().owed += 1;
        }
    }
}

impl Drop for OpenPledge {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.since.remove(&self.number);
        open.owed -= u64::from(self.owed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn the_age_is_that_of_the_oldest_one_which_is_still_open() {
        let pledges = OpenPledges::default();
        assert_eq!(pledges.gauges(), PledgeGauges::default());
        let first = pledges.open();
        advance(Duration::from_secs(5)).await;
        let mut second = pledges.open();
        advance(Duration::from_secs(1)).await;
        second.becomes_owed();
        second.becomes_owed();
        assert_eq!(pledges.gauges(), PledgeGauges { open: 2, oldest: Duration::from_secs(6), owed: 1 });
        drop(first);
        assert_eq!(pledges.gauges(), PledgeGauges { open: 1, oldest: Duration::from_secs(1), owed: 1 });
        drop(second);
        assert_eq!(pledges.gauges(), PledgeGauges::default());
    }
}
