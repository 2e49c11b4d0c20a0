//! Whether a service may be used, and for how many requests at once. A failing service is ejected and returns slowly.
//! Pure: time is an argument.

use std::time::Duration;
use tokio::time::Instant;

/// A service is ejected after so many requests in a row without an answer, if another service is up.
const STRIKES: u32 = 5;

/// A service is ejected after so many health checks in a row without an answer, even if it is the only one.
const MISSES: u32 = 2;

/// An ejection's pause doubles each time that the service fails while it returns, up to so many times the shortest
/// pause.
const LONGEST_PAUSE: u32 = 16;

/// The health of one service.
#[derive(Debug)]
pub(super) struct Health {
    slots: usize,
    state: State,
    strikes: u32,
    misses: u32,
    shortest_pause: Duration,
    pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The service works.
    Up,
    /// The service is ejected. A check that passes after this moment lets it return.
    Ejected { until: Instant },
    /// The service is returning with so many requests at once; each answer doubles the number.
    Returning { allowed: usize },
}

impl Health {
    /// A service that may have `slots` requests at once until it fails. It is then ejected for at least
    /// `shortest_pause`.
    pub(super) fn new(slots: usize, shortest_pause: Duration) -> Self {
        Self { slots, state: State::Up, strikes: 0, misses: 0, shortest_pause, pause: shortest_pause }
    }

    /// How many requests the service may have at once.
    pub(super) fn allowed(&self) -> usize {
        match self.state {
            State::Up => self.slots,
            State::Ejected { .. } => 0,
            State::Returning { allowed } => allowed.min(self.slots),
        }
    }

    /// Notes that the service answered a request.
    pub(super) fn answered(&mut self) {
        self.strikes = 0;
        self.misses = 0;
        if let State::Returning { allowed } = self.state {
            let allowed = allowed.saturating_mul(2);
            if allowed >= self.slots {
                self.state = State::Up;
                self.pause = self.shortest_pause;
            } else {
                self.state = State::Returning { allowed };
            }
        }
    }

    /// Notes that the service left a request without an answer. That does not eject a service that is `alone`, because
    /// a doubtful service is better than none.
    pub(super) fn failed(&mut self, now: Instant, alone: Alone) {
        self.strikes = self.strikes.saturating_add(1);
        match (self.state, alone) {
            (State::Returning { .. }, Alone::No) => self.eject(now),
            (State::Returning { .. }, Alone::Yes) => self.state = State::Returning { allowed: 1 },
            (State::Up, Alone::No) if self.strikes >= STRIKES => self.eject(now),
            (State::Up | State::Ejected { .. }, _) => {}
        }
    }

    /// Notes that the service answered a health check.
    pub(super) fn check_passed(&mut self, now: Instant) {
        self.misses = 0;
        match self.state {
            State::Ejected { until } if now >= until => self.state = State::Returning { allowed: 1 },
            State::Up | State::Ejected { .. } | State::Returning { .. } => {}
        }
    }

    /// Notes that the service left a health check without an answer.
    pub(super) fn check_missed(&mut self, now: Instant) {
        self.misses = self.misses.saturating_add(1);
        match self.state {
            State::Up | State::Returning { .. } if self.misses >= MISSES => self.eject(now),
            State::Up | State::Ejected { .. } | State::Returning { .. } => {}
        }
    }

    fn eject(&mut self, now: Instant) {
        self.state = State::Ejected { until: now + self.pause };
        self.pause = (self.pause * 2).min(self.shortest_pause * LONGEST_PAUSE);
        self.strikes = 0;
    }
}

/// Whether no other service is left to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An event in the life of a service.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Answered,
        Failed(Alone),
        Passed,
        Missed,
    }
    use Event::{Answered, Failed, Missed, Passed};

    const PAUSE: Duration = Duration::from_secs(5);
    const OTHERS: Event = Failed(Alone::No);
    const ALONE: Event = Failed(Alone::Yes);

    fn take(health: &mut Health, event: Event, now: Instant) {
        match event {
            Answered => health.answered(),
            Failed(alone) => health.failed(now, alone),
            Passed => health.check_passed(now),
            Missed => health.check_missed(now),
        }
    }

    #[test]
    fn a_service_is_ejected_and_returns_slowly() {
        // Each entry is the second, the event, and how many of the eight slots are allowed after it.
        let story: &[(u64, Event, usize)] = &[
            (0, OTHERS, 8),
            (0, OTHERS, 8),
            (0, OTHERS, 8),
            (0, OTHERS, 8),
            (0, Answered, 8), // one answer resets the strikes
            (1, OTHERS, 8),
            (1, OTHERS, 8),
            (1, OTHERS, 8),
            (1, OTHERS, 8),
            (1, OTHERS, 0), // the fifth in a row
            (2, Passed, 0), // answers a check, but it is too early
            (6, Passed, 1), // half-open
            (7, OTHERS, 0), // fails its first request: twice as long a pause
            (13, Passed, 0),
            (17, Passed, 1),
            (18, Answered, 2),
            (18, Answered, 4),
            (18, Answered, 8),
            (19, Missed, 8),
            (20, Passed, 8), // one check may be missed
            (21, Missed, 8),
            (22, Missed, 0),
            (27, Passed, 1), // a short pause again, as it had recovered
        ];
        let start = Instant::now();
        let mut health = Health::new(8, PAUSE);
        for (second, event, allowed) in story {
            take(&mut health, *event, start + Duration::from_secs(*second));
            assert_eq!(health.allowed(), *allowed, "{event:?} at {second}");
        }
    }

    #[test]
    fn the_last_service_is_ejected_only_by_its_health_check() {
        let now = Instant::now();
        let mut health = Health::new(4, PAUSE);
        for _ in 0..100 {
            take(&mut health, ALONE, now);
        }
        assert_eq!(health.allowed(), 4);
        take(&mut health, Missed, now);
        take(&mut health, Missed, now);
        assert_eq!(health.allowed(), 0);
        take(&mut health, Passed, now + PAUSE);
        take(&mut health, ALONE, now + PAUSE);
        assert_eq!(health.allowed(), 1, "and it is not ejected while it returns either");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn whatever_has_happened_a_service_that_works_again_gets_all_its_slots_back(
            slots in 1_usize..100,
            past in prop::collection::vec(prop_oneof![
                Just(Answered), Just(OTHERS), Just(ALONE), Just(Passed), Just(Missed)
            ], 0..60),
        ) {
            let mut now = Instant::now();
            let mut health = Health::new(slots, PAUSE);
            for event in past {
                now += Duration::from_secs(1);
                take(&mut health, event, now);
                prop_assert!(health.allowed() <= slots);
            }
            health.check_passed(now + PAUSE * LONGEST_PAUSE);
            prop_assert!(health.allowed() >= 1, "at least one request is let through");
            for _ in 0..8 {
                health.answered();
            }
            prop_assert_eq!(health.allowed(), slots);
        }
    }
}
