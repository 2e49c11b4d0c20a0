//! Many requests at once: no account overshoots, and no credit is lost.

use crate::world::{MARCH, World};
use futures_util::future::join_all;
use rembg_gateway::{
    domain::{
        account::Uid,
        credit::{Admission, HoldRequest, Settlement},
    },
    store::{Store, Usage},
};
use std::sync::Arc;

/// Sends every request from a task of its own. Answers with their admissions.
async fn all_at_once(world: &World, requests: Vec<HoldRequest>) -> Vec<Admission> {
    let tasks = requests.into_iter().map(|request| {
        let store = Arc::clone(&world.store);
        tokio::spawn(async move { store.hold(&request).await.unwrap() })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

fn holds(admissions: &[Admission]) -> usize {
    admissions.iter().filter(|admission| matches!(admission, Admission::Held(..))).count()
}

pub(crate) async fn the_last_credit_is_spent_once(world: &World) {
    for (uid, credits, prepaid) in [("included", 1, 0), ("prepaid", 0, 1)] {
        let uid = world.account(uid, credits, prepaid).await;
        let admissions = all_at_once(world, (0..64).map(|_| world.request(&uid)).collect()).await;
        assert_eq!(holds(&admissions), 1, "one credit for 64 requests of {uid}");
    }
    let admissions = all_at_once(world, (0..64).map(|_| world.client_request("203.0.113.7", 1)).collect()).await;
    assert_eq!(holds(&admissions), 1, "one picture for 64 requests of a client");
}

pub(crate) async fn a_thousand_requests_share_a_hundred_credits(world: &World) {
    let uid = world.account("42", 60, 40).await;
    let tasks = (0..1_000).map(|_| {
        let (store, request) = (Arc::clone(&world.store), world.key_request(&uid, "k1"));
        tokio::spawn(async move {
            match store.hold(&request).await.unwrap() {
                Admission::Held(hold, _) => Some(store.keep(&hold).await.unwrap().settlement),
                Admission::Denied(_) | Admission::Settled(_) => None,
            }
        })
    });
    let kept: Vec<_> = join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(kept, [Settlement::Kept; 100]);
    assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 0, api: 60 });
    assert_eq!(world.prepaid(&uid).await, 0);
    assert_eq!(world.audited(&uid).await, 100 + 1, "one entry a picture, and the grant");
    assert_eq!(world.store.holds_open().await.unwrap(), 0);
}

pub(crate) async fn one_operation_held_many_times_at_once_takes_one_credit(world: &World) {
    let uid = world.account("42", 10, 0).await;
    let request = world.request(&uid);
    let admissions = all_at_once(world, vec![request; 32]).await;
    assert_eq!(holds(&admissions), 32, "every repeat is answered with the hold that stands");
    let taken = |admission: &Admission| match admission {
        Admission::Held(hold, _) => Some(hold.clone()),
        Admission::Denied(_) | Admission::Settled(_) => None,
    };
    assert!(admissions.iter().all(|admission| taken(admission) == taken(&admissions[0])));
    assert_eq!(world.store.holds_open().await.unwrap(), 1);
}

pub(crate) async fn keep_and_release_racing_agree_on_one_end(world: &World) {
    let uid = world.account("42", 100, 0).await;
    let mut kept = 0;
    for round in 0..16 {
        let hold = world.held(&world.request(&uid)).await;
        let ends = (0..8).map(|turn| {
            let (store, hold) = (Arc::clone(&world.store), hold.clone());
            tokio::spawn(async move {
                if (turn + round) % 2 == 0 {
                    store.keep(&hold).await.unwrap().settlement
                } else {
                    store.release(&hold.id, &hold.charge.payer()).await.unwrap()
                }
            })
        });
        let ends: Vec<_> = join_all(ends).await.into_iter().map(Result::unwrap).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "all should be told one end: {ends:?}");
        kept += u64::from(ends[0] == Settlement::Kept);
    }
    assert_eq!(world.usage(&uid, MARCH).await.app, kept);
    assert_eq!(world.audited(&uid).await, kept);
}

/// Two hundred requests at once, every other one by a second store on the same data, of an account with 50 credits. Answers
/// with the account.
pub(crate) async fn spend_fifty_credits_in_two_hundred_requests(world: &World, second: &Arc<dyn Store>) -> Uid {
    let uid = world.account("42", 40, 10).await;
    let tasks = (0..200).map(|turn| {
        let store = Arc::clone(if turn % 2 == 0 { &world.store } else { second });
        let request = world.request(&uid);
        tokio::spawn(async move {
            match store.hold(&request).await.unwrap() {
                Admission::Held(hold, _) => store.keep(&hold).await.unwrap().settlement == Settlement::Kept,
                Admission::Denied(_) | Admission::Settled(_) => false,
            }
        })
    });
    let served = join_all(tasks).await.into_iter().filter(|kept| *kept.as_ref().unwrap()).count();
    assert_eq!(served, 50);
    assert_eq!(world.audited(&uid).await, 50 + 1);
    uid
}
