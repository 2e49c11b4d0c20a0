//! The documented names on a real Cluster; the suite itself runs there too (`main.rs`).

use crate::{
    support::redis::cluster::Cluster,
    world::{MARCH, World},
};
use rembg_gateway::domain::{period::BillingPeriod, time::UnixSeconds};

/// Three primaries with nothing on them.
pub(crate) struct Empty(Cluster);

impl Empty {
    pub(crate) async fn start() -> Self {
        Self(Cluster::start(0).await)
    }

    /// A store on it, after everything there is deleted.
    pub(crate) async fn world(&self) -> World {
        for node in &self.0.nodes {
            node.say::<()>(&["FLUSHALL"]).unwrap();
        }
        World::at(&self.0.url()).await
    }

    /// Asks every primary; the one that has the key answers.
    fn by_hand(&self, words: &[&str]) -> Option<String> {
        self.0.nodes.iter().find_map(|node| node.say::<Option<String>>(words).ok()).unwrap()
    }
}

/// The braces of account ids stay in the documented names, and keep one account in one slot.
pub(crate) async fn names_keep_their_braces(cluster: &Empty) {
    let world = cluster.world().await;
    let uid = world.account("42", 1, 1).await;
    world.served(&world.key_request(&uid, "k1")).await;
    let (start, end) = (UnixSeconds(1_772_000_000), UnixSeconds(1_774_268_612));
    let period = [("billing_period_start", start), ("billing_period_end", end)]
        .map(|(name, at)| [name, &at.0.to_string()].map(str::to_owned));
    for [name, at] in &period {
        cluster.by_hand(&["EVAL", "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])", "1", "user:{42}", name, at]);
    }
    assert_eq!(world.store.account(&uid).await.unwrap().unwrap().billing_period, Some(BillingPeriod::new(start, end)));
    world.served(&world.request(&uid)).await;
    for (name, value) in [
        ("user:{42}:api_usage:2026:3", "1"),
        ("user:{42}:app_usage:cycle:1772000000", "1"),
        ("user:{42}:app_usage:2026:3", "1"),
        ("user:{42}:key_usage:k1:2026:3", "1"),
    ] {
        assert_eq!(cluster.by_hand(&["GET", name]).as_deref(), Some(value), "{name}");
    }
    assert_eq!(world.usage(&uid, MARCH).await.app, 1);
    world.audited(&uid).await;
}
