use super::*;
use crate::domain::{account::Overrides, credit::Channel};
use std::time::Duration;

const LEASE: Duration = Duration::from_mins(1);
const NOW: UnixMicros = UnixMicros(1_773_057_600_000_000);

fn grace(credits: u64) -> Grace {
    Grace::new(credits, Terms { renewal_grace: Duration::ZERO, default_plan: ("Free".into(), 0) })
}

fn account() -> Account {
    Account {
        uid: Uid::new("42").unwrap(),
        membership: "Free".into(),
        credits: 50,
        prepaid: 0,
        email_verified: true,
        overrides: Overrides::default(),
        billing_period: None,
    }
}

fn payer() -> Payer {
    Payer::Account(account().uid)
}

fn id(name: &str) -> OperationId {
    OperationId(name.into())
}

fn is_lent(grace: &Grace, name: &str, now: UnixMicros) -> bool {
    let draw = Draw::Account { uid: account().uid, channel: Channel::App, key: None };
    grace.lend(&HoldRequest { id: id(name), draw, burst: None, lease: LEASE }, &account(), now).is_some()
}

#[test]
fn what_is_given_back_can_be_lent_again() {
    let grace = grace(2);
    assert!(is_lent(&grace, "a", NOW) && is_lent(&grace, "b", NOW) && !is_lent(&grace, "c", NOW));
    assert!(is_lent(&grace, "a", NOW), "asked again");
    assert!(grace.give_back(&id("a"), &payer()));
    assert!(!grace.give_back(&id("a"), &payer()) && !grace.give_back(&id("unknown"), &payer()));
    assert!(is_lent(&grace, "c", NOW) && !is_lent(&grace, "d", NOW));
    assert_eq!(grace.total(), 3);
}

#[test]
fn a_lost_request_gives_its_credit_back_with_its_lease_but_a_spent_one_only_when_it_is_counted() {
    let grace = grace(2);
    assert!(is_lent(&grace, "lost", NOW) && is_lent(&grace, "served", NOW));
    grace.spent(&id("served"), &payer());
    grace.spent(&id("of the store's own"), &payer());
    let last = UnixMicros(NOW.plus(LEASE).0 - 1);
    assert!(!is_lent(&grace, "next", last));
    let later = NOW.plus(LEASE);
    assert!(is_lent(&grace, "next", later) && !is_lent(&grace, "one more", later));
    assert!(grace.give_back(&id("served"), &payer()));
    assert!(is_lent(&grace, "one more", later));
}

#[test]
fn nothing_is_left_of_who_owes_nothing() {
    let grace = grace(1);
    assert!(is_lent(&grace, "a", NOW));
    grace.give_back(&id("a"), &payer());
    assert!(grace.lent().is_empty());
}
