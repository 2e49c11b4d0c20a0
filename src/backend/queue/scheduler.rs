//! The scheduler decides which request goes to which service, which one waits, and which one is rejected at once. It is
//! pure: time is an argument.

use super::order::{Order, Place};
use crate::domain::{credit::Payer, refusal::Shortage};
use std::time::Duration;
use tokio::time::Instant;

/// The shortest time that a rejected caller is told to wait.
const AT_LEAST: Duration = Duration::from_secs(1);

/// A request that wants to be served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) payer: &'a Payer,
    pub(super) priority: u8,
    pub(super) now: Instant,
    pub(super) deadline: Instant,
    /// The services that have already failed for this request.
    pub(super) tried: &'a [usize],
    /// Whether there is room for the answer now.
    pub(super) room: bool,
}

/// Whether there is room for the answer of a waiting request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// The request's own share of the room is used up. The request is passed over, and others may be served.
    OthersMay,
    /// There is no room for any request, so no other request may be served before this one.
    NobodyMay,
}

/// Why a request is not queued, and when a retry makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) shortage: Shortage,
    pub(super) retry_after: Duration,
}

/// The services' slots and the queue for them.
#[derive(Debug)]
pub(super) struct Scheduler<T> {
    services: Vec<ServiceSlots>,
    order: Order<Waiting<T>>,
    most_waiting: usize,
    /// Whether a waiting request needs room that no other request may take first.
    short_of_room: bool,
    /// How long a service takes, as a moving average; `None` until the first answer is measured.
    typical: Option<Duration>,
    /// When a service that is down may be back.
    recheck: Duration,
    turns: u64,
}

/// One service's slots.
#[derive(Debug)]
struct ServiceSlots {
    allowed: usize,
    /// When each request in flight was given its slot, in that order.
    since: Vec<Instant>,
    last_turn: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    tried: Vec<usize>,
}

impl<T> Scheduler<T> {
    /// A scheduler with `slots` slots at each service and one queue of at most `most_waiting` requests for all of them.
    pub(super) fn new(slots: &[usize], most_waiting: usize, recheck: Duration) -> Self {
        let service = |allowed: &usize| ServiceSlots { allowed: *allowed, since: Vec::new(), last_turn: 0 };
        Self {
            services: slots.iter().map(service).collect(),
            order: Order::new(),
            most_waiting,
            short_of_room: false,
            typical: None,
            recheck,
            turns: 0,
        }
    }

    /// Queues the request, or says when a retry makes sense.
    ///
    /// Rejects at once if no service is up, the queue is full of earlier turns, or the estimated wait exceeds the
    /// deadline. If the queue is full and the request's turn is earlier than the last one, the last request is dropped,
    /// so that a caller who fills the queue does not keep others out.
    pub(super) fn enter(&mut self, request: Request<'_>, item: T) -> Result<Place, Rejection> {
        let usable = |at: usize| !request.tried.contains(&at);
        let shortage = self.shortage(usable);
        let full = |retry_after| Rejection { shortage, retry_after };
        let ahead = self.order.ahead_of(request.payer, request.priority);
        let Some(wait) = self.wait(request.now, ahead, usable) else {
            let (shortage, retry_after) = (Shortage::BackendUnavailable, self.recheck.max(AT_LEAST));
            return Err(Rejection { shortage, retry_after });
        };
        let no_slot = ahead >= self.free(usable);
        if no_slot || !request.room || self.short_of_room {
            let no_place = self.order.len() >= self.most_waiting;
            if no_place && ahead >= self.order.len() {
                return Err(full(self.backlog(request.now)));
            }
            if let Some(typical) = self.typical.filter(|_| no_slot) {
                let left = request.deadline.saturating_duration_since(request.now);
                let late = (wait + typical).saturating_sub(left);
                if !late.is_zero() {
                    return Err(full(late.max(AT_LEAST)));
                }
            }
            if no_place {
                // The dropped sender tells the waiting request that it was rejected.
                drop(self.order.give_up_last());
            }
        }
        Ok(self.order.join(request.payer, request.priority, Waiting { item, tried: request.tried.to_vec() }))
    }

    /// Gives a request a slot without queueing it, if nobody waits, a service that is not among those `tried` is free, and
    /// `fit` finds room for the answer. Returns the service.
    pub(super) fn serve_at_once(&mut self, now: Instant, tried: &[usize], fit: impl FnOnce() -> Fit) -> Option<usize> {
        let at = best(&self.services, tried).filter(|_| self.order.len() == 0)?;
        if fit() == Fit::Fits { self.take_slot(at, now) } else { None }
    }

    /// Takes the next request whose answer there is room for, and chooses its service: the [best] one. The first request that
    /// `fit` accepts is served.
    pub(super) fn serve(&mut self, now: Instant, mut fit: impl FnMut(&T) -> Fit) -> Option<(T, usize)> {
        if self.order.len() == 0 {
            self.short_of_room = false;
            return None;
        }
        // If no slot is free, this avoids a search through the whole queue for each request.
        best(&self.services, &[])?;
        let mut short_of_room = false;
        let next = self.order.next(|waiting| {
            if short_of_room || best(&self.services, &waiting.tried).is_none() {
                return false;
            }
            let fit = fit(&waiting.item);
            short_of_room = fit == Fit::NobodyMay;
            fit == Fit::Fits
        });
        self.short_of_room = short_of_room;
        let next = next?;
        let at = best(&self.services, &next.tried)?;
        self.take_slot(at, now).map(|at| (next.item, at))
    }

    fn take_slot(&mut self, at: usize, now: Instant) -> Option<usize> {
        self.turns += 1;
        let service = self.services.get_mut(at)?;
        service.since.push(now);
        service.last_turn = self.turns;
        Some(at)
    }

    /// Removes the request from the queue. Returns whether it was in it.
    pub(super) fn leave(&mut self, place: Place) -> bool {
        self.order.leave(place).is_some()
    }

    /// Frees the slot that was taken at `since`. `took` is how long it was used; it is `None` if that says nothing
    /// about how long work takes.
    pub(super) fn done(&mut self, service: usize, since: Instant, took: Option<Duration>) {
        if let Some(service) = self.services.get_mut(service)
            && let Some(place) = service.since.iter().position(|one| *one == since)
        {
            service.since.remove(place);
        }
        if let Some(took) = took {
            self.typical = Some(self.typical.map_or(took, |typical| typical * 3 / 4 + took / 4));
        }
    }

    /// Sets how many requests the service may have at once; 0 stops it.
    pub(super) fn allow(&mut self, service: usize, slots: usize) {
        if let Some(service) = self.services.get_mut(service) {
            service.allowed = slots;
        }
    }

    /// The rejection of a request whose deadline has passed in the queue.
    pub(super) fn too_late(&self, now: Instant, tried: &[usize]) -> Rejection {
        Rejection { shortage: self.shortage(|at| !tried.contains(&at)), retry_after: self.backlog(now) }
    }

    /// The shortage that the waiting requests are told.
    fn shortage(&self, usable: impl Fn(usize) -> bool) -> Shortage {
        if self.free(usable) > 0 { Shortage::NoRoom } else { Shortage::QueueFull }
    }

    /// How long it takes until all requests that are queued now have a slot.
    fn backlog(&self, now: Instant) -> Duration {
        self.wait(now, self.order.len(), |_| true).unwrap_or(self.recheck).max(AT_LEAST)
    }

    pub(super) fn waiting(&self) -> usize {
        self.order.len()
    }

    pub(super) fn in_flight(&self, service: usize) -> usize {
        self.services.get(service).map_or(0, |one| one.since.len())
    }

    fn free(&self, usable: impl Fn(usize) -> bool) -> usize {
        self.services.iter().enumerate().filter(|(at, _)| usable(*at)).map(|(_, one)| one.free()).sum()
    }

    /// How long a request with `ahead` requests before it waits for a slot, if work takes its typical time; `None` when
    /// no usable service is up.
    fn wait(&self, now: Instant, ahead: usize, usable: impl Fn(usize) -> bool) -> Option<Duration> {
        let typical = self.typical.unwrap_or(AT_LEAST);
        let services = self.services.iter().enumerate().filter(|(at, _)| usable(*at));
        let mut slots: Vec<Duration> = services.flat_map(|(_, one)| one.frees_in(now, typical)).collect();
        slots.sort_unstable();
        let rounds = u32::try_from(ahead.checked_div(slots.len())?).unwrap_or(u32::MAX);
        let slot = slots.get(ahead % slots.len())?;
        Some(slot.saturating_add(typical.saturating_mul(rounds)))
    }
}

/// The service that gets the next request: the one with the fewest requests in flight, and among equals the one that has been
/// idle the longest.
fn best(services: &[ServiceSlots], tried: &[usize]) -> Option<usize> {
    let free = services.iter().enumerate();
    free.filter(|(at, one)| one.free() > 0 && !tried.contains(at))
        .min_by_key(|(_, one)| (one.since.len(), one.last_turn))
        .map(|(at, _)| at)
}

impl ServiceSlots {
    fn free(&self) -> usize {
        self.allowed.saturating_sub(self.since.len())
    }

    /// The time until each of the allowed slots is free.
    fn frees_in(&self, now: Instant, typical: Duration) -> impl Iterator<Item = Duration> {
        let at_work = self.since.iter().map(move |since| (*since + typical).saturating_duration_since(now));
        // Requests beyond the allowed number end first, and their end frees no slot.
        let too_many = self.since.len().saturating_sub(self.allowed);
        std::iter::repeat_n(Duration::ZERO, self.free()).chain(at_work.skip(too_many))
    }
}

#[cfg(test)]
mod tests;
