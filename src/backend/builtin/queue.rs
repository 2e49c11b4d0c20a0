//! The line before the builtin backend: so many at work, so many waiting, and no more.

use crate::backend::Failure;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// What a picture is believed to take before one has been seen.
const FIRST_GUESS: Duration = Duration::from_secs(1);

/// Slots for work, first come, first served, and a bounded line of those who wait for one.
#[derive(Debug)]
pub(super) struct Queue {
    slots: Arc<Semaphore>,
    /// One permit for everybody at work or waiting.
    line: Arc<Semaphore>,
    at_work: usize,
    length: usize,
    /// Microseconds that work takes: a moving average.
    typical: Arc<AtomicU64>,
}

/// The right to work; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
    since: Instant,
    typical: Arc<AtomicU64>,
}

impl Queue {
    /// `at_work` slots, at least 1, and `waiting` places before them.
    pub(super) fn new(at_work: usize, waiting: usize) -> Self {
        let length = at_work.saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Self {
            slots: Arc::new(Semaphore::new(at_work.min(length))),
            line: Arc::new(Semaphore::new(length)),
            at_work,
            length,
            typical: Arc::new(AtomicU64::new(micros(FIRST_GUESS))),
        }
    }

    /// Waits for a slot until `deadline`; [`Failure::Busy`] when it passes, and at once when the line is full.
    pub(super) async fn enter(&self, deadline: Instant) -> Result<Slot, Failure> {
        let Ok(place) = Arc::clone(&self.line).try_acquire_owned() else { return Err(self.busy()) };
        match timeout_at(deadline, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => {
                Ok(Slot { _permits: (slot, place), since: Instant::now(), typical: Arc::clone(&self.typical) })
            }
            Ok(Err(_)) | Err(_) => Err(self.busy()),
        }
    }

    /// How long those who are in line now will take, in whole seconds, at least one.
    fn busy(&self) -> Failure {
        let in_line = self.length - self.line.available_permits();
        let rounds = u64::try_from(in_line.div_ceil(self.at_work)).unwrap_or(u64::MAX);
        let seconds = rounds.saturating_mul(self.typical.load(Ordering::Relaxed)).div_ceil(1_000_000);
        Failure::Busy { retry_after: Duration::from_secs(seconds.max(1)) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let took = micros(self.since.elapsed());
        let update = |typical: u64| Some(typical - typical / 4 + took / 4);
        let _ = self.typical.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    }
}

fn micros(span: Duration) -> u64 {
    // A quarter of the range, so that sums of averages stay within it.
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).min(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    fn retry_after(refused: Result<Slot, Failure>) -> Duration {
        match refused {
            Err(Failure::Busy { retry_after }) => retry_after,
            other => panic!("expected busy, got {other:?}"),
        }
    }

    #[tokio::test]
    async fn no_more_work_at_once_than_there_are_slots() {
        let queue = Queue::new(2, 10);
        let (one, _two) = (queue.enter(later()).await.expect("first"), queue.enter(later()).await.expect("second"));
        let past = Instant::now();
        assert_eq!(retry_after(queue.enter(past).await), Duration::from_secs(2), "three in line for two slots");
        drop(one);
        queue.enter(past).await.expect("a slot has become free");
    }

    #[tokio::test]
    async fn a_full_line_refuses_at_once_and_the_next_in_line_is_served() {
        let queue = Queue::new(1, 1);
        let working = queue.enter(later()).await.expect("a slot");
        let mut waiting = std::pin::pin!(queue.enter(later()));
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("there is only one slot"),
            refused = queue.enter(later()) => assert_eq!(retry_after(refused), Duration::from_secs(2)),
        }
        drop(working);
        waiting.await.expect("the one that waited");
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_the_line() {
        let queue = Queue::new(1, 1);
        let _working = queue.enter(later()).await.expect("a slot");
        for _ in 0..3 {
            retry_after(queue.enter(Instant::now()).await);
            assert_eq!(queue.line.available_permits(), 1);
        }
    }
}
