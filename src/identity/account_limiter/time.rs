//! The gateway's clock in the form that governor needs: a span since some fixed moment.

use crate::clock::Clock;
use governor::nanos::Nanos;
use std::time::{Duration, Instant};

/// Time that only moves forward; tests turn it.
#[derive(Clone, Debug)]
pub struct LimiterClock {
    turned: Clock,
    since: Instant,
}

impl LimiterClock {
    pub(super) fn new(clock: Clock) -> Self {
        Self { turned: clock, since: Instant::now() }
    }
}

impl governor::clock::Clock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match &self.turned {
            // The time of day may be set back; this time must not be.
            Clock::Own => self.since.elapsed().into(),
            turned @ Clock::Turned(_) => Duration::from_micros(turned.now().0.unsigned_abs()).into(),
        }
    }
}
