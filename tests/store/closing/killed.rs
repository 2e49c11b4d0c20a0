//! A gateway that dies while it closes.

use super::{IN_MARCH, close_everything, eight_days_later, filled, told};
use crate::{
    support::{clock::TurnedClock, redis::Redis},
    world::World,
};
use rembg_gateway::{
    config::{Config, StoreConfig},
    store::{self, Store},
};
use std::{
    process::{Command, ExitStatus},
    sync::Arc,
};

/// Tells the helper which store to work on.
const STORE: &str = "STORE_TEST_CLOSING_STORE";

/// A process that closes everything until it comes to a failpoint.
fn closes_until(world: &World, point: &str) -> ExitStatus {
    let url = world.server.as_ref().map_or_else(|| format!("sqlite:{}", world.file().display()), Redis::url);
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "closing::killed::helper_that_dies", "--nocapture"])
        .env(STORE, url)
        .env("REMBG_GATEWAY_TEST_DIE_AT", point)
        .output()
        .unwrap()
        .status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started, and killed, by the tests below"]
async fn helper_that_dies() {
    let store = StoreConfig { url: std::env::var(STORE).unwrap(), ..StoreConfig::default() };
    let clock = TurnedClock::at(eight_days_later());
    let store: Arc<dyn Store> = store::open(&Config { store, ..Config::default() }, clock.clock()).await.unwrap();
    close_everything(&store).await;
}

async fn killed_at(world: World, deaths: &[(&str, usize)]) {
    let uid = filled(&world, "42").await;
    let before = told(&world.store, &uid).await;
    world.turn_to(eight_days_later());
    let mut left = usize::try_from(IN_MARCH).unwrap();
    for (point, closed) in deaths {
        assert!(!closes_until(&world, point).success(), "it dies at {point}");
        assert_eq!((world.audited(&uid).await, told(&world.store, &uid).await), (IN_MARCH, before), "{point}");
        assert_eq!(world.store.all_closed().await.unwrap(), None);
        left -= closed;
    }
    assert_eq!(close_everything(&world.store).await, left);
    assert_eq!((world.audited(&uid).await, told(&world.store, &uid).await), (IN_MARCH, before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_dies_while_it_closes_leaves_an_exact_ledger_on_sqlite() {
    let deaths = [("in_closing", 0), ("between_pages", 1_000), ("in_closing", 0), ("in_closing:2", 1_000)];
    killed_at(World::sqlite(), &deaths).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_dies_while_it_closes_leaves_an_exact_ledger_on_redis() {
    killed_at(World::redis().await, &[("between_pages", 1_000), ("between_pages", 1_000)]).await;
}
