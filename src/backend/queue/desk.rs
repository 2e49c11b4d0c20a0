//! Who may go to which service, who waits, and who is told at once that it would be in vain. Pure: time is an argument.

use super::order::{Order, Place};
use crate::domain::caller::Payer;
use std::time::Duration;

/// The least that a refused caller is told to wait.
const AT_LEAST: Duration = Duration::from_secs(1);

/// A request that wants to be served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) payer: &'a Payer,
    pub(super) priority: u8,
    /// Until its deadline.
    pub(super) left: Duration,
    /// Services that have failed it already.
    pub(super) tried: &'a [usize],
}

/// The services' slots and the line before them.
#[derive(Debug)]
pub(super) struct Desk<T> {
    services: Vec<Counter>,
    order: Order<Waiting<T>>,
    most_waiting: usize,
    /// How long a service takes: a moving average, once there is anything to go by.
    typical: Option<Duration>,
    /// When a service that is down may be back.
    recheck: Duration,
    turns: u64,
}

/// One service's slots.
#[derive(Debug)]
struct Counter {
    allowed: usize,
    in_flight: usize,
    last_turn: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    tried: Vec<usize>,
}

impl<T> Desk<T> {
    /// So many slots at each service, and so many places in the line before all of them.
    pub(super) fn new(slots: &[usize], most_waiting: usize, recheck: Duration) -> Self {
        let counter = |allowed: &usize| Counter { allowed: *allowed, in_flight: 0, last_turn: 0 };
        Self {
            services: slots.iter().map(counter).collect(),
            order: Order::new(),
            most_waiting,
            typical: None,
            recheck,
            turns: 0,
        }
    }

    /// Lines up, or is told after how long asking again makes sense.
    ///
    /// Refused at once is who finds no service up, a full line, or so many before it that, by what services take, its
    /// answer would come after its deadline.
    pub(super) fn enter(&mut self, ask: Ask<'_>, item: T) -> Result<Place, Duration> {
        let usable = || self.services.iter().enumerate().filter(|(at, one)| one.allowed > 0 && !ask.tried.contains(at));
        let slots: usize = usable().map(|(_, one)| one.allowed).sum();
        if slots == 0 {
            return Err(self.recheck.max(AT_LEAST));
        }
        let free: usize = usable().map(|(_, one)| one.allowed.saturating_sub(one.in_flight)).sum();
        let ahead = self.order.ahead_of(ask.payer, ask.priority);
        if ahead >= free {
            if self.order.len() >= self.most_waiting {
                return Err(self.backlog());
            }
            if let Some(typical) = self.typical {
                let served = rounds(typical, ahead - free + 1, slots) + typical;
                if served > ask.left {
                    return Err((served - ask.left).max(AT_LEAST));
                }
            }
        }
        Ok(self.order.join(ask.payer, ask.priority, Waiting { item, tried: ask.tried.to_vec() }))
    }

    /// The next one to be served, and by which service: the one with the least in flight, or else the longest rest.
    pub(super) fn serve(&mut self) -> Option<(T, usize)> {
        let services = &self.services;
        let best = |tried: &[usize]| {
            let free = services.iter().enumerate();
            free.filter(|(at, one)| one.in_flight < one.allowed && !tried.contains(at))
                .min_by_key(|(_, one)| (one.in_flight, one.last_turn))
                .map(|(at, _)| at)
        };
        // Without this, a long line would be searched in vain whenever somebody joins it.
        best(&[])?;
        let next = self.order.next(|waiting| best(&waiting.tried).is_some())?;
        let at = best(&next.tried)?;
        self.turns += 1;
        let counter = self.services.get_mut(at)?;
        counter.in_flight += 1;
        counter.last_turn = self.turns;
        Some((next.item, at))
    }

    /// Steps out of the line.
    pub(super) fn leave(&mut self, place: Place) {
        self.order.leave(place);
    }

    /// A slot is free again. `took` is how long it was needed, unless that says nothing of how long work takes.
    pub(super) fn done(&mut self, service: usize, took: Option<Duration>) {
        if let Some(counter) = self.services.get_mut(service) {
            counter.in_flight = counter.in_flight.saturating_sub(1);
        }
        if let Some(took) = took {
            self.typical = Some(self.typical.map_or(took, |typical| typical * 3 / 4 + took / 4));
        }
    }

    /// From now on so many at once; 0 for none.
    pub(super) fn allow(&mut self, service: usize, slots: usize) {
        if let Some(counter) = self.services.get_mut(service) {
            counter.allowed = slots;
        }
    }

    /// How long those who are at work and in line now will take.
    pub(super) fn backlog(&self) -> Duration {
        let slots: usize = self.services.iter().map(|one| one.allowed).sum();
        let in_flight: usize = self.services.iter().map(|one| one.in_flight).sum();
        if slots == 0 {
            return self.recheck.max(AT_LEAST);
        }
        rounds(self.typical.unwrap_or(AT_LEAST), self.order.len() + in_flight, slots).max(AT_LEAST)
    }

    pub(super) fn waiting(&self) -> usize {
        self.order.len()
    }

    pub(super) fn in_flight(&self, service: usize) -> usize {
        self.services.get(service).map_or(0, |one| one.in_flight)
    }
}

/// How long so many requests take that so many slots share.
fn rounds(typical: Duration, requests: usize, slots: usize) -> Duration {
    let requests = u32::try_from(requests).unwrap_or(u32::MAX);
    let slots = u32::try_from(slots).unwrap_or(u32::MAX).max(1);
    typical.saturating_mul(requests) / slots
}

#[cfg(test)]
mod tests;
