//! Accounts that have everything an account can have, for moving them.

use crate::world::{GRACE, NOON, World, key};
use rembg_gateway::{
    domain::{
        account::{Overrides, Uid},
        api_key::{ApiKey, KeyId},
        credit::{Hold, OperationId},
        period::{BillingPeriod, Interval, IntervalUnit, Move},
        rate_limit::Burst,
        time::UnixSeconds,
    },
    store::{AccountChange, Changes, ParkedEvent, StepOutcome, StripeObject, StripeStep},
};
use std::time::Duration;

const DAY: i64 = 86_400;

/// The accounts' contents that tests look for afterwards.
pub(crate) struct Accounts {
    pub(crate) uid: Uid,
    /// Kept, and still open.
    pub(crate) kept: Hold,
    /// Given back.
    pub(crate) released: Hold,
    /// The last step of Stripe's.
    pub(crate) step: StripeStep,
    pub(crate) parked: ParkedEvent,
}

/// The plan Gold for a month, in a cycle that was predicted and turned out to begin later.
fn steps(uid: &Uid) -> [StripeStep; 2] {
    let interval = Some(Interval { unit: IntervalUnit::Month, count: 1 });
    let stated = BillingPeriod {
        interval,
        anchor: Some(UnixSeconds(NOON.0 - 300 * DAY)),
        ..BillingPeriod::new(UnixSeconds(NOON.0 - 30 * DAY), UnixSeconds(NOON.0 - 60))
    };
    let renewed = BillingPeriod {
        ends_at: Some(UnixSeconds(NOON.0 + 20 * DAY)),
        ..BillingPeriod { start: UnixSeconds(NOON.0 - 30), end: UnixSeconds(NOON.0 + 30 * DAY), ..stated }
    };
    let step = |number: u64, changes| StripeStep {
        event: format!("evt_{number}"),
        uid: uid.clone(),
        expected: number,
        remembered: format!("{{\"after\":\"evt_{number}\"}}"),
        learn: vec![format!("cus_{uid}"), format!("sub_{number}_{uid}")],
        changes,
    };
    let moves = vec![Move { from: stated.end, to: renewed.start }];
    [
        step(0, Changes { plan: Some(("Gold".into(), 4)), period: Some(stated), credits: 7, ..Changes::default() }),
        step(1, Changes { period: Some(renewed), moves, ..Changes::default() }),
    ]
}

/// Makes accounts in the store: one with everything, one with a strange name, one with nothing.
pub(crate) async fn make_accounts(world: &World) -> Accounts {
    let uid = world.account("42", 5, 3).await;
    let store = &world.store;
    for (id, networks, monthly_cap, expires) in [
        ("k1", vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::1".parse().unwrap()], Some(500), None),
        ("k2", Vec::new(), None, Some(UnixSeconds(NOON.0 + DAY))),
    ] {
        let (hash, plain) = key(id, &uid);
        store.put_key(&hash, &ApiKey { networks, monthly_cap, expires, ..plain }).await.unwrap();
    }
    world.turn(Duration::from_secs(5));
    store.revoke_key(&KeyId("k2".into())).await.unwrap();
    store.touch_keys(&[(KeyId("k1".into()), UnixSeconds(NOON.0 + 3))]).await.unwrap();

    world.served(&world.request(&uid)).await;
    let [first, second] = steps(&uid);
    assert_eq!(store.apply_stripe(&first).await.unwrap(), StepOutcome::Applied);
    tell_of(world, &first.learn).await;
    let mut kept = world.served(&world.key_request(&uid, "k1")).await;
    for _ in 0..5 {
        kept = world.served(&world.key_request(&uid, "k1")).await;
    }
    let late = world.held(&world.request(&uid)).await;
    let released = world.held(&world.request(&uid)).await;
    world.released(&released).await;
    assert_eq!(store.apply_stripe(&second).await.unwrap(), StepOutcome::Applied);
    // A clock that goes back does not change the order of what has happened.
    world.turn_to(NOON.micros());
    store.grant(&uid, 20, &OperationId("invoice 1".into())).await.unwrap();
    world.turn(Duration::from_mins(30));
    world.kept(&late).await;
    store.grant(&uid, -2, &OperationId("invoice 2".into())).await.unwrap();

    let unusual = world.account("a:b {c} 100% ü", 1, 0).await;
    let limit = AccountChange {
        uid: unusual.clone(),
        plan: Some(("Free".into(), 2)),
        credits: None,
        overrides: Overrides {
            burst: Some(Burst { per_minute: 9, size: 3 }),
            priority: Some(7),
            max_pixels: Some(40_000_000),
        },
        email_verified: Some(false),
        only_new: false,
    };
    store.put_account(&limit).await.unwrap();
    lapsed(world, &limit).await;
    world.served(&world.client_request("203.0.113.7", 9)).await;
    let parked = ParkedEvent {
        id: "evt_parked".into(),
        created: NOON,
        about: "refund".into(),
        reason: "several_accounts".into(),
        aliases: vec!["cus_9".into(), "pi_9".into()],
        event: "the event".into(),
    };
    store.park(&parked).await.unwrap();
    assert_eq!(store.holds_open().await.unwrap(), 0);
    Accounts { uid, kept, released, step: second, parked }
}

async fn tell_of(world: &World, ids: &[String]) {
    for id in ids {
        let known = StripeObject { version: 0, text: format!("what is known of {id}") };
        assert!(world.store.put_stripe_object(id, &known).await.unwrap());
    }
}

/// Subscriptions that have lapsed, the fall to the default plan written by an operator's change and not written.
async fn lapsed(world: &World, change: &AccountChange) {
    for (name, touched) in [("43", true), ("44", false)] {
        let uid = world.account(name, 0, 0).await;
        let start = UnixSeconds(NOON.0 - 60 * DAY);
        let end = UnixSeconds(NOON.0 - DAY - i64::try_from(GRACE.as_secs()).unwrap());
        let period = Some(BillingPeriod::new(start, end));
        let changes = Changes { plan: Some(("Gold".into(), 4)), period, ..Changes::default() };
        let step = StripeStep { changes, ..steps(&uid)[0].clone() };
        assert_eq!(world.store.apply_stripe(&step).await.unwrap(), StepOutcome::Applied);
        if touched {
            let change = AccountChange { uid, plan: None, overrides: Overrides::default(), ..change.clone() };
            world.store.put_account(&change).await.unwrap();
        }
    }
}
