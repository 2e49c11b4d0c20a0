//! Who may go to which service, who waits, and who is told at once that it would be in vain. Pure: time is an argument.

use super::order::{Order, Place};
use crate::domain::{credit::Payer, refusal::Shortage};
use std::time::Duration;
use tokio::time::Instant;

/// The least that a refused caller is told to wait.
const AT_LEAST: Duration = Duration::from_secs(1);

/// A request that wants to be served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) payer: &'a Payer,
    pub(super) priority: u8,
    pub(super) now: Instant,
    pub(super) deadline: Instant,
    /// Services that have failed it already.
    pub(super) tried: &'a [usize],
    /// Whether there is room for its answer now.
    pub(super) room: bool,
}

/// Whether there is room for the answer of one in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Fits,
    /// Not for its own: it is passed over.
    OthersMay,
    /// Not for anybody before it.
    NobodyMay,
}

/// Why a request does not get into the line, and when asking again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) shortage: Shortage,
    pub(super) retry_after: Duration,
}

/// The services' slots and the line before them.
#[derive(Debug)]
pub(super) struct Scheduler<T> {
    services: Vec<ServiceSlots>,
    order: Order<Waiting<T>>,
    most_waiting: usize,
    /// Whether one in line waits for room that nobody may have before it.
    short_of_room: bool,
    /// How long a service takes: a moving average, once there is anything to go by.
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
    /// So many slots at each service, and so many places in the line before all of them.
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

    /// Lines up, or is told after how long asking again makes sense.
    ///
    /// Refused at once is who finds no service up, a line that is full of those whose turn is before its own, or so many
    /// before it that, by what services take, its answer would come after its deadline. A full line gives up its last
    /// one for somebody whose turn is earlier: who fills it keeps nobody else out.
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
                // Whoever waits for it hears of it by its end.
                drop(self.order.give_up_last());
            }
        }
        Ok(self.order.join(request.payer, request.priority, Waiting { item, tried: request.tried.to_vec() }))
    }

    /// The next one to be served whose answer there is room for, and by which service: the one with the least in flight,
    /// or else the longest rest. Who `fit` says fits is the one that is served.
    pub(super) fn serve(&mut self, now: Instant, mut fit: impl FnMut(&T) -> Fit) -> Option<(T, usize)> {
        let services = &self.services;
        let best = |tried: &[usize]| {
            let free = services.iter().enumerate();
            free.filter(|(at, one)| one.free() > 0 && !tried.contains(at))
                .min_by_key(|(_, one)| (one.since.len(), one.last_turn))
                .map(|(at, _)| at)
        };
        // Without this, a long line would be searched in vain whenever somebody joins it.
        best(&[])?;
        let mut short_of_room = false;
        let next = self.order.next(|waiting| {
            if short_of_room || best(&waiting.tried).is_none() {
                return false;
            }
            let fit = fit(&waiting.item);
            short_of_room = fit == Fit::NobodyMay;
            fit == Fit::Fits
        });
        self.short_of_room = short_of_room;
        let next = next?;
        let at = best(&next.tried)?;
        self.turns += 1;
        let service = self.services.get_mut(at)?;
        service.since.push(now);
        service.last_turn = self.turns;
        Some((next.item, at))
    }

    /// Steps out of the line; whether it was in it.
    pub(super) fn leave(&mut self, place: Place) -> bool {
        self.order.leave(place).is_some()
    }

    /// The slot that was given at `since` is free again. `took` is how long it was needed, unless that says nothing of how
    /// long work takes.
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

    /// From now on so many at once; 0 for none.
    pub(super) fn allow(&mut self, service: usize, slots: usize) {
        if let Some(service) = self.services.get_mut(service) {
            service.allowed = slots;
        }
    }

    /// What is said to one whose deadline has passed in line.
    pub(super) fn too_late(&self, now: Instant, tried: &[usize]) -> Rejection {
        Rejection { shortage: self.shortage(|at| !tried.contains(&at)), retry_after: self.backlog(now) }
    }

    /// What those in line wait for.
    fn shortage(&self, usable: impl Fn(usize) -> bool) -> Shortage {
        if self.free(usable) > 0 { Shortage::NoRoom } else { Shortage::QueueFull }
    }

    /// How long it takes until those who are in line now are at work.
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

    /// How long until a slot is free for one with so many before it, if work takes what it typically does; `None` when
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

impl ServiceSlots {
    fn free(&self) -> usize {
        self.allowed.saturating_sub(self.since.len())
    }

    /// After how long each of the allowed slots is free.
    fn frees_in(&self, now: Instant, typical: Duration) -> impl Iterator<Item = Duration> {
        let at_work = self.since.iter().map(move |since| (*since + typical).saturating_duration_since(now));
        // Those that are more than allowed end first, and leave no free slot behind.
        let too_many = self.since.len().saturating_sub(self.allowed);
        std::iter::repeat_n(Duration::ZERO, self.free()).chain(at_work.skip(too_many))
    }
}

#[cfg(test)]
mod tests;
