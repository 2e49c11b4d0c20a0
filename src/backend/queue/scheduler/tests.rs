//! Tests of the slots, the queue for them, and the rejections.

use super::*;
use crate::domain::account::Uid;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_mins(1);
const RECHECK: Duration = Duration::from_secs(5);

/// The rejection if no service is up.
const DOWN: Rejection = Rejection { shortage: Shortage::BackendUnavailable, retry_after: RECHECK };

/// The rejection if a retry makes sense after so many seconds.
fn full<T>(seconds: u64) -> Result<T, Rejection> {
    Err(Rejection { shortage: Shortage::QueueFull, retry_after: Duration::from_secs(seconds) })
}

fn ann() -> Payer {
    Payer::Account(Uid::new("ann").expect("an id"))
}

/// A request that arrives at `now` and has so much time left.
fn at(now: Instant, payer: &Payer, left: Duration) -> Request<'_> {
    Request { payer, priority: 1, now, deadline: now + left, tried: &[], room: true }
}

fn roomy<T>(_: &T) -> Fit {
    Fit::Fits
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A scheduler for which work is known to take `typical`.
fn scheduler(slots: &[usize], most_waiting: usize, typical: Duration) -> Scheduler<u32> {
    let mut scheduler = Scheduler::new(slots, most_waiting, RECHECK);
    scheduler.done(0, Instant::now(), Some(typical));
    scheduler
}

#[test]
fn the_service_with_the_least_in_flight_is_next_and_none_gets_more_than_its_slots() {
    let (mut scheduler, ann, now) = (scheduler(&[2, 1, 2], 10, seconds(1)), ann(), Instant::now());
    for item in 0..7 {
        scheduler.enter(at(now, &ann, MINUTE), item).expect("a place in the queue");
    }
    let served: Vec<usize> = std::iter::from_fn(|| scheduler.serve(now, roomy)).map(|(_, at)| at).collect();
    assert_eq!(served, [0, 1, 2, 0, 2], "five slots, two in the queue");
    scheduler.done(1, now, None);
    assert_eq!(scheduler.serve(now, roomy), Some((5, 1)));
    assert_eq!((scheduler.serve(now, roomy), scheduler.waiting()), (None, 1));
}

#[test]
fn equal_services_take_turns() {
    let (mut scheduler, ann, now) = (scheduler(&[4, 4, 4], 10, seconds(1)), ann(), Instant::now());
    for turn in 0..6 {
        scheduler.enter(at(now, &ann, MINUTE), turn).expect("a free slot");
        let (_, service) = scheduler.serve(now, roomy).expect("served");
        assert_eq!(service, turn as usize % 3);
        scheduler.done(service, now, None);
    }
}

#[test]
fn a_service_that_is_down_gets_nothing_and_one_that_failed_a_request_does_not_get_it_again() {
    let (mut scheduler, ann, now) = (scheduler(&[1, 1], 10, seconds(1)), ann(), Instant::now());
    let failed_by_the_second = Request { tried: &[1], ..at(now, &ann, MINUTE) };
    scheduler.allow(0, 0);
    scheduler.enter(at(now, &ann, MINUTE), 1).expect("the other is up");
    assert_eq!(scheduler.serve(now, roomy), Some((1, 1)));
    scheduler.done(1, now, None);
    assert_eq!(scheduler.enter(failed_by_the_second, 2), Err(DOWN), "the only one that is up has failed it");
    scheduler.allow(0, 1);
    scheduler.enter(failed_by_the_second, 3).expect("the first is back");
    assert_eq!(scheduler.serve(now, roomy), Some((3, 0)));
    scheduler.allow(0, 0);
    scheduler.allow(1, 0);
    assert_eq!(scheduler.enter(at(now, &ann, MINUTE), 4), Err(DOWN), "no service is up");
}

#[test]
fn a_request_that_cannot_be_served_in_time_is_rejected_at_once_with_a_true_estimate() {
    // There are two slots, and work takes ten seconds. Each case has the number of waiting requests, the seconds since
    // both slots were taken, the seconds left, and the result.
    for (queued, since, left, told) in [
        (0, 0, 20, Ok(())),
        (0, 0, 19, full(1)),
        (0, 7, 13, Ok(())),
        (0, 7, 8, full(5)),
        (0, 30, 10, Ok(())), // longer than usual: they may end at any moment
        (1, 0, 20, Ok(())),
        (2, 0, 29, full(1)),
        (3, 7, 23, Ok(())),
        (3, 7, 3, full(20)),
    ] {
        let (mut scheduler, ann, start) = (scheduler(&[2], 10, seconds(10)), ann(), Instant::now());
        for item in 0..2 + queued {
            scheduler.enter(at(start, &ann, 60 * MINUTE), item).expect("time enough");
            scheduler.serve(start, roomy);
        }
        let answer = scheduler.enter(at(start + seconds(since), &ann, seconds(left)), 99).map(drop);
        assert_eq!(answer, told, "{queued} in the queue, {left} s left, {since} s later");
    }
}

#[test]
fn no_request_is_rejected_before_a_time_is_measured_or_while_a_slot_is_free() {
    let (ann, now) = (ann(), Instant::now());
    let mut unmeasured = Scheduler::new(&[1], 10, RECHECK);
    unmeasured.enter(at(now, &ann, MINUTE), 1).expect("a free slot");
    unmeasured.serve(now, roomy);
    unmeasured.enter(at(now, &ann, seconds(1)), 2).expect("nothing is known of how long it takes");
    let mut slow = scheduler(&[1], 10, seconds(100));
    slow.enter(at(now, &ann, seconds(1)), 3).expect("or a slow service would never be measured again");
}

#[test]
fn a_full_queue_rejects_with_the_time_that_it_will_take() {
    let (mut scheduler, ann, now) = (scheduler(&[2], 2, seconds(3)), ann(), Instant::now());
    for item in 0..4 {
        scheduler.enter(at(now, &ann, MINUTE), item).expect("two slots, two places");
        scheduler.serve(now, roomy);
    }
    assert_eq!(scheduler.enter(at(now, &ann, MINUTE), 5), full(6), "two rounds before it");
    assert_eq!(scheduler.enter(at(now + seconds(2), &ann, MINUTE), 5), full(4));
}

#[test]
fn a_payer_who_fills_the_queue_does_not_keep_others_out() {
    let (ann, bob, now) = (ann(), Payer::Account(Uid::new("bob").expect("an id")), Instant::now());
    let mut scheduler = scheduler(&[1], 3, seconds(3));
    for item in 0..4 {
        scheduler.enter(at(now, &ann, MINUTE), item).expect("a slot and three places");
        scheduler.serve(now, roomy);
    }
    assert!(scheduler.enter(at(now, &ann, MINUTE), 4).is_err());
    scheduler.enter(at(now, &bob, MINUTE), 10).expect("in place of ann's last");
    assert!(scheduler.enter(at(now, &bob, seconds(5)), 11).is_err(), "too late for it: no request is given up");
    assert!(scheduler.enter(at(now, &ann, MINUTE), 5).is_err());
    assert_eq!(scheduler.waiting(), 3);
    let served = std::iter::from_fn(|| {
        scheduler.done(0, now, None);
        scheduler.serve(now, roomy)
    });
    assert_eq!(served.map(|(item, _)| item).collect::<Vec<_>>(), [1, 10, 2]);
}

#[test]
fn a_request_whose_own_part_is_full_is_passed_over_and_one_for_which_there_is_no_room_at_all_is_not() {
    let (mut scheduler, ann, now) = (scheduler(&[4], 10, seconds(1)), ann(), Instant::now());
    for item in 0..3 {
        scheduler.enter(at(now, &ann, MINUTE), item).expect("four slots");
    }
    let own_part = |item: &u32| if *item == 0 { Fit::OthersMay } else { Fit::Fits };
    assert_eq!(scheduler.serve(now, own_part), Some((1, 0)));
    let full = |item: &u32| if *item == 0 { Fit::NobodyMay } else { Fit::Fits };
    assert_eq!(scheduler.serve(now, full), None, "the second does not overtake the first");
    assert_eq!(scheduler.serve(now, roomy).map(|(item, _)| item), Some(0));
}

#[test]
fn the_queue_for_room_is_as_long_as_the_queue_for_slots_and_says_which_one_is_short() {
    let (mut scheduler, ann, now) = (scheduler(&[9], 2, seconds(3)), ann(), Instant::now());
    let short = Request { room: false, ..at(now, &ann, MINUTE) };
    for item in 0..2 {
        scheduler.enter(short, item).expect("two places");
    }
    assert_eq!(scheduler.serve(now, |_| Fit::NobodyMay), None);
    let refused = scheduler.enter(short, 2).expect_err("the queue is full").shortage;
    assert_eq!(refused, Shortage::NoRoom, "nine slots are free");
    let fits = at(now, &ann, MINUTE);
    assert!(scheduler.enter(fits, 3).is_err(), "nor is there a place for a smaller one behind them");
    assert_eq!(scheduler.too_late(now, &[]).shortage, Shortage::NoRoom);
    assert_eq!(scheduler.too_late(now, &[0]).shortage, Shortage::QueueFull);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_queued_request_is_served_in_time_if_work_takes_as_long_as_before(
        slots in prop::collection::vec(1_usize..4, 1..3),
        arrivals in prop::collection::vec((0_u64..4, 1_u64..60), 1..60),
    ) {
        const WORK: u64 = 5;
        const HOPELESS: u64 = 0;
        let (ann, start) = (ann(), Instant::now());
        let mut scheduler = Scheduler::new(&slots, 1_000, RECHECK);
        scheduler.done(0, start, Some(seconds(WORK)));
        let mut at_work: Vec<(u64, usize, Instant)> = Vec::new();
        let mut arrivals = arrivals.into_iter().scan(0, |time, (pause, left)| {
            *time += pause;
            Some((*time, left))
        }).peekable();
        for second in 0..600 {
            let now = start + seconds(second);
            at_work.retain(|(end, service, since)| {
                let ends = *end == second;
                if ends {
                    scheduler.done(*service, *since, Some(seconds(WORK)));
                }
                !ends
            });
            let mut hand_out = |scheduler: &mut Scheduler<u64>| {
                while let Some((deadline, service)) = scheduler.serve(now, roomy) {
                    prop_assert!(deadline == HOPELESS || second + WORK <= deadline);
                    at_work.push((second + WORK, service, now));
                }
                Ok(())
            };
            hand_out(&mut scheduler)?;
            while let Some((_, left)) = arrivals.next_if(|(time, _)| *time == second) {
                // The request is accepted only if a slot is free at once: the time that work takes is not known yet.
                let deadline = if left < WORK { HOPELESS } else { second + left };
                let _ = scheduler.enter(at(now, &ann, seconds(left)), deadline);
                hand_out(&mut scheduler)?;
            }
        }
        prop_assert_eq!(scheduler.waiting(), 0);
    }

    #[test]
    fn slots_are_never_overdrawn_and_no_request_is_lost(
        slots in prop::collection::vec(0_usize..4, 1..4),
        steps in prop::collection::vec((0_u8..4, 0_usize..4), 0..120),
    ) {
        let (ann, now) = (ann(), Instant::now());
        let mut scheduler: Scheduler<usize> = Scheduler::new(&slots, 16, RECHECK);
        let (mut queued, mut at_work, mut places) = (0, Vec::new(), Vec::new());
        for (step, number) in steps {
            match step {
                0 | 1 => {
                    if let Ok(place) = scheduler.enter(at(now, &ann, MINUTE), number) {
                        queued += 1;
                        places.push(place);
                    }
                }
                2 if !at_work.is_empty() => scheduler.done(at_work.swap_remove(number % at_work.len()), now, None),
                _ => {
                    let before = scheduler.waiting();
                    places.pop().into_iter().for_each(|place| {
                        scheduler.leave(place);
                    });
                    queued -= before - scheduler.waiting();
                }
            }
            while let Some((_, service)) = scheduler.serve(now, roomy) {
                at_work.push(service);
                queued -= 1;
            }
            prop_assert_eq!(queued, scheduler.waiting());
            for (service, allowed) in slots.iter().enumerate() {
                let at_work = at_work.iter().filter(|one| **one == service).count();
                prop_assert!(at_work <= *allowed && scheduler.in_flight(service) == at_work);
            }
        }
    }
}
