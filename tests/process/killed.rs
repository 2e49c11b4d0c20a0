//! After `kill -9` at any moment, exactly what was served is counted, and no file is left behind.

use crate::{
    backend::Manner,
    form::{Form, png},
    gateway::Installation,
    people::Person,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const CREDITS: u64 = 150;

/// One caller, who goes on until the gateway is killed and counts the pictures that arrive.
async fn call_until_killed(person: Person, served: Arc<AtomicUsize>) {
    loop {
        let person = person.clone();
        // Asking a gateway that has just been killed fails, which ends the task and not the test.
        let Ok(reply) = tokio::spawn(async move { person.cut(&Form::with_picture()).await }).await else { return };
        match reply.status {
            200 => served.fetch_add(1, Ordering::Relaxed),
            429 => return,
            other => panic!("{other}: {}", reply.error()),
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_served_is_counted_once_and_nobody_overshoots_however_often_it_is_killed() {
    let here = Installation::new().await;
    let key = here.customer("ann", CREDITS);
    let served = Arc::new(AtomicUsize::new(0));
    for round in 1..=4 {
        let serving = here.serve();
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            callers.spawn(call_until_killed(serving.person(&key), Arc::clone(&served)));
        }
        here.backend.has_seen(round * 20).await;
        serving.kill();
        callers.join_all().await;
    }
    let counted = here.json(&["usage", "ann"])["api"].as_u64().unwrap();
    let (arrived, asked) = (served.load(Ordering::Relaxed) as u64, here.backend.seen().len() as u64);
    assert!(arrived <= counted, "{arrived} arrived, {counted} counted: something served was free");
    assert!(counted <= asked, "{counted} counted, {asked} asked of the backend: something was charged twice");
    assert!(asked - arrived <= 4 * 8, "at most what was under way at a kill is in doubt");
    here.json(&["audit", "ann"]);

    // The leases of the killed gateways' holds end, and exactly the rest of the credits can be spent.
    let serving = here.serve();
    let person = serving.person(&key);
    let patience = Instant::now() + Duration::from_mins(1);
    let mut spent = counted;
    while spent < CREDITS {
        match person.cut(&Form::with_picture()).await.status {
            200 => spent += 1,
            429 => tokio::time::sleep(Duration::from_millis(100)).await,
            other => panic!("{other}"),
        }
        assert!(Instant::now() < patience, "holds are stuck: {spent} of {CREDITS} spent");
    }
    assert_eq!(person.cut(&Form::with_picture()).await.status, 429);
    assert_eq!(here.json(&["usage", "ann"])["api"].as_u64(), Some(CREDITS));
    here.json(&["audit", "ann"]);
}

#[tokio::test]
async fn a_killed_gateway_leaves_no_temporary_file() {
    let here = Installation::new().await;
    let key = here.customer("ann", 10);
    let serving = here.serve();
    here.backend.will(Manner::Wait);
    let mut file = png(4, 4);
    file.resize(6 << 20, 0);
    let person = serving.person(&key);
    let asking = tokio::spawn(async move { person.cut(&Form::empty().image("a.png", &file)).await });
    here.backend.has_seen(1).await;
    serving.kill();
    assert!(asking.await.is_err(), "the caller was cut off");
    assert_eq!(std::fs::read_dir(here.temporary()).unwrap().count(), 0);
}
