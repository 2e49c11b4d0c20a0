//! Gateways write again what a server has lost that was started anew.

use crate::{
    outages::{EVERYTHING_SAVED, NOTHING_SAVED, beside, journal_files, journal_text, keeps_left, serving, serving_all},
    support::wait::until,
    world::{MARCH, NOON, World, key},
};
use rembg_gateway::{
    config::Config,
    domain::{
        account::Uid,
        credit::{Admission, OperationId, Settlement},
    },
    store::{AccountChange, Fault, Store},
    stripe::{
        event::Event,
        intake::{Intake, Taken},
    },
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// A gateway that is slow to write again what it remembers is not overtaken by one that has nothing to write again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_no_gateway_admits_before_the_others_have_written_again_what_was_lost() {
    const USED: usize = 4_000;
    let mut world = World::redis_with(&NOTHING_SAVED).await;
    let uid = Uid::new("42").unwrap();
    let (busy, idle) = (serving(&world).await, serving(&world).await);
    // The busy gateway has the keeps, the idle one the account.
    let all =
        AccountChange { credits: Some(USED as u64), email_verified: Some(true), ..AccountChange::of(uid.clone()) };
    idle.put_account(&all).await.unwrap();
    for _ in 0..USED / 100 {
        let requests: Vec<_> = (0..100).map(|_| world.request(&uid)).collect();
        let spent = requests.iter().map(async |request| {
            let Admission::Held(hold, _) = busy.hold(request).await.unwrap() else { panic!("no hold") };
            busy.keep(&hold).await.unwrap()
        });
        futures_util::future::join_all(spent).await;
    }
    let server = world.server.as_mut().unwrap();
    server.kill();
    server.start_again().await;
    let request = world.request(&uid);
    let admission = loop {
        match idle.hold(&request).await {
            Err(Fault::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            admission => break admission.unwrap(),
        }
    };
    assert!(matches!(admission, Admission::Denied(_)), "{admission:?}");
    assert_eq!(world.usage(&uid, MARCH).await.app, USED as u64);
}

/// A gateway's intake of Stripe's events, with packs and without prices.
fn intake(world: &World, store: &Arc<dyn Store>) -> Intake {
    Intake::new(Arc::clone(store) as _, &Config::default(), world.clock())
}

/// A paid session for a pack of credits.
fn session(event: &str, payment: &str, uid: &Uid, credits: u64) -> Event {
    let object = json!({
        "id": format!("cs_{payment}"), "object": "checkout.session", "mode": "payment", "payment_status": "paid",
        "customer": "cus_1", "client_reference_id": uid, "payment_intent": format!("pi_{payment}"),
        "metadata": {"credits": credits.to_string()},
    });
    let event = json!({
        "id": event, "object": "event", "created": NOON.0, "type": "checkout.session.completed", "data": {"object": object},
    });
    Event::parse(event.to_string().as_bytes()).unwrap()
}

/// Each of two gateways writes again what it has done, and a command's writes are those of the gateway beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_and_stripe_have_done_comes_back_whichever_gateway_is_first() {
    for round in 0..4 {
        let mut world = World::redis_with(&NOTHING_SAVED).await;
        let (uid, late) = (world.account("42", 5, 0).await, Uid::new("43").unwrap());
        let (hash, stored) = key("k1", &uid);
        world.store.put_key(&hash, &stored).await.unwrap();
        let (one, other) = (serving_all(&world).await.engine, serving_all(&world).await.engine);
        world.server.as_ref().unwrap().by_hand::<()>(&["SAVE"]);
        let command = beside(&world).await;

        let taken = async |store: &Arc<dyn Store>, event: Event| {
            intake(&world, store).take(event, &mut Taken::default()).await.unwrap();
        };
        let (new_hash, new) = key("k2", &uid);
        one.put_key(&new_hash, &new).await.unwrap();
        assert!(other.revoke_key(&new.id).await.unwrap());
        assert!(command.revoke_key(&stored.id).await.unwrap());
        taken(&one, session("evt_1", "a", &uid, 100)).await;
        taken(&other, session("evt_2", "b", &uid, 20)).await;
        let grant = world.operation();
        assert_eq!(command.grant(&uid, 5, &grant).await.unwrap().prepaid, 125);
        // An account that is not in the snapshot is made again, as its last change has left it.
        let made = AccountChange { credits: Some(7), ..AccountChange::of(late.clone()) };
        one.put_account(&made).await.unwrap();
        one.put_account(&AccountChange { email_verified: Some(true), ..AccountChange::of(late.clone()) })
            .await
            .unwrap();
        other.grant(&late, 9, &world.operation()).await.unwrap();
        intake(&world, &one).move_to("pi_b", &late).await.unwrap();
        let before = [one.account(&uid).await.unwrap(), one.account(&late).await.unwrap()];
        drop(command);

        let server = world.server.as_mut().unwrap();
        server.kill();
        server.start_again().await;
        for store in [&one, &other, &world.store] {
            until("every store is back", async || store.ping().await.is_ok()).await;
        }
        let after = [one.account(&uid).await.unwrap(), one.account(&late).await.unwrap()];
        assert_eq!(after, before, "round {round}");
        assert_eq!((world.prepaid(&uid).await, world.prepaid(&late).await), (105, 29));
        for hash in [&hash, &new_hash] {
            let (key, _) = one.caller_of_key(hash).await.unwrap().unwrap();
            assert!(key.revoked.is_some(), "{key:?}");
        }
        assert!(one.grant(&uid, 5, &grant).await.unwrap().repeated);
        for uid in [&uid, &late] {
            world.audited(uid).await;
        }
    }
}

/// Nothing of this is promised without a replica or a disk: an operator may have to repeat it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_changed_on_an_account_that_is_still_there_is_lost_with_what_the_server_loses() {
    let mut world = World::redis_with(&NOTHING_SAVED).await;
    world.store = serving_all(&world).await.engine;
    let uid = world.account("42", 5, 0).await;
    world.server.as_ref().unwrap().by_hand::<()>(&["SAVE"]);
    let change = AccountChange { plan: Some(("Silver".into(), 30)), ..AccountChange::of(uid.clone()) };
    world.store.put_account(&change).await.unwrap();
    let server = world.server.as_mut().unwrap();
    server.kill();
    server.start_again().await;
    until("the store is back", async || world.store.ping().await.is_ok()).await;
    assert_eq!(world.store.account(&uid).await.unwrap().unwrap().credits, 5);
}

/// A gateway's journal outlives it and the server: what both had acknowledged comes back with the next gateway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_gateway_and_a_dead_server_had_acknowledged_comes_back_with_the_next_gateway() {
    let mut world = World::redis_with(&NOTHING_SAVED).await;
    world.store = serving_all(&world).await.engine;
    let uid = world.account("42", 5, 2).await;
    let kept = world.served(&world.request(&uid)).await;
    let client = world.served(&world.client_request("203.0.113.7", 3)).await;
    let released = world.held(&world.request(&uid)).await;
    world.released(&released).await;
    world.store = world.server.as_ref().unwrap().open(world.clock()).await;
    let server = world.server.as_mut().unwrap();
    server.kill();
    server.start_again().await;
    until("the store is back", async || world.store.ping().await.is_ok()).await;
    assert_eq!(world.store.account(&uid).await.unwrap(), None, "it has lost everything");
    world.store = serving_all(&world).await.engine;
    assert_eq!(world.usage(&uid, MARCH).await.app, 1);
    assert_eq!(world.audited(&uid).await, 2);
    for (hold, settlement) in
        [(&kept, Settlement::Kept), (&client, Settlement::Kept), (&released, Settlement::Released)]
    {
        assert_eq!(world.released(hold).await, settlement, "{hold:?}");
    }
    world.exhausted(&world.client_request("203.0.113.7", 1)).await;
}

/// After ten minutes an acknowledged keep's file is gone, and not before; one that is owed stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_journal_stay_for_ten_minutes_or_until_what_is_owed_is_taken() {
    let world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 5, 0).await;
    let gateway = serving(&world).await;
    let (kept, owed) = (world.held(&world.request(&uid)).await, world.held(&world.request(&uid)).await);
    gateway.keep(&kept).await.unwrap();
    world.server.as_ref().unwrap().kill();
    gateway.keep(&owed).await.unwrap();
    let tells_of = |id: &OperationId| journal_text(&world).contains(id.0.as_str());
    // The file is closed after a minute, and then stays for ten.
    world.turn(Duration::from_mins(2));
    until("another file is begun", async || journal_files(&world) == 2).await;
    world.turn(Duration::from_mins(9));
    assert!(tells_of(&kept.id) && tells_of(&owed.id));
    world.turn(Duration::from_mins(2));
    until("the old file is gone", async || !tells_of(&kept.id)).await;
    assert!(tells_of(&owed.id));
    world.server.as_ref().unwrap().start_again().await;
    until("it is taken", async || keeps_left(&world) == 0).await;
    until("nothing tells of it", async || {
        world.turn(Duration::from_secs(10));
        !tells_of(&owed.id)
    })
    .await;
    assert_eq!(world.audited(&uid).await, 2);
}
