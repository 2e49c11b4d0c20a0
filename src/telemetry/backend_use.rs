//! What one picture takes of the backend, noted while it is there.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The notes about one picture; clones share them.
#[derive(Clone, Debug, Default)]
pub struct BackendUse(Arc<Mutex<BackendNotes>>);

/// What has been noted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendNotes {
    /// The time in the queue; `None` if the picture has never come to it.
    pub queue: Option<Duration>,
    /// The time that services had the picture; `None` if none was asked.
    pub working: Option<Duration>,
    /// The service that was asked last, by its name.
    pub service: Option<String>,
    /// How often a service was asked.
    pub tries: u32,
}

/// Notes the time until it is dropped.
#[derive(Debug)]
pub struct Timing<'a> {
    notes: &'a BackendUse,
    since: Instant,
    place: fn(&mut BackendNotes) -> &mut Option<Duration>,
}

impl BackendUse {
    /// The picture enters the queue.
    #[must_use]
    pub fn queueing(&self) -> Timing<'_> {
        Timing { notes: self, since: Instant::now(), place: |notes| &mut notes.queue }
    }

    /// A service is asked.
    #[must_use]
    pub fn asking(&self, service: &str) -> Timing<'_> {
        self.asked_again();
        self.lock().service = Some(service.to_owned());
        Timing { notes: self, since: Instant::now(), place: |notes| &mut notes.working }
    }

    /// The same service is asked again.
    pub fn asked_again(&self) {
        let mut notes = self.lock();
        notes.tries = notes.tries.saturating_add(1);
    }

    /// What has been noted so far.
    #[must_use]
    pub fn notes(&self) -> BackendNotes {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BackendNotes> {
        // A panic cannot leave the notes half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        let mut notes = self.notes.lock();
        let sum = (self.place)(&mut notes);
        *sum = Some(sum.unwrap_or_default().saturating_add(took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn times_of_several_tries_are_added_and_the_last_service_is_named() {
        let used = BackendUse::default();
        assert_eq!(used.notes(), BackendNotes::default());
        for (service, seconds) in [("first", 2), ("second", 3)] {
            let queueing = used.queueing();
            advance(Duration::from_secs(1)).await;
            drop(queueing);
            let _asking = used.asking(service);
            advance(Duration::from_secs(seconds)).await;
        }
        used.asked_again();
        let notes = BackendNotes {
            queue: Some(Duration::from_secs(2)),
            working: Some(Duration::from_secs(5)),
            service: Some("second".into()),
            tries: 3,
        };
        assert_eq!(used.notes(), notes);
    }
}
