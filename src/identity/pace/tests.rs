use super::*;
use crate::domain::{quota::Verdict, time::UnixMicros};
use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

fn uid(number: usize) -> Uid {
    Uid::new(format!("user-{number}")).unwrap()
}

const BURST: Burst = Burst { per_minute: 60, size: 5 };

#[test]
fn a_flood_is_turned_away_here_and_told_how_long_to_wait() {
    let clock = FakeRelativeClock::default();
    let pace = Pace::with_clock(clock.clone());
    let through = (0..1_000).filter(|_| pace.allow(&uid(1), BURST).is_ok()).count();
    assert_eq!(through, 5);
    let wait = pace.allow(&uid(1), BURST).unwrap_err();
    assert!((Duration::from_millis(980)..=Duration::from_secs(1)).contains(&wait), "{wait:?}");
    assert_eq!(pace.allow(&uid(2), BURST), Ok(()), "somebody else");
    clock.advance(wait);
    assert_eq!(pace.allow(&uid(1), BURST), Ok(()), "after the wait");
}

#[test]
fn what_the_store_did_not_admit_is_given_back_and_nothing_more() {
    let pace = Pace::with_clock(FakeRelativeClock::default());
    for _ in 0..100 {
        assert_eq!(pace.allow(&uid(1), BURST), Ok(()));
        pace.give_back(&uid(1), BURST);
    }
    pace.give_back(&uid(1), BURST);
    assert_eq!((0..100).filter(|_| pace.allow(&uid(1), BURST).is_ok()).count(), 5);
}

#[test]
fn a_raised_plan_unblocks_at_once() {
    let pace = Pace::with_clock(FakeRelativeClock::default());
    while pace.allow(&uid(1), BURST).is_ok() {}
    assert_eq!(pace.allow(&uid(1), Burst { per_minute: 600, size: 100 }), Ok(()));
}

#[test]
fn memory_is_bounded_and_whoever_does_not_fit_is_left_to_the_store() {
    let clock = FakeRelativeClock::default();
    let pace = Pace::with_clock(clock.clone());
    let many = ACCOUNTS + 3 * usize::try_from(SWEEP_EVERY).unwrap();
    for account in 0..many {
        pace.allow(&uid(account), BURST).expect("the first request of an account");
    }
    let remembered = |pace: &Pace<FakeRelativeClock>| {
        pace.by_limit.read().unwrap().values().map(|limit| limit.limiter.len()).sum::<usize>()
    };
    assert!(remembered(&pace) < ACCOUNTS + usize::try_from(SWEEP_EVERY).unwrap(), "{}", remembered(&pace));

    clock.advance(Duration::from_mins(1));
    for _ in 0..SWEEP_EVERY {
        let _either = pace.allow(&uid(0), BURST);
    }
    assert!(remembered(&pace) <= 1, "those at rest are forgotten: {}", remembered(&pace));
    let flood = (0..100).filter(|_| pace.allow(&uid(0), BURST).is_ok()).count();
    assert!(flood < 100, "there is room again, so a flood is noticed");
}

#[test]
fn limits_of_ones_own_are_bounded_too() {
    let pace = Pace::with_clock(FakeRelativeClock::default());
    let most = u32::try_from(LIMITS).unwrap();
    for size in 1..most + 100 {
        pace.allow(&uid(1), Burst { per_minute: 1, size }).expect("a fresh bucket");
    }
    assert_eq!(pace.by_limit.read().unwrap().len(), LIMITS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The store as the reference: asked at the same moments, on a clock that runs up to 1 % slow.
    #[test]
    fn nothing_is_refused_that_the_store_would_admit(
        per_minute in 1u32..5_000,
        size in 1u32..40,
        slow in 0u64..10,
        gaps in prop::collection::vec(prop_oneof![Just(0u64), 0u64..200_000, 0u64..80_000_000], 1..300),
    ) {
        let burst = Burst { per_minute, size };
        let clock = FakeRelativeClock::default();
        let pace = Pace::with_clock(clock.clone());
        let (mut micros, mut arrival) = (0u64, None);
        for gap in gaps {
            micros += gap;
            clock.advance(Duration::from_micros(gap) * 1_000 / (1_000 + u32::try_from(slow).unwrap()));
            let here = pace.allow(&uid(1), burst);
            match burst.judge(arrival, UnixMicros(i64::try_from(micros).unwrap())) {
                Verdict::Admit(next) => {
                    prop_assert!(here.is_ok(), "refused {here:?} at {micros}");
                    arrival = Some(next);
                }
                Verdict::Wait(_) if here.is_ok() => pace.give_back(&uid(1), burst),
                Verdict::Wait(_) => {}
            }
        }
    }
}
