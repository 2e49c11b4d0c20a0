//! The gateway's clock as governor wants it: a span since some fixed moment.

use crate::clock::Clock;
use governor::nanos::Nanos;
use std::time::{Duration, Instant};

/// Time that only moves forward; in tests, as far as they turn it.
#[derive(Clone, Debug)]
pub struct PaceClock {
    turned: Clock,
    since: Instant,
}

impl PaceClock {
    pub(super) fn new(clock: Clock) -> Self {
        Self { turned: clock, since: Instant::now() }
    }
}

impl governor::clock::Clock for PaceClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match &self.turned {
            // The time of day may be set back; this must not.
            Clock::Own => self.since.elapsed().into(),
            turned @ Clock::Turned(_) => Duration::from_micros(turned.now().0.unsigned_abs()).into(),
        }
    }
}
