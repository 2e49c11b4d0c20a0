//! hold, keep and release: each does one thing, and does it once.

use crate::world::{MARCH, World, client};
use rembg_gateway::{
    domain::{
        account::Uid,
        credit::{Admission, Charge, Denial, Hold, Kept, Payer, Pool, Settlement},
    },
    store::Usage,
};

fn pool(hold: &Hold) -> Pool {
    match &hold.charge {
        Charge::Account { pool, .. } => *pool,
        Charge::Client { .. } => panic!("{hold:?} should be an account's"),
    }
}

pub(crate) async fn included_credits_are_spent_before_prepaid_ones(world: &World) {
    let uid = world.account("42", 2, 2).await;
    for (expected, remaining) in [(Pool::Included, 3), (Pool::Included, 2), (Pool::Prepaid, 1), (Pool::Prepaid, 0)] {
        let hold = world.held(&world.request(&uid)).await;
        assert_eq!(pool(&hold), expected);
        let kept = world.kept(&hold).await;
        assert_eq!(kept, Kept { settlement: Settlement::Kept, remaining: Some(remaining) });
    }
    world.exhausted(&world.request(&uid)).await;
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 2, api: 0 }, "the counters hold included usage only");
    assert_eq!(world.prepaid(&uid).await, 0);
    assert_eq!(world.audited(&uid).await, 4 + 1);
}

pub(crate) async fn app_and_api_usage_draw_on_one_pool(world: &World) {
    let uid = world.account("42", 3, 0).await;
    world.served(&world.request(&uid)).await;
    world.served(&world.key_request(&uid, "k1")).await;
    world.served(&world.key_request(&uid, "k2")).await;
    world.exhausted(&world.request(&uid)).await;
    world.exhausted(&world.key_request(&uid, "k1")).await;
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 1, api: 2 });
}

pub(crate) async fn a_repeated_hold_is_the_same_hold(world: &World) {
    let uid = world.account("42", 1, 0).await;
    let request = world.request(&uid);
    let hold = world.held(&request).await;
    world.turn(request.lease / 2);
    assert_eq!(world.held(&request).await, hold);
    world.exhausted(&world.request(&uid)).await;
    world.kept(&hold).await;
    assert_eq!(world.ask(&request).await, Admission::Settled(Settlement::Kept));
}

pub(crate) async fn a_repeated_keep_counts_once(world: &World) {
    let uid = world.account("42", 5, 0).await;
    let hold = world.served(&world.request(&uid)).await;
    world.served(&world.request(&uid)).await;
    let repeated = world.kept(&hold).await;
    assert_eq!(repeated, Kept { settlement: Settlement::Kept, remaining: Some(3) }, "what remains is told as of now");
    assert_eq!(world.usage(&uid, MARCH).await.app, 2);
    assert_eq!(world.audited(&uid).await, 2);
}

pub(crate) async fn the_first_of_keep_and_release_wins(world: &World) {
    let uid = world.account("42", 5, 0).await;
    let kept = world.served(&world.request(&uid)).await;
    assert_eq!(world.released(&kept).await, Settlement::Kept);
    let released = world.held(&world.request(&uid)).await;
    assert_eq!(world.released(&released).await, Settlement::Released);
    assert_eq!(world.kept(&released).await, Kept { settlement: Settlement::Released, remaining: Some(4) });
    assert_eq!(world.released(&released).await, Settlement::Released);
    assert_eq!(world.usage(&uid, MARCH).await.app, 1);
    assert_eq!(world.audited(&uid).await, 1);
}

pub(crate) async fn a_release_gives_the_credit_back(world: &World) {
    let uid = world.account("42", 1, 1).await;
    for expected in [Pool::Included, Pool::Included] {
        let hold = world.held(&world.request(&uid)).await;
        assert_eq!(pool(&hold), expected);
        world.released(&hold).await;
    }
    world.held(&world.request(&uid)).await;
    let prepaid = world.held(&world.request(&uid)).await;
    world.exhausted(&world.request(&uid)).await;
    world.released(&prepaid).await;
    assert_eq!(pool(&world.served(&world.request(&uid)).await), Pool::Prepaid);
    world.audited(&uid).await;
}

pub(crate) async fn a_hold_that_comes_after_its_release_does_nothing(world: &World) {
    let uid = world.account("42", 1, 0).await;
    let late = world.request(&uid);
    let payer = Payer::Account(uid.clone());
    assert_eq!(world.store.release(&late.id, &payer).await.unwrap(), Settlement::Released);
    assert_eq!(world.ask(&late).await, Admission::Settled(Settlement::Released));
    assert_eq!(world.store.holds_open().await.unwrap(), 0);
    world.served(&world.request(&uid)).await;
}

pub(crate) async fn an_operation_id_belongs_to_its_payer(world: &World) {
    let (uid, other) = (world.account("42", 1, 0).await, world.account("43", 1, 0).await);
    let request = world.request(&uid);
    world.store.release(&request.id, &Payer::Account(other)).await.unwrap();
    world.store.release(&request.id, &client("42")).await.unwrap();
    world.served(&request).await;
}

pub(crate) async fn without_an_account_there_is_no_hold(world: &World) {
    let nobody = Uid::new("nobody").unwrap();
    assert_eq!(world.ask(&world.request(&nobody)).await, Admission::Denied(Denial::NoAccount));
    assert_eq!(world.store.holds_open().await.unwrap(), 0);
}
