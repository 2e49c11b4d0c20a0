//! The one place that reads the wall clock.

use crate::domain::time::UnixMicros;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// The source of the time of day.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock; a store that has one of its own uses that instead.
    #[default]
    Own,
    /// A clock that a test turns: microseconds since 1970.
    Turned(Arc<AtomicI64>),
}

impl Clock {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> UnixMicros {
        match self {
            Self::Own => machine_now(),
            Self::Turned(micros) => UnixMicros(micros.load(Ordering::Acquire)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
fn machine_now() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
