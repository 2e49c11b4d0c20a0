//! Floods of lines that say the same: of one cause at most so many are written a second. The others are counted, and
//! every ten seconds a line says how many they were.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{Level, error, info, warn};

/// How often the lines that were left out are told.
const TELL_EVERY: Duration = Duration::from_secs(10);

const SECOND: Duration = Duration::from_secs(1);

static FLOOD: Mutex<Flood> = Mutex::new(Flood::new(10));
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// Decides which lines are written. Pure: time is an argument.
#[derive(Debug)]
struct Flood {
    most: usize,
    causes: BTreeMap<&'static str, Cause>,
}

/// The lines of one cause.
#[derive(Debug)]
struct Cause {
    /// When the latest lines were written; no more than may be in a second.
    written: VecDeque<Instant>,
    left_out: u64,
    level: Level,
}

/// Lines of one cause that were not written.
#[derive(Debug, PartialEq, Eq)]
struct LeftOut {
    cause: &'static str,
    lines: u64,
    level: Level,
}

impl Flood {
    const fn new(most: usize) -> Self {
        Self { most, causes: BTreeMap::new() }
    }

    /// Whether another line of this cause is written now. If not, it is counted.
    fn allows(&mut self, cause: &'static str, level: Level, now: Instant) -> bool {
        let new = || Cause { written: VecDeque::new(), left_out: 0, level };
        let lines = self.causes.entry(cause).or_insert_with(new);
        lines.level = level;
        while lines.written.front().is_some_and(|first| now.saturating_duration_since(*first) >= SECOND) {
            lines.written.pop_front();
        }
        let allowed = lines.written.len() < self.most;
        if allowed {
            lines.written.push_back(now);
        } else {
            lines.left_out += 1;
        }
        allowed
    }

    /// What has been left out since this was last asked.
    fn take_left_out(&mut self) -> Vec<LeftOut> {
        let left_out = self.causes.iter_mut().filter(|(_, lines)| lines.left_out > 0);
        left_out
            .map(|(cause, lines)| LeftOut { cause, lines: std::mem::take(&mut lines.left_out), level: lines.level })
            .collect()
    }
}

/// Whether lines of this level are written at all.
#[must_use]
pub(super) fn is_on(level: Level) -> bool {
    match level {
        Level::ERROR => tracing::enabled!(Level::ERROR),
        Level::WARN => tracing::enabled!(Level::WARN),
        Level::INFO => tracing::enabled!(Level::INFO),
        Level::DEBUG => tracing::enabled!(Level::DEBUG),
        Level::TRACE => tracing::enabled!(Level::TRACE),
    }
}

/// Whether another line of this level and cause is written now. If only because of too many others it is not, it is
/// counted. Causes are names from a closed set.
#[must_use]
pub fn may_write(cause: &'static str, level: Level) -> bool {
    if !is_on(level) {
        return false;
    }
    let allowed = flood().allows(cause, level, Instant::now());
    if !allowed {
        LEFT_OUT.fetch_add(1, Ordering::Relaxed);
    }
    allowed
}

/// Lines left out since the process began.
#[must_use]
pub fn left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

/// From now on, at most so many lines of one cause are written a second.
pub(super) fn set_most(most: usize) {
    flood().most = most;
}

/// Writes, every ten seconds, a line for each cause of which lines were left out.
pub async fn keep_telling() {
    let mut ticks = interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tell();
    }
}

/// Writes these lines now, as before the process ends.
pub fn tell() {
    let left_out = flood().take_left_out();
    for LeftOut { cause, lines, level } in left_out {
        match level {
            Level::ERROR => error!(cause, left_out = lines, "not every line was written"),
            Level::WARN => warn!(cause, left_out = lines, "not every line was written"),
            _ => info!(cause, left_out = lines, "not every line was written"),
        }
    }
}

fn flood() -> MutexGuard<'static, Flood> {
    // A panic cannot leave it half changed.
    FLOOD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_lines_of_one_cause_and_every_other_line_is_counted() {
        let (mut flood, start) = (Flood::new(10), Instant::now());
        let mut written = Vec::new();
        for step in 0..5_000 {
            let now = start + Duration::from_millis(step);
            if flood.allows("queue_full", Level::WARN, now) {
                written.push(now);
            }
            assert_eq!(flood.allows("no_room", Level::WARN, now), step % 1_000 < 10, "causes do not share their lines");
        }
        for window in written.windows(11) {
            assert!(window[10] - window[0] >= SECOND, "more than ten in a second");
        }
        let counted = |cause| LeftOut { cause, lines: 5_000 - 50, level: Level::WARN };
        assert_eq!(written.len(), 50);
        assert_eq!(flood.take_left_out(), [counted("no_room"), counted("queue_full")]);
        assert_eq!(flood.take_left_out(), [], "each line is told once");
    }

    #[test]
    fn a_clock_that_seems_to_go_back_and_a_lower_limit_are_no_trouble() {
        let (mut flood, start) = (Flood::new(3), Instant::now());
        let later = start + SECOND;
        assert!([later; 3].into_iter().all(|now| flood.allows("cause", Level::INFO, now)));
        assert!(!flood.allows("cause", Level::INFO, start));
        flood.most = 1;
        assert!(!flood.allows("cause", Level::INFO, later));
        assert!(flood.allows("cause", Level::INFO, later + SECOND));
    }
}
