//! Old months of a ledger are closed in pages, and whatever is asked meanwhile or afterwards is answered as before.

mod killed;

use crate::{
    migration::{everything, moved, opened},
    outages::{EVERYTHING_SAVED, keeps_left},
    support::{
        redis::Redis,
        tcp_proxy::{Proxy, Wire},
        wait::until,
    },
    world::{MARCH, World, key, terms},
};
use futures_util::future::join_all;
use rembg_gateway::{
    config::{Config, StoreConfig},
    domain::{
        account::Uid,
        credit::{Hold, Settlement},
        period::Counters,
        time::{Month, UnixMicros},
    },
    store::{self, ClosedPage, Fault, Opened, Store, Usage, close_all, sqlite::SqliteStore},
    stripe::reprocess::Reprocessor,
    telemetry::Metrics,
};
use std::{
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

/// The last month before [`MARCH`].
const FEBRUARY: Month = Month { year: 2026, month: 2 };

/// Pictures of each kind in March, and with the grants more than two pages in all.
const OF_EACH: u64 = 700;

/// All entries in March: three kinds of pictures, and grants.
const IN_MARCH: u64 = 3 * OF_EACH + 3;

const NO_PAUSE: Duration = Duration::ZERO;

/// When March may be closed.
fn eight_days_later() -> UnixMicros {
    UnixMicros(MARCH.end().micros().0 + 8 * 86_400_000_000)
}

/// An account with pictures of each kind in March.
async fn filled(world: &World, name: &str) -> Uid {
    let uid = world.account(name, 2 * OF_EACH, 0).await;
    for credits in [500, 300, 100] {
        world.store.grant(&uid, credits, &world.operation()).await.unwrap();
    }
    let id = format!("k|{name}: €");
    let (hash, stored) = key(&id, &uid);
    world.store.put_key(&hash, &stored).await.unwrap();
    for number in 0..OF_EACH / 70 {
        let some = (0..70 * 3)
            .map(|place| if (place + number) % 3 == 0 { world.key_request(&uid, &id) } else { world.request(&uid) });
        join_all(some.map(async |request| world.served(&request).await)).await;
    }
    assert_eq!(world.audited(&uid).await, IN_MARCH);
    uid
}

/// What callers are told of an account, but for its keys' use this month.
async fn told(store: &Arc<dyn Store>, uid: &Uid) -> (Usage, i64, usize) {
    let usage = store.usage(uid, Counters::Month(MARCH)).await.unwrap();
    let account = store.account(uid).await.unwrap().unwrap();
    (usage, account.prepaid, store.cycles(uid).await.unwrap().len())
}

async fn close(world: &World, uid: &Uid, through: Month) -> ClosedPage {
    world.store.close_page(uid, through).await.unwrap()
}

async fn close_everything(store: &Arc<dyn Store>) -> usize {
    let round = close_all(&Arc::downgrade(store), MARCH, NO_PAUSE).await.unwrap();
    assert_eq!(round.refused, 0);
    round.entries
}

/// The same store, opened once more, where a test can.
async fn another(world: &World) -> Arc<dyn Store> {
    match &world.server {
        Some(server) => server.open(world.clock()).await,
        None if world.file().exists() => Arc::new(SqliteStore::open(&world.file(), world.clock(), terms()).unwrap()),
        None => Arc::clone(&world.store),
    }
}

pub(crate) async fn a_month_is_closed_page_by_page_and_every_audit_is_exact(world: &World) {
    let uid = filled(world, "42").await;
    let before = told(&world.store, &uid).await;
    assert_eq!(before.0.app + before.0.api + u64::try_from(900 - before.1).unwrap(), 3 * OF_EACH);
    world.turn_to(eight_days_later());
    let in_april = world.served(&world.request(&uid)).await;
    let mut pages = Vec::new();
    loop {
        assert_eq!(world.audited(&uid).await, IN_MARCH + 1);
        assert_eq!(told(&world.store, &uid).await, before);
        let page = close(world, &uid, MARCH).await;
        pages.push(page.entries);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [1_000, 1_000, 103]);
    assert_eq!((world.audited(&uid).await, told(&world.store, &uid).await), (IN_MARCH + 1, before));
    assert_eq!(close(world, &uid, MARCH).await, ClosedPage { entries: 0, more: false }, "nothing is left");
    // What happens afterwards starts from there.
    world.store.grant(&uid, 7, &world.operation()).await.unwrap();
    world.served(&world.key_request(&uid, "k|42: €")).await;
    assert_eq!(world.kept(&in_april).await.settlement, Settlement::Kept);
    assert_eq!(world.audited(&uid).await, IN_MARCH + 3);
    assert_eq!(world.store.audit(&uid).await.unwrap().not_integers, []);
}

pub(crate) async fn a_number_of_a_closed_month_can_be_mended(world: &World) {
    let uid = world.account("42", 9, 5).await;
    world.served(&world.request(&uid)).await;
    world.turn_to(eight_days_later());
    assert_eq!(close(world, &uid, MARCH).await, ClosedPage { entries: 2, more: false });
    for (number, value) in [("app_usage:2026:3", 4), ("prepaid", 3), ("app_usage:2026:3", 1)] {
        world.store.mend(&uid, number, value, &world.operation()).await.unwrap();
        world.audited(&uid).await;
    }
    assert_eq!((world.usage(&uid, MARCH).await.app, world.prepaid(&uid).await), (1, 3));
}

pub(crate) async fn a_month_stays_open_for_eight_days_whatever_a_gateways_clock_says(world: &World) {
    let uid = world.account("42", 9, 5).await;
    world.turn_to(UnixMicros(eight_days_later().0 - 1));
    let refused = world.store.close_page(&uid, MARCH).await;
    assert!(matches!(refused, Err(Fault::Unusable(_))), "{refused:?}");
    assert_eq!(close(world, &uid, FEBRUARY).await, ClosedPage { entries: 0, more: false });
    assert_eq!(world.audited(&uid).await, 1);
    world.turn_to(eight_days_later());
    assert_eq!(close(world, &uid, MARCH).await, ClosedPage { entries: 1, more: false });
    assert_eq!(world.audited(&uid).await, 1);
}

/// Makes the store forget how operations ended, as it does after some days.
async fn forget_the_settled(world: &World, uid: &Uid) {
    if let Some(server) = &world.server {
        let names: Vec<String> = server.by_hand(&["KEYS", &format!("user:{uid}:kept:*")]);
        for name in names {
            server.by_hand::<()>(&["DEL", &name]);
        }
    }
    // The embedded engine forgets with a commit; a Cluster goes by its own clock, and remembers.
    world.store.ping().await.unwrap();
}

pub(crate) async fn a_keep_for_a_closed_month_is_refused_and_nothing_counts_twice(world: &World) {
    let (uid, other) = (world.account("42", 9, 0).await, world.account("43", 9, 0).await);
    world.turn_to(UnixMicros(MARCH.end().micros().0 - 1));
    let counted = world.served(&world.request(&uid)).await;
    let (late, missing) = (world.held(&world.request(&uid)).await, world.held(&world.request(&uid)).await);
    let of_other = world.held(&world.request(&other)).await;
    // As late as it may be, it counts.
    world.turn_to(UnixMicros(eight_days_later().0 - 1));
    assert_eq!(world.kept(&late).await.settlement, Settlement::Kept);
    world.turn_to(eight_days_later());
    forget_the_settled(world, &uid).await;
    assert_eq!(close(world, &uid, MARCH).await, ClosedPage { entries: 2, more: false });
    let used = world.usage(&uid, MARCH).await;
    assert_eq!(used, Usage { app: 2, api: 0 });
    for (hold, was_counted) in [(&missing, false), (&counted, true), (&missing, false)] {
        let answer = world.store.keep(hold).await;
        let refused = matches!(&answer, Err(Fault::NotFound(words)) if words.contains("2026:3 is closed"));
        let remembered = was_counted && matches!(&answer, Ok(kept) if kept.settlement == Settlement::Kept);
        assert!(refused || remembered, "{answer:?}");
    }
    assert_eq!((world.usage(&uid, MARCH).await, world.audited(&uid).await), (used, 2));
    // Others in the same call are counted; the other account has nothing that was closed.
    let present = world.held(&world.request(&uid)).await;
    let [refused, kept, of_other] =
        [&missing, &present, &of_other].map(async |hold| world.store.keep(hold).await.map(|kept| kept.settlement));
    let (refused, kept, of_other) = futures_util::join!(refused, kept, of_other);
    assert!(matches!(refused, Err(Fault::NotFound(_))), "{refused:?}");
    assert_eq!((kept.unwrap(), of_other.unwrap()), (Settlement::Kept, Settlement::Kept));
    assert_eq!((world.audited(&uid).await, world.audited(&other).await), (3, 1));
}

pub(crate) async fn two_gateways_that_close_at_once_close_everything_once(world: &World) {
    let (uid, second) = (filled(world, "42").await, world.account("43", 9, 5).await);
    let before = told(&world.store, &uid).await;
    world.turn_to(eight_days_later());
    let other = another(world).await;
    let is_over = AtomicBool::new(false);
    let closing = async {
        let (here, there) = futures_util::join!(close_everything(&world.store), close_everything(&other));
        is_over.store(true, Ordering::Relaxed);
        here + there
    };
    let served = async {
        let mut served = 0;
        while !is_over.load(Ordering::Relaxed) && served < 600 {
            world.served(&world.key_request(&uid, "k|42: €")).await;
            served += 1;
        }
        served
    };
    let audits = async {
        while !is_over.load(Ordering::Relaxed) {
            let entries = world.audited(&uid).await;
            assert!(entries >= IN_MARCH, "{entries}");
        }
    };
    let (closed, served, ()) = futures_util::join!(closing, served, audits);
    assert_eq!(u64::try_from(closed).unwrap(), IN_MARCH + 1);
    let (usage, prepaid, cycles) = told(&world.store, &uid).await;
    assert_eq!((usage, cycles), (before.0, before.2));
    assert!(prepaid <= before.1);
    assert_eq!((world.audited(&uid).await, world.audited(&second).await), (IN_MARCH + served, 1));
    assert_eq!(world.store.all_closed().await.unwrap(), Some(MARCH));
    assert_eq!(close_everything(&other).await, 0, "it is known to be done");
}

async fn moves_in_the_middle_and_afterwards(first: World, second: World, third: World) {
    let uid = filled(&first, "42").await;
    let missing = first.held(&first.request(&uid)).await;
    for world in [&first, &second, &third] {
        world.turn_to(eight_days_later());
    }
    assert!(close(&first, &uid, MARCH).await.more);
    let before = told(&first.store, &uid).await;
    let stores = [opened(&first).await, opened(&second).await, opened(&third).await];
    let original = everything(&stores[0]).await;
    let done = moved(&stores[0], &stores[1]).await;
    assert_eq!((done.problems.as_slice(), done.ledger_entries), (&[][..], IN_MARCH - 1_000));
    assert_eq!(everything(&stores[1]).await, original);
    assert_eq!(moved(&stores[0], &stores[1]).await, done, "again, nothing changes");
    assert_eq!((told(&second.store, &uid).await, second.audited(&uid).await), (before, IN_MARCH));

    let refused = second.store.keep(&missing).await;
    assert!(matches!(refused, Err(Fault::NotFound(_))), "{refused:?}");
    assert_eq!(u64::try_from(close_everything(&second.store).await).unwrap(), IN_MARCH - 1_000);
    assert_eq!(moved(&stores[0], &stores[1]).await.problems.len(), 1, "the target goes its own way");

    let original = everything(&stores[1]).await;
    let done = moved(&stores[1], &stores[2]).await;
    assert_eq!((done.problems.as_slice(), done.ledger_entries), (&[][..], 0));
    assert_eq!(everything(&stores[2]).await, original);
    third.served(&third.request(&uid)).await;
    assert_eq!((told(&third.store, &uid).await, third.audited(&uid).await), (before, IN_MARCH + 1));
    let refused = third.store.keep(&missing).await;
    assert!(matches!(refused, Err(Fault::NotFound(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_closed_month_moves_to_redis_and_back() {
    moves_in_the_middle_and_afterwards(World::sqlite(), World::redis().await, World::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_closed_month_moves_to_sqlite_and_back() {
    moves_in_the_middle_and_afterwards(World::redis().await, World::sqlite(), World::redis().await).await;
}

/// The gateway of this configuration.
async fn serving(world: &World, ledger_months: u64) -> Opened {
    let url = match &world.server {
        Some(server) => server.url(),
        None => format!("sqlite:{}", world.file().display()),
    };
    let store =
        StoreConfig { url, journal: world.journal(), ledger_months: Some(ledger_months), ..StoreConfig::default() };
    let (metrics, config) = (Metrics::new().unwrap().store(), Config { store, ..Config::default() });
    let events = Arc::new(Reprocessor::new(&config, world.clock()));
    store::open_to_serve(&config, world.clock(), metrics, events).await.unwrap()
}

async fn a_gateway_closes_what_it_need_not_keep(world: World) {
    let uid = world.account("42", 9, 5).await;
    world.turn_to(eight_days_later());
    world.store.grant(&uid, 1, &world.operation()).await.unwrap();
    let longer = serving(&world, 2).await;
    until("February is closed", async || world.store.all_closed().await.unwrap() == Some(FEBRUARY)).await;
    assert_eq!(close(&world, &uid, FEBRUARY).await.entries, 0, "there was nothing");
    drop(longer);
    let gateway = serving(&world, 1).await;
    until("March is closed", async || world.store.all_closed().await.unwrap() == Some(MARCH)).await;
    assert_eq!(close(&world, &uid, MARCH).await.entries, 0, "it is closed already");
    assert_eq!(world.audited(&uid).await, 2);
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_closes_what_it_need_not_keep_on_sqlite() {
    a_gateway_closes_what_it_need_not_keep(World::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_closes_what_it_need_not_keep_on_redis() {
    a_gateway_closes_what_it_need_not_keep(World::redis().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journals_keep_for_a_closed_month_is_quarantined() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = world.account("42", 9, 0).await;
    world.served(&world.request(&uid)).await;
    let missing: Hold = world.held(&world.request(&uid)).await;
    let Opened { metering, .. } = serving(&world, 1_200).await;
    world.turn_to(eight_days_later());
    assert_eq!(close(&world, &uid, MARCH).await, ClosedPage { entries: 1, more: false });
    world.server.as_mut().unwrap().kill();
    metering.keep(&missing).await.unwrap();
    assert_eq!(keeps_left(&world), 1);
    world.server.as_mut().unwrap().start_again().await;
    until("it is set aside", async || keeps_left(&world) == 0).await;
    until("the test's own store is back, too", async || world.store.ping().await.is_ok()).await;
    let aside = std::fs::read_to_string(world.journal().join("quarantine.jsonl")).unwrap();
    assert!(aside.contains(missing.id.0.as_str()));
    assert_eq!((metering.gauges().quarantined, world.audited(&uid).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_account_stands_in_the_way_of_is_done_for_the_others() {
    let world = World::redis().await;
    let (spoilt, other) = (world.account("42", 9, 5).await, world.account("43", 9, 5).await);
    let missing = world.held(&world.request(&spoilt)).await;
    world.turn_to(eight_days_later());
    let server = world.server.as_ref().unwrap();
    server.by_hand::<()>(&["DEL", "user:42:holds"]);
    server.by_hand::<()>(&["SET", "user:42:closed", "somebody else's"]);
    let round = close_all(&Arc::downgrade(&world.store), MARCH, NO_PAUSE).await.unwrap();
    assert_eq!((round.entries, round.refused), (1, 1));
    assert_eq!((world.store.all_closed().await.unwrap(), world.audited(&other).await), (None, 1));
    let keep = world.store.keep(&missing).await;
    assert!(matches!(&keep, Err(Fault::Unexpected(words)) if words.contains("user:42:closed")), "{keep:?}");
    server.by_hand::<()>(&["DEL", "user:42:closed"]);
    assert_eq!((close_everything(&world.store).await, world.audited(&spoilt).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_while_a_month_is_closed_has_lost_nothing_of_it() {
    let mut world = World::redis_with(&EVERYTHING_SAVED).await;
    let uid = filled(&world, "42").await;
    world.turn_to(eight_days_later());
    assert!(close(&world, &uid, MARCH).await.more);
    world.server.as_mut().unwrap().kill();
    assert!(matches!(world.store.close_page(&uid, MARCH).await, Err(Fault::Unavailable(_))));
    world.server.as_mut().unwrap().start_again().await;
    until("it is back", async || world.store.ping().await.is_ok()).await;
    assert_eq!(world.audited(&uid).await, IN_MARCH);
    assert_eq!(u64::try_from(close_everything(&world.store).await).unwrap(), IN_MARCH - 1_000);
    assert_eq!(world.audited(&uid).await, IN_MARCH);
}

/// A mend writes what the ledger lacks. If it missed entries that are closed while it reads, or read some twice, the next audit
/// would say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_added_up_exactly_by_whoever_reads_it_slower_than_it_is_closed() {
    let server = Redis::start(&["--appendonly", "no"]).await;
    let (world, proxy) = (World::at(&server.url()).await, Proxy::to(server.port).await);
    let slow = World::at(&proxy.redis_url()).await;
    // Everything is closed when it has read what is closed, or the first page, or knows that both belong together.
    for (name, has_read) in [("42", "cmdstat_hgetall:"), ("43", "cmdstat_xrange:"), ("44", "cmdstat_hget:calls=2,")] {
        world.turn_to(slow.now());
        let uid = filled(&world, name).await;
        let used = world.usage(&uid, MARCH).await.app.cast_signed();
        world.turn_to(eight_days_later());
        server.by_hand::<()>(&["CONFIG", "RESETSTAT"]);
        proxy.is_now(Wire::Slow(Duration::from_millis(200)));
        let mending = async {
            slow.store.mend(&uid, "app_usage:2026:3", used, &slow.operation()).await.unwrap();
        };
        let closing = async {
            until("the mend has begun to read", async || {
                server.by_hand::<String>(&["INFO", "commandstats"]).contains(has_read)
            })
            .await;
            while close(&world, &uid, MARCH).await.more {}
        };
        futures_util::join!(mending, closing);
        proxy.is_now(Wire::Whole);
        assert_eq!(world.audited(&uid).await, IN_MARCH, "{has_read}");
    }
}
