//! The queue before the backend: accounts take turns, its length is bounded, and refusals say when to come back.

use crate::{
    backend::Manner,
    form::{Form, png},
    people::Reply,
    world::World,
};
use rembg_gateway::{
    domain::{
        account::{Overrides, Uid},
        plan::Plan,
    },
    store::AccountChange,
};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A gateway whose backend takes one picture at a time and answers when it is told to.
async fn one_at_a_time() -> World {
    let world = World::with(|config| config.backend.concurrency = 1).await;
    world.backend.will(Manner::Wait);
    world
}

async fn in_line(world: &World, requests: u32) {
    until(world, "rgw_queue_length ", requests).await;
}

async fn at_work(world: &World, requests: u32) {
    until(world, &format!("rgw_backend_in_flight{{backend=\"{}\"}}", world.backend.url()), requests).await;
}

async fn until(world: &World, metric: &str, requests: u32) {
    for _ in 0..1_000 {
        if (world.metric(metric).await - f64::from(requests)).abs() < 0.5 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{metric}never was {requests}");
}

fn ask(world: &World, person: &crate::people::Person, request_id: &str) -> JoinHandle<Reply> {
    ask_with(world, person, request_id, Form::with_picture())
}

fn ask_with(world: &World, person: &crate::people::Person, request_id: &str, form: Form) -> JoinHandle<Reply> {
    let person = person.clone().with("x-request-id", request_id);
    assert_eq!(person.base, world.app.public);
    tokio::spawn(async move { person.cut(&form).await })
}

#[tokio::test]
async fn one_accounts_many_requests_do_not_delay_anothers_one() {
    let world = one_at_a_time().await;
    let (ann, bob) = (world.customer("ann", 100).await, world.customer("bob", 100).await);
    let mut asking = vec![ask(&world, &ann, "ann")];
    world.backend.has_seen(1).await;
    for _ in 0..10 {
        asking.push(ask(&world, &ann, "ann"));
    }
    in_line(&world, 10).await;
    asking.push(ask(&world, &bob, "bob"));
    in_line(&world, 11).await;
    for _ in 0..12 {
        world.backend.let_one_go();
    }
    for one in asking {
        assert_eq!(one.await.unwrap().status, 200);
    }
    let turns = world.backend.seen();
    let bobs = turns.iter().position(|seen| seen.head.contains("x-request-id: bob\r\n")).unwrap();
    assert!(bobs <= 2, "behind the one at work and one in line, not the {bobs}th");
    assert_eq!((ann.used().await, bob.used().await), (11, 1));
}

#[tokio::test]
async fn a_plans_priority_gives_more_turns() {
    let first = AccountChange { plan: Some(("First".into(), 100)), ..unchanged("vip") };
    assert_eq!(turns_of_vip(first).await, [false, true, true, false, false], "both before the two that came earlier");
}

#[tokio::test]
async fn an_accounts_own_priority_goes_before_its_plans() {
    let own = |priority| Overrides { priority: Some(priority), ..Overrides::default() };
    let raised = AccountChange { overrides: own(255), ..unchanged("vip") };
    assert_eq!(turns_of_vip(raised).await, [false, true, true, false, false], "both before the two that came earlier");
    let lowered = AccountChange { plan: Some(("First".into(), 100)), overrides: own(0), ..unchanged("vip") };
    assert_eq!(turns_of_vip(lowered).await, [false, false, true, false, true], "by turns, whatever the plan");
}

fn unchanged(uid: &str) -> AccountChange {
    AccountChange::of(Uid::new(uid).unwrap())
}

/// Sends three requests of ann's and then two of vip's. Answers, in the order in which they are served, which are vip's.
async fn turns_of_vip(change: AccountChange) -> Vec<bool> {
    let world = World::with(|config| {
        config.backend.concurrency = 1;
        let plan = config.plans["Test"];
        config.plans.insert("First".into(), Plan { priority: 255, ..plan });
    })
    .await;
    world.backend.will(Manner::Wait);
    let (ann, vip) = (world.customer("ann", 100).await, world.customer("vip", 100).await);
    world.store.put_account(&change).await.unwrap();
    let mut asking = vec![ask(&world, &ann, "ann")];
    world.backend.has_seen(1).await;
    for (waiting, (person, name)) in
        [(&ann, "ann"), (&ann, "ann"), (&vip, "vip"), (&vip, "vip")].into_iter().enumerate()
    {
        asking.push(ask(&world, person, name));
        in_line(&world, u32::try_from(waiting).unwrap() + 1).await;
    }
    for _ in 0..5 {
        world.backend.let_one_go();
    }
    for one in asking {
        assert_eq!(one.await.unwrap().status, 200);
    }
    world.backend.seen().iter().map(|seen| seen.head.contains("x-request-id: vip\r\n")).collect()
}

#[tokio::test]
async fn a_full_line_is_503_at_once_and_nothing_is_held_for_it() {
    let world = World::with(|config| {
        config.backend.concurrency = 1;
        config.backend.waiting_per_slot = 2;
    })
    .await;
    world.backend.will(Manner::Wait);
    let ann = world.customer("ann", 100).await;
    let mut asking = vec![ask(&world, &ann, "served")];
    world.backend.has_seen(1).await;
    for _ in 0..2 {
        asking.push(ask(&world, &ann, "waits"));
    }
    in_line(&world, 2).await;
    let refused = ann.cut(&Form::with_picture()).await;
    assert_eq!((refused.status, refused.error().as_str()), (503, "The service is busy. Please retry shortly."));
    assert_eq!(refused.json()["code"], "queue_full");
    assert!(refused.header("retry-after").is_some());
    for _ in 0..3 {
        world.backend.let_one_go();
    }
    for one in asking {
        assert_eq!(one.await.unwrap().status, 200);
    }
    assert_eq!(ann.used().await, 3);
    world.nothing_held().await;
}

#[tokio::test]
async fn who_fills_the_line_keeps_nobody_else_out() {
    let world = World::with(|config| {
        config.backend.concurrency = 1;
        config.backend.waiting_per_slot = 2;
    })
    .await;
    world.backend.will(Manner::Wait);
    let (ann, bob) = (world.customer("ann", 100).await, world.customer("bob", 100).await);
    let mut anns = vec![ask(&world, &ann, "ann")];
    world.backend.has_seen(1).await;
    for waiting in 1..=2 {
        anns.push(ask(&world, &ann, "ann"));
        in_line(&world, waiting).await;
    }
    let bobs = ask(&world, &bob, "bob");
    let given_up = anns.pop().unwrap().await.unwrap();
    assert_eq!((given_up.status, given_up.error().as_str()), (503, "The service is busy. Please retry shortly."));
    assert_eq!(given_up.json()["code"], "queue_full");
    assert!(given_up.header("retry-after").is_some());
    for _ in 0..3 {
        world.backend.let_one_go();
    }
    assert_eq!(bobs.await.unwrap().status, 200);
    for one in anns {
        assert_eq!(one.await.unwrap().status, 200);
    }
    assert_eq!((ann.used().await, bob.used().await), (2, 1));
    world.nothing_held().await;
}

#[tokio::test]
async fn who_cannot_be_served_in_time_is_told_at_once_and_not_after_it() {
    let world = World::with(|config| {
        config.backend.concurrency = 1;
        config.backend.timeout_s = 5;
    })
    .await;
    let ann = world.customer("ann", 100).await;
    world.backend.will(Manner::Slow(Duration::from_millis(3_500)));
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "from now on it is known how long a picture takes");
    world.backend.will(Manner::Wait);
    let served = ask(&world, &ann, "served");
    world.backend.has_seen(2).await;
    let refused = ann.cut(&Form::with_picture()).await;
    assert_eq!(refused.status, 503, "while the one before it is still at work");
    assert_eq!(refused.json()["code"], "queue_full");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&seconds), "it would have been two seconds late, or a little more, not {seconds}");
    world.backend.let_one_go();
    assert_eq!(served.await.unwrap().status, 200);
    assert_eq!(ann.used().await, 2);
}

#[tokio::test]
async fn who_leaves_the_service_at_work_does_not_free_its_slot() {
    let world = one_at_a_time().await;
    let ann = world.customer("ann", 100).await;
    let leaves = ask(&world, &ann, "leaves");
    world.backend.has_seen(1).await;
    leaves.abort();
    world.nothing_held().await;
    let waits = ask(&world, &ann, "waits");
    in_line(&world, 1).await;
    assert_eq!(world.backend.seen().len(), 1, "the service is still at work on the first");
    world.backend.let_one_go();
    world.backend.let_one_go();
    assert_eq!(waits.await.unwrap().status, 200);
    assert_eq!(ann.used().await, 1);
}

#[tokio::test]
async fn who_leaves_before_the_service_has_all_of_it_frees_the_slot_and_the_service_gets_no_more() {
    let world = World::with(|config| {
        config.backend.concurrency = 1;
        config.backend.check_interval_s = 600;
        config.backend.timeout_s = 600;
    })
    .await;
    world.backend.will(Manner::Stall);
    let ann = world.customer("ann", 100).await;
    let mut file = png(4, 4);
    file.resize(16 << 20, 0);
    let leaves = ask_with(&world, &ann, "leaves", Form::empty().image("a.png", &file));
    at_work(&world, 1).await;
    leaves.abort();
    at_work(&world, 0).await;
    world.nothing_held().await;
    assert_eq!(ann.used().await, 0);
}

#[tokio::test]
async fn who_leaves_the_line_is_not_served_and_the_next_one_is() {
    let world = one_at_a_time().await;
    let ann = world.customer("ann", 100).await;
    let first = ask(&world, &ann, "first");
    world.backend.has_seen(1).await;
    let leaves = ask(&world, &ann, "leaves");
    in_line(&world, 1).await;
    leaves.abort();
    in_line(&world, 0).await;
    let last = ask(&world, &ann, "last");
    in_line(&world, 1).await;
    world.backend.let_one_go();
    world.backend.let_one_go();
    assert_eq!((first.await.unwrap().status, last.await.unwrap().status), (200, 200));
    assert!(world.backend.seen().iter().all(|seen| !seen.head.contains("leaves")));
    assert_eq!(ann.used().await, 2);
    world.nothing_held().await;
}
