//! Slots, the line before them, and honest refusals.

use super::*;
use crate::domain::caller::Uid;
use proptest::prelude::*;

const MINUTE: Duration = Duration::from_mins(1);
const RECHECK: Duration = Duration::from_secs(5);

fn ann() -> Payer {
    Payer::Account(Uid::new("ann").expect("an id"))
}

fn ask<'a>(payer: &'a Payer, left: Duration, tried: &'a [usize]) -> Ask<'a> {
    Ask { payer, priority: 1, left, tried }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A desk where work is known to take `typical`.
fn desk(slots: &[usize], most_waiting: usize, typical: Duration) -> Desk<u32> {
    let mut desk = Desk::new(slots, most_waiting, RECHECK);
    desk.done(0, Some(typical));
    desk
}

#[test]
fn the_service_with_the_least_in_flight_is_next_and_none_gets_more_than_its_slots() {
    let mut desk = desk(&[2, 1, 2], 10, seconds(1));
    let ann = ann();
    for item in 0..7 {
        desk.enter(ask(&ann, MINUTE, &[]), item).expect("room in line");
    }
    let served: Vec<usize> = std::iter::from_fn(|| desk.serve()).map(|(_, at)| at).collect();
    assert_eq!(served, [0, 1, 2, 0, 2], "five slots, two in line");
    desk.done(1, None);
    assert_eq!(desk.serve(), Some((5, 1)));
    assert_eq!((desk.serve(), desk.waiting()), (None, 1));
}

#[test]
fn equal_services_take_turns() {
    let mut desk = desk(&[4, 4, 4], 10, seconds(1));
    let ann = ann();
    for turn in 0..6 {
        desk.enter(ask(&ann, MINUTE, &[]), turn).expect("a free slot");
        let (_, at) = desk.serve().expect("served");
        assert_eq!(at, turn as usize % 3);
        desk.done(at, None);
    }
}

#[test]
fn a_service_that_is_down_gets_nothing_and_one_that_failed_a_request_not_that_one() {
    let mut desk = desk(&[1, 1], 10, seconds(1));
    let ann = ann();
    desk.allow(0, 0);
    desk.enter(ask(&ann, MINUTE, &[]), 1).expect("the other is up");
    assert_eq!(desk.serve(), Some((1, 1)));
    desk.done(1, None);
    assert_eq!(desk.enter(ask(&ann, MINUTE, &[1]), 2), Err(RECHECK), "the only one that is up has failed it");
    desk.allow(0, 1);
    desk.enter(ask(&ann, MINUTE, &[1]), 3).expect("the first is back");
    assert_eq!(desk.serve(), Some((3, 0)));
    desk.allow(0, 0);
    desk.allow(1, 0);
    assert_eq!(desk.enter(ask(&ann, MINUTE, &[]), 4), Err(RECHECK), "nobody is up");
}

#[test]
fn a_request_that_cannot_be_served_in_time_is_told_at_once_and_honestly() {
    // Two slots, ten seconds each, both taken: (in line before, seconds left) and what is said.
    for (in_line, left, told) in [
        (0, 15, Ok(())),          // starts after 5 s on average, is done after 15
        (0, 14, Err(seconds(1))), // would be a second late
        (1, 20, Ok(())),
        (1, 12, Err(seconds(8))),
        (3, 30, Ok(())),
        (3, 10, Err(seconds(20))),
    ] {
        let mut desk = desk(&[2], 10, seconds(10));
        for item in 0..2 + in_line {
            desk.enter(ask(&ann(), 60 * MINUTE, &[]), item).expect("time enough");
            desk.serve();
        }
        let answer = desk.enter(ask(&ann(), seconds(left), &[]), 99).map(drop);
        assert_eq!(answer, told, "{in_line} in line, {left} s left");
    }
}

#[test]
fn nobody_is_refused_on_a_guess_or_while_a_slot_is_free() {
    let ann = ann();
    let mut unmeasured = Desk::new(&[1], 10, RECHECK);
    unmeasured.enter(ask(&ann, MINUTE, &[]), 1).expect("a free slot");
    unmeasured.serve();
    unmeasured.enter(ask(&ann, seconds(1), &[]), 2).expect("nothing is known of how long it takes");
    let mut slow = desk(&[1], 10, seconds(100));
    slow.enter(ask(&ann, seconds(1), &[]), 3).expect("or a slow service would never be measured again");
}

#[test]
fn a_full_line_refuses_with_the_time_that_it_will_take() {
    let mut desk = desk(&[2], 2, seconds(3));
    for item in 0..4 {
        desk.enter(ask(&ann(), MINUTE, &[]), item).expect("two slots, two places");
        desk.serve();
    }
    assert_eq!(desk.enter(ask(&ann(), MINUTE, &[]), 5), Err(seconds(6)), "four requests, two at once");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn slots_are_never_overdrawn_and_nobody_is_lost(
        slots in prop::collection::vec(0_usize..4, 1..4),
        steps in prop::collection::vec((0_u8..4, 0_usize..4), 0..120),
    ) {
        let mut desk: Desk<usize> = Desk::new(&slots, 16, RECHECK);
        let (mut joined, mut at_work, mut left) = (0, Vec::new(), 0);
        let mut places = Vec::new();
        for (step, number) in steps {
            match step {
                0 | 1 => {
                    if let Ok(place) = desk.enter(ask(&ann(), MINUTE, &[]), joined) {
                        joined += 1;
                        places.push(place);
                    }
                }
                2 if !at_work.is_empty() => desk.done(at_work.swap_remove(number % at_work.len()), None),
                _ => {
                    let before = desk.waiting();
                    places.pop().into_iter().for_each(|place| desk.leave(place));
                    left += before - desk.waiting();
                }
            }
            let before = desk.waiting();
            while let Some((_, at)) = desk.serve() {
                at_work.push(at);
                joined -= 1;
            }
            prop_assert_eq!(joined - left, desk.waiting(), "was {}", before);
            for (at, allowed) in slots.iter().enumerate() {
                prop_assert!(desk.in_flight(at) <= *allowed);
            }
        }
    }
}
