//! A clock that a test turns.

use rembg_gateway::{
    clock::Clock,
    domain::time::{UnixMicros, UnixSeconds},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// It stands still until it is turned. Clones are the same clock.
#[derive(Clone)]
pub struct TurnedClock(Arc<AtomicI64>);

impl TurnedClock {
    pub fn at(moment: UnixMicros) -> Self {
        Self(Arc::new(AtomicI64::new(moment.0)))
    }

    /// As a gateway or a store takes it.
    pub fn clock(&self) -> Clock {
        Clock::Turned(Arc::clone(&self.0))
    }

    pub fn now(&self) -> UnixMicros {
        UnixMicros(self.0.load(Ordering::Acquire))
    }

    pub fn seconds(&self) -> UnixSeconds {
        self.now().seconds()
    }

    pub fn turn_to(&self, moment: UnixMicros) {
        self.0.store(moment.0, Ordering::Release);
    }

    pub fn turn_by(&self, by: Duration) {
        self.turn_to(self.now().plus(by));
    }
}
