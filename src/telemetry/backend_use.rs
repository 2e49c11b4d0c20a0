//! What one picture takes of the backend, noted while it is there.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The notes about one picture; clones share them.
#[derive(Clone, Debug, Default)]
pub struct BackendUse(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    notes: BackendNotes,
    /// When the service was asked that has the picture now. It may have it longer than its request lasts.
    asked: Option<Instant>,
}

/// What has been noted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendNotes {
    /// The time in the queue; `None` if the picture has never come to it.
    pub queue: Option<Duration>,
    /// The time that services had the picture; `None` if none was asked.
    pub working: Option<Duration>,
    /// The service that was asked last, by its name.
    pub service: Option<Arc<str>>,
    /// How often a service was asked.
    pub tries: u32,
}

/// Notes the time until it is dropped.
#[derive(Debug)]
pub struct Timing<'a> {
    notes: &'a BackendUse,
    since: Instant,
    part: Part,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Queue,
    Working,
}

impl BackendUse {
    /// The picture passes the queue without waiting.
    pub fn passed_queue(&self) {
        add(&mut self.lock().notes.queue, Duration::ZERO);
    }

    /// The picture enters the queue.
    #[must_use]
    pub fn queueing(&self) -> Timing<'_> {
        Timing { notes: self, since: Instant::now(), part: Part::Queue }
    }

    /// A service is asked.
    #[must_use]
    pub fn asking(&self, service: impl Into<Arc<str>>) -> Timing<'_> {
        self.asked_again();
        let since = Instant::now();
        let mut kept = self.lock();
        (kept.notes.service, kept.asked) = (Some(service.into()), Some(since));
        Timing { notes: self, since, part: Part::Working }
    }

    /// The same service is asked again.
    pub fn asked_again(&self) {
        let mut kept = self.lock();
        kept.notes.tries = kept.notes.tries.saturating_add(1);
    }

    /// What has been noted so far. The time of a service that still has the picture counts up to now.
    #[must_use]
    pub fn notes(&self) -> BackendNotes {
        let kept = self.lock();
        let mut notes = kept.notes.clone();
        if let Some(since) = kept.asked {
            add(&mut notes.working, since.elapsed());
        }
        notes
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic cannot leave the notes half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        let mut kept = self.notes.lock();
        match self.part {
            Part::Queue => add(&mut kept.notes.queue, took),
            Part::Working => {
                kept.asked = None;
                add(&mut kept.notes.working, took);
            }
        }
    }
}

fn add(sum: &mut Option<Duration>, took: Duration) {
    *sum = Some(sum.unwrap_or_default().saturating_add(took));
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
            let working = Duration::from_secs(if service == "first" { 2 } else { 5 });
            assert_eq!(used.notes().working, Some(working), "while it still has the picture");
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
