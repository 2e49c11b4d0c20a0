//! Calendar months: a request lands in the one in which it was admitted.

use crate::world::{MARCH, World, until_month_ends};
use rembg_gateway::{domain::time::UnixMicros, store::Usage};

pub(crate) async fn a_request_that_spans_midnight_lands_in_the_month_of_its_hold(world: &World) {
    let uid = world.account("42", 5, 0).await;
    world.turn_to(UnixMicros(MARCH.end().micros().0 - 30_000_000));
    let spanning = world.held(&world.key_request(&uid, "k1")).await;
    world.turn_to(MARCH.end().micros());
    world.kept(&spanning).await;
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 0, api: 1 });
    assert_eq!(world.usage(&uid, MARCH.next()).await, Usage::default());
    world.audited(&uid).await;
}

pub(crate) async fn a_new_month_brings_new_included_credits_and_the_same_prepaid_ones(world: &World) {
    let uid = world.account("42", 1, 2).await;
    world.served(&world.request(&uid)).await;
    world.served(&world.request(&uid)).await;
    world.turn(until_month_ends(world.now()));
    world.served(&world.request(&uid)).await;
    let last = world.held(&world.request(&uid)).await;
    world.kept(&last).await;
    assert_eq!(world.exhausted(&world.request(&uid)).await, until_month_ends(world.now()));
    assert_eq!(world.usage(&uid, MARCH).await.app, 1);
    assert_eq!(world.usage(&uid, MARCH.next()).await.app, 1);
    assert_eq!(world.audited(&uid).await, 4 + 1);
}

pub(crate) async fn an_open_hold_of_last_month_takes_nothing_from_this_one(world: &World) {
    let uid = world.account("42", 1, 0).await;
    world.turn_to(UnixMicros(MARCH.end().micros().0 - 30_000_000));
    let spanning = world.held(&world.request(&uid)).await;
    world.exhausted(&world.request(&uid)).await;
    world.turn_to(MARCH.end().micros());
    world.served(&world.request(&uid)).await;
    world.exhausted(&world.request(&uid)).await;
    world.kept(&spanning).await;
    assert_eq!((world.usage(&uid, MARCH).await.app, world.usage(&uid, MARCH.next()).await.app), (1, 1));
    world.audited(&uid).await;
}
