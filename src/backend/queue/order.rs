//! The order of the waiting requests: it is fair between payers and weighted by priority. Pure.
//!
//! Each payer has its own clock, which advances with each request that it queues; a higher priority advances it by
//! less. The request with the earliest time goes first (self-clocked fair queueing). A payer's thousand requests
//! therefore wait for each other and do not delay another payer's single request, and no payer starves, whatever the
//! priorities.

use crate::domain::credit::Payer;
use std::collections::{BTreeMap, HashMap};

/// How far a request of priority 0 advances its payer's clock. It is large, so that a 256th of it is still exact
/// enough.
const ONE_TURN: u64 = 1 << 20;

/// A request's position in the order; the smaller one is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    time: u64,
    arrival: u64,
}

/// Requests in the order of their turns.
#[derive(Debug)]
pub(super) struct Order<T> {
    waiting: BTreeMap<Place, (Payer, T)>,
    payers: HashMap<Payer, PayerClock>,
    /// The time of the request that was served last.
    now: u64,
    arrivals: u64,
}

/// A payer's clock. It is kept only while the payer has waiting requests.
#[derive(Debug)]
struct PayerClock {
    time: u64,
    waiting: usize,
}

impl<T> Order<T> {
    pub(super) fn new() -> Self {
        Self { waiting: BTreeMap::new(), payers: HashMap::new(), now: 0, arrivals: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many requests would be before one that joins now.
    pub(super) fn ahead_of(&self, payer: &Payer, priority: u8) -> usize {
        let last = Place { time: self.time_for(payer, priority), arrival: u64::MAX };
        self.waiting.range(..=last).count()
    }

    /// Adds a request.
    pub(super) fn join(&mut self, payer: &Payer, priority: u8, item: T) -> Place {
        let time = self.time_for(payer, priority);
        let place = Place { time, arrival: self.arrivals };
        self.arrivals += 1;
        let clock = self.payers.entry(payer.clone()).or_insert(PayerClock { time, waiting: 0 });
        clock.time = time;
        clock.waiting += 1;
        self.waiting.insert(place, (payer.clone(), item));
        place
    }

    /// Removes a request; `None` if it is no longer waiting.
    pub(super) fn leave(&mut self, place: Place) -> Option<T> {
        let (payer, item) = self.waiting.remove(&place)?;
        if let Some(clock) = self.payers.get_mut(&payer) {
            clock.waiting -= 1;
            if clock.waiting == 0 {
                self.payers.remove(&payer);
            }
        }
        Some(item)
    }

    /// Removes the request whose turn is last, as if it had never joined.
    pub(super) fn give_up_last(&mut self) -> Option<T> {
        let place = *self.waiting.last_key_value()?.0;
        let payer = self.waiting.get(&place).map(|(payer, _)| payer.clone())?;
        let item = self.leave(place);
        let before = self.waiting.iter().rev().find(|(_, (of, _))| *of == payer).map(|(place, _)| place.time);
        if let Some((clock, time)) = self.payers.get_mut(&payer).zip(before) {
            clock.time = time;
        }
        item
    }

    /// Removes and returns the first request that `may` be served.
    pub(super) fn next(&mut self, mut may: impl FnMut(&T) -> bool) -> Option<T> {
        let place = *self.waiting.iter().find(|(_, (_, item))| may(item))?.0;
        self.now = self.now.max(place.time);
        self.leave(place)
    }

    fn time_for(&self, payer: &Payer, priority: u8) -> u64 {
        let from = self.payers.get(payer).map_or(self.now, |clock| clock.time.max(self.now));
        from + ONE_TURN / (u64::from(priority) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Uid;
    use proptest::prelude::*;

    fn payer(number: u8) -> Payer {
        Payer::Account(Uid::new(format!("payer {number}")).expect("an id"))
    }

    /// Queues each (payer, priority) in this order and returns the payers in the order in which they are served.
    fn served(requests: &[(u8, u8)]) -> Vec<u8> {
        let mut order = Order::new();
        for (who, priority) in requests {
            order.join(&payer(*who), *priority, *who);
        }
        std::iter::from_fn(|| order.next(|_| true)).collect()
    }

    #[test]
    fn payers_take_turns_and_each_ones_requests_keep_their_order() {
        for (requests, turns) in [
            (&[(1, 1), (1, 1), (1, 1), (2, 1)][..], &[1, 2, 1, 1][..]),
            (&[(1, 1), (1, 1), (2, 1), (2, 1), (3, 1)], &[1, 2, 3, 1, 2]),
            (&[(1, 0), (1, 0), (2, 1), (2, 1), (2, 1), (2, 1)], &[2, 1, 2, 2, 1, 2]),
        ] {
            assert_eq!(served(requests), turns, "{requests:?}");
        }
    }

    #[test]
    fn a_request_that_leaves_the_queue_is_not_served_and_its_payer_is_soon_forgotten() {
        let mut order = Order::new();
        let first = order.join(&payer(1), 1, 'a');
        order.join(&payer(2), 1, 'b');
        assert_eq!((order.leave(first), order.leave(first)), (Some('a'), None));
        assert_eq!((order.next(|_| true), order.next(|_| true)), (Some('b'), None));
        assert!(order.payers.is_empty(), "no clock is kept of payers without waiting requests");
    }

    #[test]
    fn the_request_that_is_given_up_is_the_last_one_and_has_not_used_a_turn() {
        let mut order = Order::new();
        for (who, item) in [(1, 'a'), (1, 'b'), (2, 'c'), (1, 'd')] {
            order.join(&payer(who), 1, item);
        }
        assert_eq!(order.give_up_last(), Some('d'));
        order.join(&payer(2), 1, 'e');
        order.join(&payer(1), 1, 'f');
        assert_eq!(std::iter::from_fn(|| order.next(|_| true)).collect::<String>(), "acbef");
        assert_eq!(order.give_up_last(), None);
    }

    #[test]
    fn a_request_that_cannot_be_served_now_is_passed_over_and_stays_first() {
        let mut order = Order::new();
        order.join(&payer(1), 1, 1);
        order.join(&payer(2), 1, 2);
        assert_eq!(order.next(|item| *item != 1), Some(2));
        assert_eq!(order.next(|_| true), Some(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn one_payers_many_requests_delay_anothers_first_by_one_turn_at_most(
            crowds in prop::collection::vec(1_usize..60, 1..6),
            served_before in 0_usize..40,
        ) {
            let mut order = Order::new();
            for (who, crowd) in (0..).zip(&crowds) {
                for _ in 0..*crowd {
                    order.join(&payer(who), 1, who);
                }
            }
            for _ in 0..served_before {
                order.next(|_| true);
            }
            let newcomer = payer(99);
            let ahead = order.ahead_of(&newcomer, 1);
            order.join(&newcomer, 1, 99);
            let turns = std::iter::from_fn(|| order.next(|_| true)).position(|who| who == 99);
            prop_assert_eq!(turns, Some(ahead), "as many were served first as it was told");
            prop_assert!(ahead <= 2 * crowds.len(), "{} were before it", ahead);
        }

        #[test]
        fn every_queued_request_is_served_once(requests in prop::collection::vec((0_u8..5, 0_u8..9), 0..80)) {
            let mut all: Vec<u8> = requests.iter().map(|(who, _)| *who).collect();
            let mut turns = served(&requests);
            all.sort_unstable();
            turns.sort_unstable();
            prop_assert_eq!(all, turns);
        }
    }
}
