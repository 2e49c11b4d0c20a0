//! The verbs of operators: accounts, grants, keys.

use crate::world::{MARCH, NOON, World, key};
use rembg_gateway::{
    domain::{
        account::{Account, Overrides, Uid},
        api_key::{ApiKey, KeyHash, KeyId},
        credit::{Admission, Denial, OperationId},
        rate_limit::Burst,
        time::UnixSeconds,
    },
    store::{AccountChange, Fault, Granted, Usage},
};
use std::time::Duration;

fn unchanged(uid: &Uid) -> AccountChange {
    AccountChange {
        uid: uid.clone(),
        plan: None,
        credits: None,
        overrides: Overrides::default(),
        email_verified: None,
        only_new: false,
    }
}

pub(crate) async fn a_new_account_has_nothing_but_what_was_named(world: &World) {
    let uid = Uid::new("42").unwrap();
    assert_eq!(world.store.account(&uid).await.unwrap(), None);
    let nothing = Account {
        uid: uid.clone(),
        membership: String::new(),
        credits: 0,
        prepaid: 0,
        email_verified: false,
        overrides: Overrides::default(),
        billing_period: None,
    };
    assert_eq!(world.store.put_account(&unchanged(&uid)).await.unwrap(), nothing);
    assert_eq!(world.store.account(&uid).await.unwrap(), Some(nothing));
    assert_eq!(world.usage(&uid, MARCH).await, Usage::default());
}

pub(crate) async fn a_change_leaves_alone_what_it_does_not_name(world: &World) {
    let uid = world.account("42", 3, 5).await;
    world.served(&world.request(&uid)).await;
    let before = world.store.account(&uid).await.unwrap().unwrap();
    assert_eq!(world.store.put_account(&unchanged(&uid)).await.unwrap(), before);
    let unverified = AccountChange { email_verified: Some(false), ..unchanged(&uid) };
    let after = world.store.put_account(&unverified).await.unwrap();
    assert_eq!(after, Account { email_verified: false, ..before });
    assert_eq!(world.audited(&uid).await, 2);
}

pub(crate) async fn assigning_a_plan_writes_its_credits_and_an_explicit_number_stays(world: &World) {
    let uid = Uid::new("42").unwrap();
    let plan = |name: &str, credits| Some((name.to_owned(), credits));
    for (change, membership, credits) in [
        (AccountChange { plan: plan("Free", 50), ..unchanged(&uid) }, "Free", 50),
        (AccountChange { credits: Some(70), ..unchanged(&uid) }, "Free", 70),
        (unchanged(&uid), "Free", 70),
        (AccountChange { plan: plan("Premium-20000", 20_000), ..unchanged(&uid) }, "Premium-20000", 20_000),
        (AccountChange { plan: plan("Free", 50), credits: Some(18), ..unchanged(&uid) }, "Free", 18),
    ] {
        let account = world.store.put_account(&change).await.unwrap();
        assert_eq!((account.membership.as_str(), account.credits), (membership, credits), "{change:?}");
    }
}

pub(crate) async fn a_grant_counts_once_and_its_repeat_says_so(world: &World) {
    let (uid, other) = (world.account("42", 0, 0).await, world.account("43", 0, 0).await);
    let (bought, refund) = (OperationId("invoice 7".into()), OperationId("refund of 7".into()));
    let first = Granted { prepaid: 100, repeated: false };
    assert_eq!(world.store.grant(&uid, 100, &bought).await.unwrap(), first);
    assert_eq!(world.store.grant(&uid, -30, &refund).await.unwrap(), Granted { prepaid: 70, repeated: false });
    let months = Duration::from_hours(24 * 100);
    world.turn(months);
    let repeated = Granted { prepaid: 100, repeated: true };
    assert_eq!(world.store.grant(&uid, 100, &bought).await.unwrap(), repeated, "as it was the first time");
    assert_eq!(world.prepaid(&uid).await, 70);
    assert_eq!(world.store.grant(&other, 100, &bought).await.unwrap(), first, "an id belongs to its account");
    assert_eq!((world.audited(&uid).await, world.audited(&other).await), (2, 1));
}

pub(crate) async fn an_id_grants_one_number_and_nothing_uses_none_up(world: &World) {
    let uid = world.account("42", 0, 0).await;
    let id = OperationId("invoice 7".into());
    let nothing = Granted { prepaid: 0, repeated: false };
    assert_eq!(world.store.grant(&uid, 0, &id).await.unwrap(), nothing);
    assert_eq!(world.store.grant(&uid, 100, &id).await.unwrap(), Granted { prepaid: 100, repeated: false });
    for other in [99, -100, 0] {
        let refused = world.store.grant(&uid, other, &id).await;
        assert!(matches!(&refused, Err(Fault::Conflict(words)) if words.contains("100")), "{other}: {refused:?}");
    }
    assert_eq!(world.store.grant(&uid, 100, &id).await.unwrap(), Granted { prepaid: 100, repeated: true });
    assert_eq!(world.prepaid(&uid).await, 100);
    assert_eq!(world.audited(&uid).await, 1);
}

pub(crate) async fn what_is_spent_or_set_aside_cannot_be_taken_back(world: &World) {
    let uid = world.account("42", 0, 5).await;
    world.served(&world.request(&uid)).await;
    let hold = world.held(&world.request(&uid)).await;
    let back = world.operation();
    let refused = world.store.grant(&uid, -4, &back).await;
    assert!(matches!(&refused, Err(Fault::Insufficient(words)) if words.contains('3')), "{refused:?}");
    world.released(&hold).await;
    let granted = world.store.grant(&uid, -4, &back).await.unwrap();
    assert_eq!(granted, Granted { prepaid: 0, repeated: false }, "a refusal does not use up the id");
    world.audited(&uid).await;
}

pub(crate) async fn what_cannot_be_is_refused_and_changes_nothing(world: &World) {
    let (uid, nobody) = (world.account("42", 1, 1).await, Uid::new("nobody").unwrap());
    let store = &world.store;
    let too_many = AccountChange { credits: Some(u64::MAX), ..unchanged(&uid) };
    let most = Overrides { max_pixels: Some(u64::MAX), ..Overrides::default() };
    let too_large = AccountChange { overrides: most, ..unchanged(&uid) };
    let (hash, orphan) = key("k1", &nobody);
    for (what, refused) in [
        ("a grant to nobody", store.grant(&nobody, 5, &world.operation()).await.err()),
        ("an audit of nobody", store.audit(&nobody).await.err()),
        ("a key for nobody", store.put_key(&hash, &orphan).await.err()),
    ] {
        assert!(matches!(refused, Some(Fault::NotFound(_))), "{what}: {refused:?}");
    }
    for (what, refused) in [
        ("a balance beyond numbers", store.grant(&uid, i64::MAX, &world.operation()).await.err()),
        ("an allowance beyond numbers", store.put_account(&too_many).await.err()),
        ("a picture beyond numbers", store.put_account(&too_large).await.err()),
    ] {
        assert!(matches!(refused, Some(Fault::TooLarge(_))), "{what}: {refused:?}");
    }
    assert_eq!(store.account(&nobody).await.unwrap(), None);
    let account = store.account(&uid).await.unwrap().unwrap();
    assert_eq!((account.credits, account.prepaid), (1, 1));
    world.audited(&uid).await;
}

pub(crate) async fn a_key_opens_its_account_and_no_other(world: &World) {
    let (uid, other) = (world.account("42", 1, 0).await, world.account("43", 1, 0).await);
    let (hash, stored) = key("k1", &uid);
    assert_eq!(world.store.caller_of_key(&hash).await.unwrap(), None);
    world.store.put_key(&hash, &stored).await.unwrap();
    world.store.put_key(&hash, &stored).await.unwrap();
    let (found, account) = world.store.caller_of_key(&hash).await.unwrap().unwrap();
    assert_eq!((&found, &account.uid), (&stored, &uid));
    assert_eq!(world.store.caller_of_key(&KeyHash("another".into())).await.unwrap(), None);

    let (other_hash, other_key) = key("k2", &other);
    for (what, stolen) in [
        ("another account's key", world.store.put_key(&hash, &other_key).await),
        ("another key's id", world.store.put_key(&other_hash, &stored).await),
    ] {
        assert!(matches!(stolen, Err(Fault::Taken(_))), "{what}: {stolen:?}");
    }
    assert_eq!(world.store.caller_of_key(&hash).await.unwrap().unwrap().0, stored);
    assert_eq!(world.store.keys(&other).await.unwrap(), []);
}

pub(crate) async fn revoking_twice_keeps_the_first_date(world: &World) {
    let uid = world.account("42", 1, 0).await;
    let (hash, stored) = key("k1", &uid);
    world.store.put_key(&hash, &stored).await.unwrap();
    assert!(!world.store.revoke_key(&KeyId("k2".into())).await.unwrap());
    for _ in 0..2 {
        assert!(world.store.revoke_key(&stored.id).await.unwrap());
        let (found, _) = world.store.caller_of_key(&hash).await.unwrap().unwrap();
        assert_eq!(found.revoked, Some(NOON));
        world.turn(Duration::from_hours(1));
    }
}

pub(crate) async fn keys_are_listed_oldest_first_with_what_each_has_used(world: &World) {
    let uid = world.account("42", 2, 2).await;
    for (id, created) in [("young", NOON.0 + 2), ("old", NOON.0), ("idle", NOON.0 + 1)] {
        let (hash, mut stored) = key(id, &uid);
        stored.created = UnixSeconds(created);
        world.store.put_key(&hash, &stored).await.unwrap();
    }
    for id in ["old", "young", "old"] {
        world.served(&world.key_request(&uid, id)).await;
    }
    world.released(&world.held(&world.key_request(&uid, "idle")).await).await;
    let listed = async || {
        let keys = world.store.keys(&uid).await.unwrap();
        keys.into_iter().map(|of| (of.key.id.0, of.used_this_month)).collect::<Vec<_>>()
    };
    let used = |old, idle, young| [("old".into(), old), ("idle".into(), idle), ("young".into(), young)];
    assert_eq!(listed().await, used(2, 0, 1), "included and prepaid credits both count");
    world.audited(&uid).await;
    world.turn_to(MARCH.end().micros());
    assert_eq!(listed().await, used(0, 0, 0), "a new month");
}

pub(crate) async fn accounts_are_listed_in_the_order_of_their_ids(world: &World) {
    for uid in ["b", "ä", "10", "9", "B"] {
        world.account(uid, 1, 0).await;
    }
    let uids: Vec<_> = world.store.accounts().await.unwrap().into_iter().map(|account| account.uid).collect();
    let mut sorted = uids.clone();
    sorted.sort();
    assert_eq!((uids.len(), &uids), (5, &sorted));
}

pub(crate) async fn strange_account_ids_share_nothing(world: &World) {
    let unusual = ["4", "4:2", "4%3A2", "{4}:2", "4 2", "4\u{0}2", "4:app_usage", "人", "4'; DROP TABLE accounts"];
    for uid in unusual {
        let uid = world.account(uid, 1, 0).await;
        world.served(&world.request(&uid)).await;
    }
    for uid in unusual {
        let uid = Uid::new(uid).unwrap();
        assert_eq!(world.usage(&uid, MARCH).await, Usage { app: 1, api: 0 }, "{uid}");
        assert_eq!(world.audited(&uid).await, 1);
        let again = world.ask(&world.request(&uid)).await;
        assert!(matches!(again, Admission::Denied(Denial::Exhausted { .. })), "{uid}: {again:?}");
    }
}

pub(crate) async fn the_store_answers_a_ping(world: &World) {
    world.store.ping().await.unwrap();
    world.store.ping().await.unwrap();
}

pub(crate) async fn a_key_keeps_what_it_was_made_with(world: &World) {
    let uid = world.account("42", 1, 0).await;
    let (hash, plain) = key("k1", &uid);
    let networks = ["203.0.113.0/24", "2001:db8::/32"].map(|network| network.parse().unwrap());
    let made =
        ApiKey { expires: Some(UnixSeconds(NOON.0 + 60)), networks: networks.into(), monthly_cap: Some(0), ..plain };
    world.store.put_key(&hash, &made).await.unwrap();
    assert_eq!(world.store.caller_of_key(&hash).await.unwrap().unwrap().0, made);
    assert_eq!(world.store.keys(&uid).await.unwrap()[0].key, made);
}

pub(crate) async fn when_keys_were_last_used_is_written_many_at_once(world: &World) {
    let uid = world.account("42", 1, 0).await;
    for id in ["k1", "k2", "k3"] {
        let (hash, key) = key(id, &uid);
        world.store.put_key(&hash, &key).await.unwrap();
    }
    let used = |id: &str, after: i64| (KeyId(id.into()), UnixSeconds(NOON.0 + after));
    world.store.touch_keys(&[used("k1", 5), used("k2", 6), used("unknown", 7)]).await.unwrap();
    world.store.touch_keys(&[used("k1", 4), used("k2", 8)]).await.unwrap();
    let seen: Vec<_> = world.store.keys(&uid).await.unwrap().into_iter().map(|of| of.last_used).collect();
    let after = |seconds| Some(UnixSeconds(NOON.0 + seconds));
    assert_eq!(seen, [after(5), after(8), None], "an earlier moment changes nothing");
}

pub(crate) async fn an_account_that_is_there_is_not_made_again(world: &World) {
    let uid = Uid::new("42").unwrap();
    let plan = |name: &str| Some((name.to_owned(), 50));
    let first = AccountChange { plan: plan("Free"), only_new: true, ..unchanged(&uid) };
    let made = world.store.put_account(&first).await.unwrap();
    assert_eq!((made.membership.as_str(), made.credits), ("Free", 50));
    let second = AccountChange {
        plan: plan("Other"),
        credits: Some(7),
        email_verified: Some(true),
        only_new: true,
        ..unchanged(&uid)
    };
    assert_eq!(world.store.put_account(&second).await.unwrap(), made);
    assert_eq!(world.store.account(&uid).await.unwrap(), Some(made));
}

pub(crate) async fn numbers_of_its_own_stay_until_the_next_plan(world: &World) {
    let uid = Uid::new("42").unwrap();
    let plan = Some(("Free".to_owned(), 50));
    let only_burst = Overrides { burst: Some(Burst { per_minute: 6, size: 2 }), ..Overrides::default() };
    let all = Overrides { priority: Some(0), max_pixels: Some(1_000_000), ..only_burst };
    let other = Overrides { burst: Some(Burst { per_minute: 7, size: 3 }), ..all };
    let only_priority = Overrides { priority: Some(255), ..Overrides::default() };
    for (change, expected) in [
        (AccountChange { overrides: only_burst, ..unchanged(&uid) }, only_burst),
        (AccountChange { overrides: Overrides { burst: None, ..all }, ..unchanged(&uid) }, all),
        (AccountChange { credits: Some(7), ..unchanged(&uid) }, all),
        (AccountChange { overrides: other, ..unchanged(&uid) }, other),
        (AccountChange { plan: plan.clone(), overrides: only_priority, ..unchanged(&uid) }, only_priority),
        (AccountChange { plan: plan.clone(), overrides: all, ..unchanged(&uid) }, all),
        (AccountChange { plan, ..unchanged(&uid) }, Overrides::default()),
    ] {
        assert_eq!(world.store.put_account(&change).await.unwrap().overrides, expected, "{change:?}");
        assert_eq!(world.store.account(&uid).await.unwrap().unwrap().overrides, expected, "{change:?}");
    }
}
