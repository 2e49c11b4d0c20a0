//! For tests: a gateway that dies, as by kill -9, or panics, when it comes to a chosen point of a picture's journey.
//!
//! Only a gateway that dies at each point can show that no credit is lost or charged twice. From outside, nobody can
//! hit the moment between, say, a keep and its answer. `REMBG_GATEWAY_TEST_DIE_AT=POINT` makes it die there the first
//! time, `POINT:N` the Nth time; `REMBG_GATEWAY_TEST_PANIC_AT` makes it panic there, once. `REMBG_GATEWAY_TEST_FAIL_AT=POINT:N:M`
//! makes the disk refuse there from the Nth time on, M times. Passing a point costs one atomic load. Only builds with debug assertions have any of this: in a release the points are empty, and the
//! variables are not read.

use std::io;

/// Points at which a gateway can be made to die, in the order of the journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The caller is known; the store has not been asked for a credit.
    BeforeHold,
    /// One credit is set aside.
    AfterHold,
    /// The form is read whole and found good.
    AfterForm,
    /// The picture is about to go to the backend.
    BeforeSend,
    /// The backend's whole answer is here.
    AfterAnswer,
    /// The store is about to be asked to count.
    BeforeKeep,
    /// The store has counted, or the journal has; the caller has heard nothing.
    AfterKeep,
    /// Keeps are written in the journal; the store has not been asked.
    AfterLine,
    /// A keep that the store did not take is on the disk.
    AfterSync,
    /// The disk did not take such a keep, and the caller has not been told.
    AfterFailedSync,
    /// A credit is about to be given back.
    InRelease,
    /// Several operations have gone to a Redis in one call, and nobody has heard what became of them.
    InBatch,
    /// The task that talks to a service of the backend has begun.
    InExchange,
    /// Picture work on a thread of its own has begun.
    InWork,
    /// The embedded store is half through a keep, on the thread that writes.
    InStore,
    /// A page, or another file for browsers, is about to be sent.
    InPage,
    /// The embedded store is half through closing a page of a ledger, on the thread that writes.
    InClosing,
    /// A page of a ledger is closed; others may be left.
    BetweenPages,
    /// A line of the journal is about to be written.
    InWrite,
    /// A file of the journal is about to be synced.
    InSync,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::BeforeHold,
        Self::AfterHold,
        Self::AfterForm,
        Self::BeforeSend,
        Self::AfterAnswer,
        Self::BeforeKeep,
        Self::AfterKeep,
        Self::AfterLine,
        Self::AfterSync,
        Self::AfterFailedSync,
        Self::InRelease,
        Self::InBatch,
        Self::InExchange,
        Self::InWork,
        Self::InStore,
        Self::InPage,
        Self::InClosing,
        Self::BetweenPages,
        Self::InWrite,
        Self::InSync,
    ];

    /// Its name in the variable.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeHold => "before_hold",
            Self::AfterHold => "after_hold",
            Self::AfterForm => "after_form",
            Self::BeforeSend => "before_send",
            Self::AfterAnswer => "after_answer",
            Self::BeforeKeep => "before_keep",
            Self::AfterKeep => "after_keep",
            Self::AfterLine => "after_line",
            Self::AfterSync => "after_sync",
            Self::AfterFailedSync => "after_failed_sync",
            Self::InRelease => "in_release",
            Self::InBatch => "in_batch",
            Self::InExchange => "in_exchange",
            Self::InWork => "in_work",
            Self::InStore => "in_store",
            Self::InPage => "in_page",
            Self::InClosing => "in_closing",
            Self::BetweenPages => "between_pages",
            Self::InWrite => "in_write",
            Self::InSync => "in_sync",
        }
    }
}

/// Does nothing in a release.
#[cfg(not(debug_assertions))]
#[inline]
pub fn reach(_: Point) {}

/// The journey has come to this point. If it is the chosen one, the process dies here, or panics.
#[cfg(debug_assertions)]
pub fn reach(point: Point) {
    switch::reach(point);
}

/// Nothing fails in a release.
#[cfg(not(debug_assertions))]
#[inline]
pub fn fails(_: Point) -> io::Result<()> {
    Ok(())
}

/// The error of a disk that is full, if the disk is to refuse here now.
#[cfg(debug_assertions)]
pub fn fails(point: Point) -> io::Result<()> {
    switch::fails(point)
}

#[cfg(debug_assertions)]
mod switch {
    use super::Point;
    use std::{
        env, io, process,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    /// The chosen point, and how often it is still to be passed.
    struct Switch {
        point: Point,
        left: AtomicU64,
    }

    /// A point at which the disk refuses, how often it is passed before, and how often it refuses.
    struct Refusal {
        point: Point,
        passed: AtomicU64,
        first: u64,
        times: u64,
    }

    static FAILS: LazyLock<Option<Refusal>> = LazyLock::new(|| refusal(&env::var("REMBG_GATEWAY_TEST_FAIL_AT").ok()?));

    fn refusal(text: &str) -> Option<Refusal> {
        let (name, rest) = text.split_once(':')?;
        let (first, times) = rest.split_once(':')?;
        let point = Point::ALL.into_iter().find(|point| point.name() == name)?;
        Some(Refusal { point, passed: AtomicU64::new(0), first: first.parse().ok()?, times: times.parse().ok()? })
    }

    pub(super) fn fails(point: Point) -> io::Result<()> {
        let refuses =
            LazyLock::force(&FAILS).as_ref().filter(|refusal| refusal.point == point).is_some_and(|refusal| {
                let time = refusal.passed.fetch_add(1, Ordering::Relaxed) + 1;
                time >= refusal.first && time - refusal.first < refusal.times
            });
        if refuses { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    static DIES: LazyLock<Option<Switch>> = LazyLock::new(|| chosen(&env::var("REMBG_GATEWAY_TEST_DIE_AT").ok()?));
    static PANICS: LazyLock<Option<Switch>> = LazyLock::new(|| chosen(&env::var("REMBG_GATEWAY_TEST_PANIC_AT").ok()?));

    fn chosen(text: &str) -> Option<Switch> {
        let (name, time) = text.split_once(':').unwrap_or((text, "1"));
        let point = Point::ALL.into_iter().find(|point| point.name() == name)?;
        Some(Switch { point, left: AtomicU64::new(time.parse().ok()?) })
    }

    pub(super) fn reach(point: Point) {
        if is_time(&DIES, point) {
            // Nothing is unwound, dropped or flushed.
            process::abort();
        }
        // A panic's message may hold a secret. Tests check that this one appears nowhere.
        assert!(!is_time(&PANICS, point), "{} has come, with a secret of a caller's", point.name());
    }

    fn is_time(switch: &LazyLock<Option<Switch>>, point: Point) -> bool {
        let switch = LazyLock::force(switch).as_ref().filter(|switch| switch.point == point);
        switch.is_some_and(|switch| switch.left.fetch_sub(1, Ordering::Relaxed) == 1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn every_point_can_be_chosen_by_its_name_with_or_without_a_number() {
            for point in Point::ALL {
                for (text, left) in [(point.name().to_owned(), 1), (format!("{}:7", point.name()), 7)] {
                    let switch = chosen(&text).unwrap();
                    assert_eq!((switch.point, switch.left.into_inner()), (point, left));
                }
            }
            assert!(["", "nowhere", "after_keep:", "after_keep:x"].into_iter().all(|text| chosen(text).is_none()));
        }
    }
}
