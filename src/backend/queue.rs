//! The line before the services, and before the room for their answers: bounded, fair between payers, and honest about how long it is.

mod scheduler;
mod order;

use super::{AnswerRoom, Failure, Job};
use crate::spool::{DiskShare, Shortfall};
use order::Place;
use scheduler::{Fit, Rejection, Request, Scheduler};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// Slots at services, and the line of those who wait for one.
#[derive(Debug)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared(Mutex<Scheduler<Waiting>>);

/// Somebody in line.
#[derive(Debug)]
struct Waiting {
    room: AnswerRoom,
    slot: oneshot::Sender<Slot>,
}

/// The right to ask one service, with what its answer will likely need; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    shared: Arc<Shared>,
    service: usize,
    room: Option<DiskShare>,
    since: Instant,
    took: Option<Duration>,
}

/// A place in line, left when dropped.
struct InQueue<'a> {
    shared: &'a Arc<Shared>,
    place: Place,
}

impl Queue {
    /// So many slots at each service, and `most_waiting` places in the line before all of them. When no service is up,
    /// callers are told to come back after `recheck`.
    pub(super) fn new(slots: &[usize], most_waiting: usize, recheck: Duration) -> Self {
        Self(Arc::new(Shared(Mutex::new(Scheduler::new(slots, most_waiting, recheck)))))
    }

    /// Waits for a slot at a service that is not among those `tried`, and for room for the answer, until the job's deadline.
    /// [`Failure::Unavailable`] when it passes, and at once when there is no service, no place, or no hope.
    pub(super) async fn enter(&self, job: &Job, tried: &[usize]) -> Result<Slot, Failure> {
        let (sender, receiver) = oneshot::channel();
        let (now, deadline) = (Instant::now(), job.deadline);
        let shared = Arc::downgrade(&self.0);
        job.room.tell(move || {
            if let Some(shared) = shared.upgrade() {
                shared.serve();
            }
        });
        let room = job.room.is_there();
        let request = Request { payer: &job.payer, priority: job.priority, now, deadline, tried, room };
        let waiting = Waiting { room: job.room.clone(), slot: sender };
        let place = self.0.scheduler().enter(request, waiting).map_err(unavailable)?;
        let _in_queue = InQueue { shared: &self.0, place };
        self.0.serve();
        if let Ok(Ok(slot)) = timeout_at(job.deadline, receiver).await {
            return Ok(slot);
        }
        Err(unavailable(self.0.scheduler().too_late(Instant::now(), tried)))
    }

    /// From now on so many at once at this service; 0 for none.
    pub(super) fn allow(&self, service: usize, slots: usize) {
        self.0.scheduler().allow(service, slots);
        self.0.serve();
    }

    /// How many are in line.
    pub(super) fn waiting(&self) -> usize {
        self.0.scheduler().waiting()
    }

    /// How many are at work at this service.
    pub(super) fn in_flight(&self, service: usize) -> usize {
        self.0.scheduler().in_flight(service)
    }
}

fn unavailable(Rejection { shortage, retry_after }: Rejection) -> Failure {
    Failure::Unavailable { shortage, retry_after }
}

impl Shared {
    fn scheduler(&self) -> MutexGuard<'_, Scheduler<Waiting>> {
        // No step of the desk's leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out what slots there are, each with room for the answer.
    fn serve(self: &Arc<Self>) {
        loop {
            let (since, mut room) = (Instant::now(), None);
            let fit = |waiting: &Waiting| match waiting.room.set_aside() {
                Ok(share) => {
                    room = Some(share);
                    Fit::Fits
                }
                Err(Shortfall::OwnPart) => Fit::OthersMay,
                Err(Shortfall::Full) => Fit::NobodyMay,
            };
            let Some((waiting, service)) = self.scheduler().serve(since, fit) else { return };
            let slot = Slot { shared: Arc::clone(self), service, room, since, took: None };
            // Whoever has stopped waiting does not take it; then it is dropped, and so given back.
            drop(waiting.slot.send(slot));
        }
    }
}

impl Slot {
    /// Which service it is for.
    pub(super) fn service(&self) -> usize {
        self.service
    }

    /// What its answer will likely need.
    pub(super) fn take_room(&mut self) -> Option<DiskShare> {
        self.room.take()
    }

    /// The work was done to its end, so that the time it took tells how long others will wait.
    pub(super) fn worked(mut self) {
        self.took = Some(self.since.elapsed());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.scheduler().done(self.service, self.since, self.took);
        self.shared.serve();
    }
}

impl Drop for InQueue<'_> {
    fn drop(&mut self) {
        let left = self.shared.scheduler().leave(self.place);
        if left {
            // Others may have waited only because this one was before them.
            self.shared.serve();
        }
    }
}
