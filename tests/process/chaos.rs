//! Backends fail in every way and clients vanish at every stage, and nothing is left behind.
//!
//! The test has a process to itself, so that it can count descriptors and tasks.

use crate::support::{
    alone::is_alone,
    backend::Manner,
    form::{Form, png},
    people::Person,
    rawsocket::Raw,
    world::World,
};
use std::{fs, time::Duration};
use tokio::{runtime::Handle, task::JoinSet};

/// Ways to fail.
fn failures() -> [Manner; 7] {
    let answers = |status, body| Manner::Answer { status, content_type: "text/plain", body };
    [
        answers(500, b"Internal Server Error".to_vec()),
        answers(503, Vec::new()),
        answers(200, vec![7; 9 << 20]), // longer than is read
        Manner::Close,
        Manner::HalfAnAnswer,
        Manner::Garbage,
        Manner::Hang,
    ]
}

/// The stage at which a client closes its connection.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    AfterTheHead,
    HalfWay,
    BeforeTheAnswer,
    DuringTheAnswer,
}

/// Things that a process holds. The store's files do not count: it keeps a few readers once it has needed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    descriptors: usize,
    temporary_files: usize,
    tasks: usize,
}

impl Held {
    fn now() -> Self {
        let link = |entry: std::io::Result<fs::DirEntry>| fs::read_link(entry.ok()?.path()).ok();
        let links: Vec<String> = fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| Some(link(entry)?.to_string_lossy().into_owned()))
            .filter(|link| !link.contains("gateway.db"))
            .collect();
        Self {
            descriptors: links.len(),
            temporary_files: links.iter().filter(|link| link.ends_with("(deleted)")).count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        }
    }

    fn within(self, most: Self) -> bool {
        self.descriptors <= most.descriptors && self.temporary_files <= most.temporary_files && self.tasks <= most.tasks
    }
}

/// A picture that does not fit into the memory of one body, so that it goes through a file.
fn large() -> Form {
    let mut file = png(4, 4);
    file.resize(3 << 19, 0);
    Form::empty().image("large.png", &file)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_nothing_is_charged_held_or_left_behind() {
    if !is_alone("chaos::whatever_fails_nothing_is_charged_held_or_left_behind") {
        return;
    }
    let world = World::with(|config| {
        config.backend.timeout_s = 5;
        config.backend.check_interval_s = 600;
        config.limits.max_answer = rembg_gateway::config::Bytes(8 << 20);
    })
    .await;
    let ann = world.customer("ann", 1_000).await;
    let key = ann.headers[0].1.clone();
    assert_eq!(ann.cut(&large()).await.status, 200);
    drop(ann);
    let before = at_rest(|_| true).await;

    let mut charged = 1;
    for manner in failures() {
        world.backend.will(manner.clone());
        let statuses = three_at_once(&world, &key).await;
        assert!(statuses.iter().all(|status| [502, 504].contains(status)), "{manner:?}: {statuses:?}");
    }
    world.backend.will(Manner::Trickle);
    assert_eq!(three_at_once(&world, &key).await, [200; 3], "slow, but whole");
    charged += 3;
    for leaves in [Leaves::AfterTheHead, Leaves::HalfWay, Leaves::BeforeTheAnswer, Leaves::DuringTheAnswer] {
        for _ in 0..3 {
            vanish(&world, &key, leaves).await;
        }
    }
    // These three clients have got a part of a picture, and have paid for it.
    charged += 3;

    world.nothing_held().await;
    let after = at_rest(|held| held.within(before)).await;
    assert!(after.within(before), "{before:?} before, {after:?} after");
    let ann = Person::with_key(world.app.public, &key);
    assert_eq!(ann.used().await, charged);
    world.audited("ann").await;
    for kind in ["memory", "disk"] {
        let used = world.metric(&format!(r#"rgw_body_budget_used_bytes{{kind="{kind}"}}"#)).await;
        assert!(used < 1.0, "{used} bytes of {kind} are still taken");
    }
    assert!(world.metric("rgw_queue_length ").await < 0.5);
    assert!(world.metric(&format!("rgw_backend_in_flight{{backend=\"{}\"}}", world.backend.url())).await < 0.5);
    world.backend.will(Manner::picture());
    assert_eq!(ann.cut(&large()).await.status, 200, "and it goes on");
}

async fn three_at_once(world: &World, key: &str) -> Vec<u16> {
    let mut asking = JoinSet::new();
    for _ in 0..3 {
        let ann = Person::with_key(world.app.public, key);
        asking.spawn(async move { ann.cut(&large()).await.status });
    }
    asking.join_all().await
}

async fn vanish(world: &World, key: &str, leaves: Leaves) {
    let body = large().body();
    let seen = world.backend.seen().len();
    world.backend.will(match leaves {
        Leaves::DuringTheAnswer => Manner::Answer { status: 200, content_type: "image/png", body: vec![7; 7 << 20] },
        Leaves::AfterTheHead | Leaves::HalfWay | Leaves::BeforeTheAnswer => Manner::Hang,
    });
    let mut client = Raw::connect(world.app.public).await;
    let head = format!(
        "POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        Form::content_type(),
        body.len()
    );
    client.send(&head).await;
    match leaves {
        Leaves::AfterTheHead => {}
        Leaves::HalfWay => client.send_bytes(&body[..body.len() / 2]).await,
        Leaves::BeforeTheAnswer => {
            client.send_bytes(&body).await;
            world.backend.has_seen(seen + 1).await;
        }
        Leaves::DuringTheAnswer => {
            client.send_bytes(&body).await;
            let head = client.head().await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        }
    }
}

/// Waits until the things held are `enough` and do not change any more, or for half a minute. Answers with them.
async fn at_rest(enough: impl Fn(Held) -> bool) -> Held {
    let mut last = Held::now();
    let mut calm = 0;
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = Held::now();
        calm = if now == last { calm + 1 } else { 0 };
        last = now;
        // This is longer than unused connections to the backend are kept.
        if enough(now) && calm >= 50 {
            break;
        }
    }
    last
}
