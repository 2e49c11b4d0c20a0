use super::*;
use crate::domain::{account::Overrides, api_key::KeyId, time::UnixSeconds};

fn caller() -> (KeyHash, (ApiKey, Account)) {
    let uid = Uid::new("42").unwrap();
    let key = ApiKey {
        id: KeyId("k1".into()),
        uid: uid.clone(),
        name: String::new(),
        hint: String::new(),
        created: UnixSeconds(0),
        expires: None,
        revoked: None,
        networks: Vec::new(),
        monthly_cap: None,
    };
    let account = Account {
        uid,
        membership: String::new(),
        credits: 1,
        prepaid: 0,
        email_verified: true,
        overrides: Overrides::default(),
        billing_period: None,
    };
    (KeyHash("h".into()), (key, account))
}

/// A cache that has just heard of every change, with a caller in it.
fn known() -> (Callers, KeyHash, (ApiKey, Account)) {
    let (callers, (hash, caller)) = (Callers::default(), caller());
    callers.confirm(Instant::now());
    callers.remember(callers.lookup(), &hash, Some(&caller));
    assert_eq!(callers.of_key(&hash), Some(Some(caller.clone())));
    (callers, hash, caller)
}

/// So much time passes, in which the engine hears all that changes.
async fn pass(callers: &Callers, span: Duration) {
    tokio::time::advance(span).await;
    callers.confirm(Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_was_under_way_cannot_bring_a_revoked_key_back() {
    let (callers, hash, caller) = known();
    let lookup = callers.lookup();
    callers.forget_key(&hash);
    callers.remember(lookup, &hash, Some(&caller));
    assert_eq!(callers.of_key(&hash), None);
    callers.remember(callers.lookup(), &hash, Some(&caller));
    assert_eq!(callers.of_key(&hash), Some(Some(caller)));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_was_under_way_cannot_hide_a_new_key() {
    let (callers, hash) = (Callers::default(), caller().0);
    callers.confirm(Instant::now());
    for change in [Callers::forget_all, Callers::doubt_all, |callers: &Callers| callers.forget_key(&caller().0)] {
        let lookup = callers.lookup();
        change(&callers);
        callers.confirm(Instant::now());
        callers.remember(lookup, &hash, None);
        assert_eq!(callers.of_key(&hash), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_opens_nothing_is_remembered_for_a_second_from_its_lookup() {
    let (callers, hash) = (Callers::default(), caller().0);
    let lookup = callers.lookup();
    pass(&callers, Duration::from_millis(400)).await;
    callers.remember(lookup, &hash, None);
    assert_eq!(callers.of_key(&hash), Some(None));
    pass(&callers, Duration::from_millis(599)).await;
    assert_eq!(callers.of_key(&hash), Some(None));
    pass(&callers, Duration::from_millis(1)).await;
    assert_eq!(callers.of_key(&hash), None);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_known_at_once_where_it_was_made() {
    let (callers, hash) = (Callers::default(), caller().0);
    callers.confirm(Instant::now());
    callers.remember(callers.lookup(), &hash, None);
    assert_eq!(callers.of_key(&hash), Some(None));
    callers.forget_key(&hash);
    assert_eq!(callers.of_key(&hash), None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_believed_for_half_a_minute_at_the_most() {
    let (callers, hash, (_, account)) = known();
    pass(&callers, Duration::from_millis(29_999)).await;
    assert!(callers.of_key(&hash).is_some());
    assert!(callers.account(&account.uid).is_some());
    pass(&callers, Duration::from_millis(1)).await;
    assert_eq!((callers.of_key(&hash), callers.account(&account.uid)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_believed_for_long_without_news() {
    let (callers, hash, caller) = known();
    tokio::time::advance(CONFIRMED_FOR).await;
    assert_eq!((callers.of_key(&hash), callers.account(&caller.1.uid)), (None, None));
    callers.confirm(Instant::now());
    assert_eq!(callers.of_key(&hash), Some(Some(caller)));
}

#[tokio::test(start_paused = true)]
async fn what_may_be_out_of_date_is_not_believed() {
    let (callers, hash, _) = known();
    callers.doubt_all();
    assert_eq!(callers.of_key(&hash), None);
}

#[tokio::test(start_paused = true)]
async fn a_changed_account_is_forgotten_with_all_its_keys_and_no_other() {
    let (callers, hash, caller) = known();
    callers.forget_account(&Uid::new("43").unwrap());
    assert!(callers.of_key(&hash).is_some());
    callers.forget_account(&caller.1.uid);
    assert_eq!((callers.of_key(&hash), callers.account(&caller.1.uid)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn guessed_keys_are_bounded_and_displace_no_real_one() {
    let (callers, hash, _) = known();
    for guess in 0..MOST_UNKNOWN + 10 {
        callers.remember(callers.lookup(), &KeyHash(format!("guess {guess}")), None);
    }
    assert!(callers.lock().unknown.len() <= MOST_UNKNOWN);
    assert!(callers.of_key(&hash).is_some());
}
