//! The short-term limit, and an anonymous client's day.

use crate::world::{LEASE, NOON, World, until_month_ends};
use rembg_gateway::domain::{
    api_key::KeyId,
    credit::{Admission, Channel, Denial, Draw, HoldRequest, KeyDraw, Remaining},
    rate_limit::Burst,
    time::UnixSeconds,
};
use std::time::Duration;

const TEN_A_MINUTE: Burst = Burst { per_minute: 10, size: 2 };
const INTERVAL: Duration = Duration::from_secs(6);

fn hurried(request: HoldRequest) -> HoldRequest {
    HoldRequest { burst: Some(TEN_A_MINUTE), ..request }
}

async fn assert_too_fast(world: &World, request: &HoldRequest, retry_after: Duration) {
    assert_eq!(world.ask(request).await, Admission::Denied(Denial::TooFast { retry_after }));
}

pub(crate) async fn a_denied_burst_moves_nothing(world: &World) {
    let uid = world.account("42", 9, 0).await;
    for _ in 0..2 {
        world.served(&hurried(world.request(&uid))).await;
    }
    let request = hurried(world.request(&uid));
    for _ in 0..3 {
        assert_too_fast(world, &request, INTERVAL).await;
    }
    assert_eq!(world.store.holds_open().await.unwrap(), 0);
    world.turn(INTERVAL);
    world.served(&request).await;
    assert_eq!(world.audited(&uid).await, 3);
}

pub(crate) async fn a_denied_quota_has_still_used_the_burst_and_says_so(world: &World) {
    let uid = world.account("42", 1, 0).await;
    world.served(&hurried(world.request(&uid))).await;
    let capped = capped(world, hurried(world.request(&uid)), "k1", 0);
    let none = |full_in| {
        let retry_after = until_month_ends(world.now());
        Admission::Denied(Denial::Exhausted { retry_after, full_in })
    };
    world.turn(Duration::from_secs(1));
    assert_eq!(world.ask(&world.request(&uid)).await, none(None));
    assert_eq!(world.ask(&hurried(world.request(&uid))).await, none(Some(Duration::from_secs(11))));
    assert_too_fast(world, &hurried(world.request(&uid)), Duration::from_secs(5)).await;
    world.turn(INTERVAL);
    assert_eq!(world.ask(&capped).await, none(Some(Duration::from_secs(11))), "for the key, too");
    let client = || hurried(world.client_request("203.0.113.7", 0));
    let Admission::Denied(Denial::Exhausted { full_in, .. }) = world.ask(&client()).await else {
        panic!("no pictures")
    };
    assert_eq!(full_in, Some(INTERVAL));
}

pub(crate) async fn a_repeat_takes_nothing_from_the_short_term_limit(world: &World) {
    let uid = world.account("42", 9, 0).await;
    let request = hurried(world.request(&uid));
    let hold = world.held(&request).await;
    for _ in 0..3 {
        assert_eq!(world.held(&request).await, hold);
    }
    world.held(&hurried(world.request(&uid))).await;
    assert_too_fast(world, &hurried(world.request(&uid)), INTERVAL).await;
}

pub(crate) async fn an_anonymous_day_has_its_limit_and_ends_at_midnight(world: &World) {
    let midnight = UnixSeconds(NOON.0 + 12 * 3600).micros();
    let ask = || world.client_request("203.0.113.7", 2);
    world.served(&ask()).await;
    let open = world.held(&ask()).await;
    assert_eq!(world.exhausted(&ask()).await, world.now().until(open.expires));
    world.kept(&open).await;
    assert_eq!(world.exhausted(&ask()).await, world.now().until(midnight));
    assert_eq!(world.exhausted(&world.client_request("203.0.113.8", 0)).await, world.now().until(midnight));
    world.turn_to(midnight);
    let late = world.held(&ask()).await;
    world.turn(Duration::from_hours(24));
    world.served(&ask()).await;
    world.kept(&late).await;
    world.served(&ask()).await;
    world.exhausted(&ask()).await;
}

pub(crate) async fn clients_share_nothing(world: &World) {
    for client in ["203.0.113.7", "203.0.113.70", "2001:db8::/64", "2001:db8:0:1::/64", "user:42"] {
        world.served(&hurried(world.client_request(client, 1))).await;
        world.exhausted(&hurried(world.client_request(client, 1))).await;
        assert_too_fast(world, &hurried(world.client_request(client, 1)), INTERVAL).await;
    }
    let uid = world.account("42", 1, 0).await;
    world.served(&hurried(world.request(&uid))).await;
}

/// A request of an account by a key with this cap.
fn capped(world: &World, request: HoldRequest, key: &str, cap: u64) -> HoldRequest {
    let Draw::Account { uid, .. } = request.draw else { panic!("an account's") };
    let key = Some(KeyDraw { id: KeyId(key.into()), monthly_cap: Some(cap) });
    HoldRequest { id: world.operation(), draw: Draw::Account { uid, channel: Channel::Api, key }, ..request }
}

pub(crate) async fn a_keys_cap_bounds_what_it_spends_of_either_pool(world: &World) {
    let uid = world.account("42", 1, 9).await;
    let ask = |key| capped(world, world.request(&uid), key, 2);
    world.served(&ask("k1")).await;
    world.served(&ask("k1")).await;
    assert_eq!(world.exhausted(&ask("k1")).await, until_month_ends(world.now()));
    world.served(&ask("k2")).await;
    world.served(&world.request(&uid)).await;
    assert_eq!(world.exhausted(&capped(world, world.request(&uid), "k3", 0)).await, until_month_ends(world.now()));
    world.turn(until_month_ends(world.now()));
    world.served(&ask("k1")).await;
    world.audited(&uid).await;
}

pub(crate) async fn open_holds_of_a_capped_key_count_and_waiting_for_them_is_advised(world: &World) {
    let uid = world.account("42", 9, 0).await;
    let ask = || capped(world, world.request(&uid), "k1", 1);
    let hold = world.held(&ask()).await;
    assert_eq!(world.exhausted(&ask()).await, LEASE);
    world.released(&hold).await;
    let hold = world.held(&ask()).await;
    world.turn(LEASE);
    world.served(&ask()).await;
    world.kept(&hold).await;
    assert_eq!(world.exhausted(&ask()).await, until_month_ends(world.now()), "now there is nothing to wait for");
}

pub(crate) async fn a_capped_keys_open_hold_of_last_month_takes_nothing_from_this_one(world: &World) {
    let uid = world.account("42", 9, 0).await;
    let ask = || capped(world, world.request(&uid), "k1", 1);
    world.turn(until_month_ends(world.now()).saturating_sub(Duration::from_secs(1)));
    let open = world.held(&ask()).await;
    world.turn(Duration::from_secs(1));
    let hold = world.held(&ask()).await;
    world.kept(&open).await;
    world.kept(&hold).await;
    assert_eq!(world.exhausted(&ask()).await, until_month_ends(world.now()));
}

pub(crate) async fn a_hold_says_what_it_leaves(world: &World) {
    let uid = world.account("42", 3, 2).await;
    let left = async |request: &HoldRequest| {
        let admission = world.ask(request).await;
        let Admission::Held(_, left) = admission else { panic!("expected a hold, got {admission:?}") };
        left
    };
    let request = hurried(world.request(&uid));
    assert_eq!(
        left(&request).await,
        Remaining { arrival: Some(world.now().plus(INTERVAL)), quota: Some(4), credits: Some(4) }
    );
    assert_eq!(left(&request).await, Remaining::default(), "a repeat");
    assert_eq!(
        left(&world.request(&uid)).await,
        Remaining { arrival: None, quota: Some(3), credits: Some(3) },
        "the first is still open"
    );
    let of_capped = left(&capped(world, world.request(&uid), "k1", 2)).await;
    assert_eq!(
        (of_capped.quota, of_capped.credits),
        (Some(1), Some(2)),
        "what the cap leaves, and what the account has left"
    );
    assert_eq!(left(&capped(world, world.request(&uid), "k1", 9)).await.quota, Some(1), "what the account has left");
    let of_client = left(&hurried(world.client_request("203.0.113.7", 3))).await;
    assert_eq!((of_client.quota, of_client.credits), (Some(2), None));
}
