use super::*;
use crate::domain::{rate_limit::Verdict, time::UnixMicros};
use proptest::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

fn uid(number: usize) -> Uid {
    Uid::new(format!("user-{number}")).unwrap()
}

const BURST: Burst = Burst { per_minute: 60, size: 5 };
const SECOND: Duration = Duration::from_secs(1);

struct World {
    limiter: AccountLimiter,
    micros: Arc<AtomicI64>,
}

fn world() -> World {
    let micros = Arc::new(AtomicI64::new(0));
    World { limiter: AccountLimiter::new(Clock::Turned(Arc::clone(&micros))), micros }
}

impl World {
    fn advance(&self, by: Duration) {
        self.micros.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// The store finds an account too fast.
    fn refuse(&self, uid: &Uid, burst: Burst, retry_after: Duration) {
        self.limiter.was_too_fast(self.limiter.allow(uid, burst).unwrap(), retry_after);
    }

    fn remembered(&self) -> usize {
        self.limiter.too_fast().len()
    }
}

#[test]
fn what_the_store_has_refused_is_refused_here_until_it_would_be_admitted() {
    let world = world();
    world.refuse(&uid(1), BURST, SECOND);
    world.advance(SECOND / 4);
    assert_eq!(world.limiter.allow(&uid(1), BURST).unwrap_err(), SECOND * 3 / 4);
    assert!(world.limiter.allow(&uid(2), BURST).is_ok(), "somebody else");
    world.advance(SECOND * 3 / 4);
    assert!(world.limiter.allow(&uid(1), BURST).is_ok(), "after the wait");
    assert_eq!(world.remembered(), 0);
}

#[test]
fn what_the_store_has_admitted_is_not_counted_here() {
    let world = world();
    assert_eq!((0..1_000).filter(|_| world.limiter.allow(&uid(1), BURST).is_ok()).count(), 1_000);
    assert_eq!(world.remembered(), 0);
}

#[test]
fn the_wait_counts_from_before_the_store_was_asked() {
    let world = world();
    let passed = world.limiter.allow(&uid(1), BURST).unwrap();
    world.advance(SECOND);
    world.limiter.was_too_fast(passed, SECOND);
    assert!(world.limiter.allow(&uid(1), BURST).is_ok());
}

#[test]
fn an_earlier_answer_that_comes_late_takes_nothing_back() {
    let world = world();
    let (one, other) = (world.limiter.allow(&uid(1), BURST).unwrap(), world.limiter.allow(&uid(1), BURST).unwrap());
    world.limiter.was_too_fast(one, SECOND * 2);
    world.limiter.was_too_fast(other, SECOND);
    assert_eq!(world.limiter.allow(&uid(1), BURST).unwrap_err(), SECOND * 2);
}

#[test]
fn a_raised_plan_unblocks_at_once() {
    let world = world();
    world.refuse(&uid(1), BURST, SECOND);
    assert!(world.limiter.allow(&uid(1), Burst { per_minute: 600, size: 100 }).is_ok());
}

#[test]
fn memory_is_bounded_and_what_is_forgotten_is_asked_of_the_store() {
    let world = world();
    for account in 0..ACCOUNTS {
        world.refuse(&uid(account), BURST, SECOND);
    }
    assert_eq!(world.remembered(), ACCOUNTS);
    world.refuse(&uid(ACCOUNTS), BURST, SECOND);
    assert_eq!(world.remembered(), 1);
    assert!(world.limiter.allow(&uid(0), BURST).is_ok());
    assert!(world.limiter.allow(&uid(ACCOUNTS), BURST).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The store as the reference: asked at the same moments.
    #[test]
    fn nothing_is_refused_that_the_store_would_admit_and_the_wait_is_the_stores(
        per_minute in 1u32..5_000,
        size in 1u32..40,
        gaps in prop::collection::vec(prop_oneof![Just(0u64), 0u64..200_000, 0u64..80_000_000], 1..300),
    ) {
        let burst = Burst { per_minute, size };
        let world = world();
        let mut arrival = None;
        for gap in gaps {
            world.advance(Duration::from_micros(gap));
            let now = UnixMicros(world.micros.load(Ordering::Relaxed));
            match (burst.judge(arrival, now), world.limiter.allow(&uid(1), burst)) {
                (Verdict::Admit(next), here) => {
                    prop_assert!(here.is_ok(), "refused {here:?} at {now:?}");
                    arrival = Some(next);
                }
                (Verdict::Wait(retry_after), Ok(passed)) => world.limiter.was_too_fast(passed, retry_after),
                (Verdict::Wait(retry_after), Err(told)) => prop_assert_eq!(told, retry_after),
            }
        }
    }
}
