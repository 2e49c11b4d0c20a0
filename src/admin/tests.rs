//! The verbs, on the embedded store.

use super::*;
use crate::{
    clock::Clock,
    domain::{
        account::Overrides,
        credit::{Admission, Channel, Draw, HoldRequest, KeyDraw, Settlement},
    },
    store::{Accounts, sqlite::SqliteStore},
};
use std::{sync::atomic::AtomicI64, time::Duration};

const NOW: UnixSeconds = UnixSeconds(1_774_268_612);

struct Session {
    admin: Admin,
    keyring: Keyring,
    store: Arc<dyn Accounts>,
    _folder: tempfile::TempDir,
}

fn session() -> Session {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.store.url = format!("sqlite:{}", folder.path().join("gateway.db").display());
    let clock = Clock::Turned(Arc::new(AtomicI64::new(NOW.micros().0)));
    let store: Arc<dyn Accounts> =
        Arc::new(SqliteStore::open(config.store.sqlite_path().unwrap(), clock, config.terms()).unwrap());
    let keyring = Keyring::new(&"a pepper of the tests".into());
    Session { admin: Admin::new(Arc::clone(&store), &config), keyring, store, _folder: folder }
}

fn uid(text: &str) -> Uid {
    Uid::new(text).unwrap()
}

fn order(text: &str) -> AccountOrder {
    AccountOrder {
        uid: uid(text),
        plan: None,
        credits: None,
        overrides: Overrides::default(),
        prepaid: None,
        email_verified: None,
    }
}

fn key_order(text: &str) -> KeyOrder {
    KeyOrder { uid: uid(text), name: "laptop".into(), expires: None, networks: Vec::new(), monthly_cap: None }
}

#[tokio::test]
async fn an_account_made_by_the_operator_is_verified_and_on_the_default_plan() {
    let session = session();
    let made = session.admin.put_account(&order("42")).await.unwrap();
    assert!(made.created && made.account.email_verified && !made.prepaid_granted);
    assert_eq!((made.account.membership.as_str(), made.account.credits), ("Free", 50));
}

#[tokio::test]
async fn an_order_for_an_account_that_is_there_changes_only_what_it_names() {
    let session = session();
    let admin = &session.admin;
    let first = AccountOrder {
        plan: Some("Premium-20000".into()),
        credits: Some(7),
        email_verified: Some(false),
        ..order("42")
    };
    let first = admin.put_account(&first).await.unwrap();
    assert_eq!((first.account.credits, first.account.email_verified), (7, false));
    let second = admin.put_account(&order("42")).await.unwrap();
    assert_eq!((second.account, second.created), (first.account, false));
    let third = admin.put_account(&AccountOrder { email_verified: Some(true), ..order("42") }).await.unwrap();
    assert!(third.account.email_verified);
    assert_eq!((third.account.membership.as_str(), third.account.credits), ("Premium-20000", 7));
}

#[tokio::test]
async fn an_order_that_is_repeated_grants_its_prepaid_credits_once() {
    let session = session();
    let admin = &session.admin;
    let order = AccountOrder { prepaid: Some(300), ..order("42") };
    let first = admin.put_account(&order).await.unwrap();
    assert!(first.prepaid_granted && first.account.prepaid == 300);
    admin.grant(&uid("42"), 5, &OperationId("pack-1".into())).await.unwrap();
    let again = admin.put_account(&order).await.unwrap();
    assert!(!again.prepaid_granted && again.account.prepaid == 305);
}

#[tokio::test]
async fn an_unknown_plan_is_refused_with_the_plans_that_there_are_and_nothing_is_made() {
    let session = session();
    let Session { admin, store, .. } = &session;
    let error = admin.put_account(&AccountOrder { plan: Some("Gold".into()), ..order("42") }).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no plan \"Gold\"; there are: Free, Premium-20000");
    assert_eq!(store.accounts().await.unwrap(), []);
}

#[tokio::test]
async fn a_new_key_opens_its_account_until_it_is_revoked() {
    let session = session();
    let Session { admin, keyring, store, .. } = &session;
    admin.put_account(&order("42")).await.unwrap();
    let (made, key) = admin.create_key(keyring, key_order("42"), NOW).await.unwrap();
    let (found, account) = store.caller_of_key(&keyring.hash(&key)).await.unwrap().unwrap();
    assert!(found == made && found.is_live(NOW) && account.uid == uid("42"));

    admin.revoke_key(&made.id).await.unwrap();
    admin.revoke_key(&made.id).await.unwrap();
    let keys = admin.keys(&uid("42")).await.unwrap();
    assert_eq!(keys.len(), 1);
    assert!(!keys[0].key.is_live(NOW));
}

#[tokio::test]
async fn a_key_of_another_maker_is_taken_once_and_a_typo_of_ours_is_not() {
    let session = session();
    let Session { admin, keyring, store, .. } = &session;
    admin.put_account(&order("42")).await.unwrap();
    admin.put_account(&order("43")).await.unwrap();
    let uuid = SecretString::from("6f1c2a34-9b7e-4c55-8a10-0f3d5e7c9b21");
    admin.import_key(keyring, key_order("42"), &uuid, NOW).await.unwrap();
    assert!(store.caller_of_key(&keyring.hash(&uuid)).await.unwrap().is_some());

    let again = admin.import_key(keyring, key_order("43"), &uuid, NOW).await.unwrap_err();
    assert!(matches!(again, AdminError::KnownKey(_)), "{again}");
    let rotated = Keyring::new(&"a newer pepper".into()).with_older(&["a pepper of the tests".into()]);
    let again = admin.import_key(&rotated, key_order("43"), &uuid, NOW).await.unwrap_err();
    assert!(matches!(again, AdminError::KnownKey(_)), "under the older pepper: {again}");
    let typo = SecretString::from("rgw_live_0123456789ABCDEFGHIJKLMNOPQRST000000");
    let refused = admin.import_key(keyring, key_order("42"), &typo, NOW).await.unwrap_err();
    assert!(matches!(refused, AdminError::NotAKey), "{refused}");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let session = session();
    let Session { admin, keyring, .. } = &session;
    let nobody = uid("nobody");
    for error in [
        admin.create_key(keyring, key_order("nobody"), NOW).await.map(drop).unwrap_err(),
        admin.keys(&nobody).await.map(drop).unwrap_err(),
        admin.grant(&nobody, 1, &OperationId("x".into())).await.map(drop).unwrap_err(),
        admin.usage(Some(&nobody), NOW).await.map(drop).unwrap_err(),
        admin.audit(Some(&nobody)).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "there is no account nobody");
    }
    let error = admin.revoke_key(&KeyId("key_x".into())).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no key with the id key_x");
}

#[tokio::test]
async fn a_key_that_has_expired_already_is_not_made() {
    let session = session();
    let Session { admin, keyring, .. } = &session;
    admin.put_account(&order("42")).await.unwrap();
    let late = KeyOrder { expires: Some(NOW), ..key_order("42") };
    assert!(matches!(admin.create_key(keyring, late, NOW).await, Err(AdminError::Expired)));
    assert_eq!(admin.keys(&uid("42")).await.unwrap(), []);
}

#[tokio::test]
async fn usage_and_audit_tell_what_was_spent_and_what_is_left() {
    let session = session();
    let Session { admin, keyring, store, .. } = &session;
    admin.put_account(&AccountOrder { prepaid: Some(3), credits: Some(2), ..order("42") }).await.unwrap();
    admin.put_account(&order("43")).await.unwrap();
    let (key, _) = admin.create_key(keyring, key_order("42"), NOW).await.unwrap();
    for picture in 0..3 {
        spend(store.as_ref(), &key, &format!("picture-{picture}")).await;
    }

    let usage = admin.usage(None, NOW).await.unwrap();
    let numbers: Vec<_> =
        usage.accounts.iter().map(|one| (one.app, one.api, one.account.prepaid, one.remaining)).collect();
    assert_eq!(numbers, [(0, 2, 2, 2), (0, 0, 0, 50)]);
    assert_eq!(admin.keys(&uid("42")).await.unwrap()[0].used_this_month, 3);
    let audits = admin.audit(None).await.unwrap();
    assert_eq!(audits.iter().map(|audit| audit.entries).collect::<Vec<_>>(), [4, 0]);
    assert!(audits.iter().all(|audit| audit.differences.is_empty()));
}

async fn spend(store: &dyn Accounts, key: &ApiKey, id: &str) {
    let draw = Draw::Account {
        uid: key.uid.clone(),
        channel: Channel::Api,
        key: Some(KeyDraw { id: key.id.clone(), monthly_cap: None }),
    };
    let request = HoldRequest { id: OperationId(id.into()), draw, burst: None, lease: Duration::from_mins(1) };
    let Admission::Held(hold, _) = store.hold(&request).await.unwrap() else { panic!("no credit for {id}") };
    assert_eq!(store.keep(&hold).await.unwrap().settlement, Settlement::Kept);
}
