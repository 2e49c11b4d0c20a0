use super::*;
use proptest::prelude::*;

fn standing(credits: u64, used: u64, held_included: u64, prepaid: i64, held_prepaid: u64) -> Standing {
    Standing { credits, used, held_included, prepaid, held_prepaid }
}

#[test]
fn included_credits_are_spent_first_and_holds_count_as_spent() {
    for (standing, pool) in [
        (standing(1, 0, 0, 5, 0), Some(Pool::Included)),
        (standing(1, 1, 0, 5, 0), Some(Pool::Prepaid)),
        (standing(1, 0, 1, 5, 0), Some(Pool::Prepaid)),
        (standing(2, 1, 1, 5, 4), Some(Pool::Prepaid)),
        (standing(2, 1, 1, 5, 5), None),
        (standing(0, 0, 0, 0, 0), None),
        (standing(0, 0, 0, -1, 0), None),
        (standing(1, 7, 0, 0, 0), None),
        (standing(u64::MAX, u64::MAX, u64::MAX, i64::MAX, u64::MAX), None),
    ] {
        assert_eq!(standing.next_pool(), pool, "{standing:?}");
    }
}

#[test]
fn a_lease_is_worth_waiting_for_only_where_its_credit_could_be_spent() {
    for (standing, included, prepaid) in [
        (standing(1, 0, 1, 0, 0), true, false),
        (standing(1, 0, 1, 1, 1), true, true),
        (standing(1, 1, 0, 1, 1), false, true),
        (standing(1, 1, 1, 0, 1), false, false),
        (standing(0, 0, 0, 0, 0), false, false),
    ] {
        assert_eq!(standing.frees_with_a_lease(Pool::Included), included, "{standing:?}");
        assert_eq!(standing.frees_with_a_lease(Pool::Prepaid), prepaid, "{standing:?}");
    }
}

#[test]
fn what_remains_is_never_below_nothing() {}

proptest! {
    #[test]
    fn holding_while_there_is_a_pool_never_spends_more_than_there_is(
        credits in 0u64..20,
        prepaid in -3i64..20,
        steps in prop::collection::vec(0u8..4, 0..100),
    ) {
        let mut now = standing(credits, 0, 0, prepaid, 0);
        for step in steps {
            match (step, now.next_pool()) {
                (0 | 1, Some(Pool::Included)) => now.held_included += 1,
                (0 | 1, Some(Pool::Prepaid)) => now.held_prepaid += 1,
                (2, _) if now.held_included > 0 => (now.held_included, now.used) = (now.held_included - 1, now.used + 1),
                (2, _) if now.held_prepaid > 0 => (now.held_prepaid, now.prepaid) = (now.held_prepaid - 1, now.prepaid - 1),
                (3, _) if now.held_prepaid > 0 => now.held_prepaid -= 1,
                (3, _) if now.held_included > 0 => now.held_included -= 1,
                _ => {}
            }
            prop_assert!(now.used + now.held_included <= credits);
            prop_assert!(now.prepaid >= prepaid.min(0));
            prop_assert!(i64::try_from(now.held_prepaid).unwrap() <= now.prepaid.max(0));
        }
    }
}
