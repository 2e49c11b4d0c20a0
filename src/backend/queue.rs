//! The queue for the services' slots and for the room for their answers. It is bounded and fair between payers, and it
//! estimates how long a request would wait.

mod scheduler;
mod order;

use super::{AnswerRoom, CutRequest, Failure};
use crate::{
    spool::{DiskShare, Shortfall},
    telemetry::QueueMetrics,
};
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

/// The services' slots, and the queue of the requests that wait for one.
#[derive(Debug)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    most_waiting: usize,
    waits: QueueMetrics,
}

#[derive(Debug)]
struct Shared(Mutex<Scheduler<Waiting>>);

/// A request in the queue.
#[derive(Debug)]
struct Waiting {
    room: AnswerRoom,
    slot: oneshot::Sender<Slot>,
}

/// The right to send one request to one service, with the room that the answer will likely need. Dropping it returns
/// both.
#[derive(Debug)]
pub(super) struct Slot {
    shared: Arc<Shared>,
    service: usize,
    room: Option<DiskShare>,
    since: Instant,
    took: Option<Duration>,
}

/// A place in the queue. Dropping it removes the request from the queue.
struct InQueue<'a> {
    shared: &'a Arc<Shared>,
    place: Place,
}

impl Queue {
    /// A queue for `slots` slots at each service, with places for `most_waiting` requests in total. When no service is
    /// up, callers are told to retry after `recheck`.
    pub(super) fn new(slots: &[usize], most_waiting: usize, recheck: Duration, waits: QueueMetrics) -> Self {
        let shared = Arc::new(Shared(Mutex::new(Scheduler::new(slots, most_waiting, recheck))));
        Self { shared, most_waiting, waits }
    }

    /// Waits for a slot at a service that is not among those `tried`, and for room for the answer, until the
    /// request's deadline.
    ///
    /// Fails with [`Failure::Unavailable`] when the deadline passes. It fails so at once when no service is up, the
    /// queue is full, or the estimated wait exceeds the deadline.
    pub(super) async fn enter(&self, request: &CutRequest, tried: &[usize]) -> Result<Slot, Failure> {
        let Some(slot) = self.shared.serve_at_once(request, tried) else {
            return Box::pin(self.wait(request, tried)).await;
        };
        self.waits.passed();
        request.used.passed_queue();
        Ok(slot)
    }

    async fn wait(&self, request: &CutRequest, tried: &[usize]) -> Result<Slot, Failure> {
        let (sender, receiver) = oneshot::channel();
        let (now, deadline) = (Instant::now(), request.deadline);
        let shared = Arc::downgrade(&self.shared);
        request.room.on_change(move || {
            if let Some(shared) = shared.upgrade() {
                shared.serve();
            }
        });
        let room = request.room.is_there();
        let entry = Request { payer: &request.payer, priority: request.priority, now, deadline, tried, room };
        let waiting = Waiting { room: request.room.clone(), slot: sender };
        let place = self.shared.scheduler().enter(entry, waiting).map_err(unavailable)?;
        let _in_queue = InQueue { shared: &self.shared, place };
        let _timers = (self.waits.enter(), request.used.queueing());
        self.shared.serve();
        if let Ok(Ok(slot)) = timeout_at(deadline, receiver).await {
            return Ok(slot);
        }
        Err(unavailable(self.shared.scheduler().too_late(Instant::now(), tried)))
    }

    /// Sets how many requests this service may have at once; 0 stops it.
    pub(super) fn allow(&self, service: usize, slots: usize) {
        self.shared.scheduler().allow(service, slots);
        self.shared.serve();
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.shared.scheduler().waiting()
    }

    /// The most requests that may wait.
    pub(super) fn most_waiting(&self) -> usize {
        self.most_waiting
    }

    /// How many requests this service is working on.
    pub(super) fn in_flight(&self, service: usize) -> usize {
        self.shared.scheduler().in_flight(service)
    }
}

fn unavailable(Rejection { shortage, retry_after }: Rejection) -> Failure {
    Failure::Unavailable { shortage, retry_after }
}

impl Shared {
    fn scheduler(&self) -> MutexGuard<'_, Scheduler<Waiting>> {
        // A panic cannot leave the scheduler half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the request a slot, with room for its answer, if both are free and nobody waits.
    fn serve_at_once(self: &Arc<Self>, request: &CutRequest, tried: &[usize]) -> Option<Slot> {
        let (since, mut room) = (Instant::now(), None);
        let fit = || fit(&request.room, &mut room);
        let service = self.scheduler().serve_at_once(since, tried, fit)?;
        Some(Slot { shared: Arc::clone(self), service, room, since, took: None })
    }

    /// Gives the free slots to waiting requests, each with room for its answer.
    fn serve(self: &Arc<Self>) {
        loop {
            let (since, mut room) = (Instant::now(), None);
            let fit = |waiting: &Waiting| fit(&waiting.room, &mut room);
            let Some((waiting, service)) = self.scheduler().serve(since, fit) else { return };
            let slot = Slot { shared: Arc::clone(self), service, room, since, took: None };
            // If the request no longer waits, sending fails; the slot is then dropped, which frees it.
            drop(waiting.slot.send(slot));
        }
    }
}

/// Whether there is room for the answer. If there is, it is set aside.
fn fit(answer: &AnswerRoom, room: &mut Option<DiskShare>) -> Fit {
    match answer.set_aside() {
        Ok(share) => {
            *room = Some(share);
            Fit::Fits
        }
        Err(Shortfall::OwnPart) => Fit::OthersMay,
        Err(Shortfall::Full) => Fit::NobodyMay,
    }
}

impl Slot {
    /// The index of the slot's service.
    pub(super) fn service(&self) -> usize {
        self.service
    }

    /// Takes the room that was set aside for the answer.
    pub(super) fn take_room(&mut self) -> Option<DiskShare> {
        self.room.take()
    }

    /// Notes that the work was completed, so that its duration counts in the estimate of how long others will wait.
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
            // Other requests may have waited only because this one was before them.
            self.shared.serve();
        }
    }
}
