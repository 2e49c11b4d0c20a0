//! A hold is a lease: its end gives the credit back, and settles nothing.

use crate::world::{LEASE, MARCH, World, until_month_ends};
use rembg_gateway::domain::{
    credit::{Admission, HoldRequest, Settlement},
    time::UnixMicros,
};
use std::time::Duration;

const A_MICROSECOND: Duration = Duration::from_micros(1);

pub(crate) async fn a_credit_is_free_again_when_its_lease_ends(world: &World) {
    let uid = world.account("42", 1, 0).await;
    let hold = world.held(&world.request(&uid)).await;
    world.turn_to(UnixMicros(hold.expires.0 - 1));
    assert_eq!(world.exhausted(&world.request(&uid)).await, A_MICROSECOND);
    world.turn(A_MICROSECOND);
    world.served(&world.request(&uid)).await;
}

pub(crate) async fn a_keep_after_its_lease_counts_once(world: &World) {
    let uid = world.account("42", 0, 1).await;
    let late = world.held(&world.request(&uid)).await;
    world.turn(LEASE);
    world.served(&world.request(&uid)).await;
    for _ in 0..2 {
        let kept = world.kept(&late).await;
        assert_eq!((kept.settlement, kept.remaining), (Settlement::Kept, Some(0)));
    }
    assert_eq!(world.prepaid(&uid).await, -1, "the overshoot is on the books");
    assert_eq!(world.audited(&uid).await, 3);
    world.exhausted(&world.request(&uid)).await;
}

pub(crate) async fn an_ended_lease_may_be_taken_again_under_its_id(world: &World) {
    let uid = world.account("42", 1, 0).await;
    let request = world.request(&uid);
    let first = world.held(&request).await;
    world.turn(LEASE);
    let second = world.held(&request).await;
    assert_eq!(second.taken, world.now(), "the lease begins anew");
    world.kept(&second).await;
    assert_eq!(world.kept(&first).await.settlement, Settlement::Kept);
    assert_eq!(world.usage(&uid, MARCH).await.app, 1, "one operation counts once");
    assert_eq!(world.ask(&request).await, Admission::Settled(Settlement::Kept));
}

pub(crate) async fn waiting_for_a_lease_is_advised_only_where_it_helps(world: &World) {
    let uid = world.account("42", 1, 1).await;
    let with_lease = |lease| HoldRequest { lease, ..world.request(&uid) };
    let (long, short) = (Duration::from_mins(9), Duration::from_mins(3));
    let included = world.held(&with_lease(long)).await;
    let prepaid = world.held(&with_lease(short)).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, short, "the earliest of the leases");
    world.kept(&prepaid).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, long);
    world.kept(&included).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, until_month_ends(world.now()));

    let month = until_month_ends(world.now()) + long;
    let other = world.account("43", 1, 0).await;
    world.held(&HoldRequest { lease: month, ..world.request(&other) }).await;
    let advised = world.exhausted(&world.request(&other)).await;
    assert_eq!(advised, until_month_ends(world.now()), "never beyond the window");
}

pub(crate) async fn holds_open_counts_no_ended_lease(world: &World) {
    let uid = world.account("42", 9, 0).await;
    let first = world.held(&world.request(&uid)).await;
    world.turn(LEASE / 2);
    world.held(&world.request(&uid)).await;
    world.held(&world.client_request("203.0.113.7", 1)).await;
    assert_eq!(world.store.holds_open().await.unwrap(), 3);
    world.turn_to(first.expires);
    assert_eq!(world.store.holds_open().await.unwrap(), 2);
}
