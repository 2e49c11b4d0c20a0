use super::*;
use crate::domain::{rate_limit::Verdict, time::UnixMicros};
use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

fn uid(number: usize) -> Uid {
    Uid::new(format!("user-{number}")).unwrap()
}

const BURST: Burst = Burst { per_minute: 60, size: 5 };

#[test]
fn a_flood_is_rejected_here_and_told_how_long_to_wait() {
    let clock = FakeRelativeClock::default();
    let account_limiter = AccountLimiter::with_clock(clock.clone());
    let through = (0..1_000).filter(|_| account_limiter.allow(&uid(1), BURST).is_ok()).count();
    assert_eq!(through, 5);
    let wait = account_limiter.allow(&uid(1), BURST).unwrap_err();
    assert_eq!(wait, Duration::from_secs(1), "as the store would say");
    assert!(account_limiter.allow(&uid(2), BURST).is_ok(), "somebody else");
    clock.advance(wait);
    assert!(account_limiter.allow(&uid(1), BURST).is_ok(), "after the wait");
}

#[test]
fn what_the_store_did_not_admit_is_given_back_and_nothing_more() {
    let account_limiter = AccountLimiter::with_clock(FakeRelativeClock::default());
    for _ in 0..100 {
        account_limiter.allow(&uid(1), BURST).expect("the last one was given back").give_back();
    }
    assert_eq!((0..100).filter(|_| account_limiter.allow(&uid(1), BURST).is_ok()).count(), 5);
}

#[test]
fn a_flood_that_goes_on_costs_the_store_two_calls_an_interval() {
    let clock = FakeRelativeClock::default();
    let account_limiter = AccountLimiter::with_clock(clock.clone());
    let (mut arrival, mut asked, mut admitted) = (None, 0, 0);
    for tick in 0..10_000 {
        if let Ok(passed) = account_limiter.allow(&uid(1), BURST) {
            asked += 1;
            match BURST.judge(arrival, UnixMicros(tick * 100_000)) {
                Verdict::Admit(next) => {
                    (arrival, admitted) = (Some(next), admitted + 1);
                    passed.counted(UnixMicros(tick * 100_000).until(next));
                }
                Verdict::Wait(retry_after) => passed.too_fast(retry_after),
            }
        }
        clock.advance(Duration::from_millis(100));
    }
    assert_eq!(admitted, 1_000 + 4, "one a second, and the burst");
    assert!(asked <= 2 * admitted + 5, "asked {asked} times for {admitted}");
}

#[test]
fn who_has_called_as_fast_as_allowed_for_long_is_not_told_to_come_back_too_early() {
    let burst = Burst { per_minute: 6, size: 2 };
    let clock = FakeRelativeClock::default();
    let account_limiter = AccountLimiter::with_clock(clock.clone());
    let (mut arrival, mut now) = (None, UnixMicros(0));
    for call in 0..40 {
        if call > 1 {
            clock.advance(Duration::from_secs(10));
            now = now.plus(Duration::from_secs(10));
        }
        let passed = account_limiter.allow(&uid(1), burst).expect("as the store would");
        let Verdict::Admit(next) = burst.judge(arrival, now) else { panic!("the store refused call {call}") };
        passed.counted(now.until(next));
        arrival = Some(next);
    }
    assert_eq!(burst.judge(arrival, now), Verdict::Wait(Duration::from_secs(10)));
    assert_eq!(account_limiter.allow(&uid(1), burst).unwrap_err(), Duration::from_secs(10));
}

#[test]
fn a_raised_plan_unblocks_at_once() {
    let account_limiter = AccountLimiter::with_clock(FakeRelativeClock::default());
    while account_limiter.allow(&uid(1), BURST).is_ok() {}
    assert!(account_limiter.allow(&uid(1), Burst { per_minute: 600, size: 100 }).is_ok());
}

#[test]
fn memory_is_bounded_and_whoever_does_not_fit_is_left_to_the_store() {
    let clock = FakeRelativeClock::default();
    let account_limiter = AccountLimiter::with_clock(clock.clone());
    let many = ACCOUNTS + 3 * usize::try_from(SWEEP_EVERY).unwrap();
    for account in 0..many {
        let _passed = account_limiter.allow(&uid(account), BURST).expect("the first request of an account");
    }
    let remembered = |account_limiter: &AccountLimiter<FakeRelativeClock>| {
        account_limiter.by_limit.read().unwrap().values().map(|limit| limit.limiter.len()).sum::<usize>()
    };
    assert!(
        remembered(&account_limiter) < ACCOUNTS + usize::try_from(SWEEP_EVERY).unwrap(),
        "{}",
        remembered(&account_limiter)
    );

    clock.advance(Duration::from_mins(1));
    for _ in 0..SWEEP_EVERY {
        let _either = account_limiter.allow(&uid(0), BURST);
    }
    assert!(remembered(&account_limiter) <= 1, "those at rest are forgotten: {}", remembered(&account_limiter));
    let flood = (0..100).filter(|_| account_limiter.allow(&uid(0), BURST).is_ok()).count();
    assert!(flood < 100, "there is room again, so a flood is noticed");
}

#[test]
fn limits_of_ones_own_are_bounded_too() {
    let account_limiter = AccountLimiter::with_clock(FakeRelativeClock::default());
    let most = u32::try_from(LIMITS).unwrap();
    for size in 1..most + 100 {
        let _passed = account_limiter.allow(&uid(1), Burst { per_minute: 1, size }).expect("a fresh bucket");
    }
    assert_eq!(account_limiter.by_limit.read().unwrap().len(), LIMITS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The store as the reference: asked at the same moments, on a clock that runs up to 1 % slow.
    #[test]
    fn nothing_is_refused_that_the_store_would_admit_and_the_wait_is_the_stores(
        per_minute in 1u32..5_000,
        size in 1u32..40,
        slow in prop_oneof![Just(0u64), 0u64..10],
        gaps in prop::collection::vec(prop_oneof![Just(0u64), 0u64..200_000, 0u64..80_000_000], 1..300),
    ) {
        let burst = Burst { per_minute, size };
        let clock = FakeRelativeClock::default();
        let account_limiter = AccountLimiter::with_clock(clock.clone());
        let (mut micros, mut arrival) = (0u64, None);
        for gap in gaps {
            micros += gap;
            clock.advance(Duration::from_micros(gap) * 1_000 / (1_000 + u32::try_from(slow).unwrap()));
            let here = account_limiter.allow(&uid(1), burst);
            let now = UnixMicros(i64::try_from(micros).unwrap());
            match (burst.judge(arrival, now), here) {
                (Verdict::Admit(next), here) => {
                    prop_assert!(here.is_ok(), "refused {here:?} at {micros}");
                    arrival = Some(next);
                    here.unwrap().counted(now.until(next));
                }
                (Verdict::Wait(retry_after), Ok(passed)) => passed.too_fast(retry_after),
                (Verdict::Wait(retry_after), Err(told)) => {
                    let exact = slow == 0;
                    prop_assert!(!exact || told >= retry_after, "told {told:?} of {retry_after:?} at {micros}");
                    prop_assert!(!exact || told <= retry_after + Duration::from_secs(1), "told {told:?} of {retry_after:?}");
                }
            }
        }
    }
}
