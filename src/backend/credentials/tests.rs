use super::*;
use crate::domain::client_address::ClientAddress;
use KeyRefusal::{Rejected, Spent, TooFast};

fn keys(names: &[&'static str]) -> Keys {
    Keys::new(names.iter().map(|name| HeaderValue::from_static(name)).collect())
}

fn account(uid: &str) -> Payer {
    Payer::Account(Uid::new(uid).unwrap())
}

fn client(address: &str) -> Payer {
    Payer::Client(ClientAddress(address.to_owned()))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_key_rests_as_long_as_the_service_says_within_reason_and_the_next_one_is_used() {
    for (said, rests) in [(Some(30), 30), (None, 60), (Some(0), 1), (Some(86_400), 900)] {
        let (keys, now) = (keys(&["a", "b"]), Instant::now());
        let first = keys.choose(now).expect("a key");
        assert_eq!(first.value, "a");
        keys.rest(&first, Spent, now, said.map(seconds));
        assert_eq!(keys.choose(now).expect("the other").value, "b");
        assert_eq!(keys.choose(now + seconds(rests)).expect("the first again").value, "a", "{said:?}");
        assert_eq!(keys.choose(now + seconds(rests) - Duration::from_millis(1)).expect("not yet").value, "b");
    }
}

#[test]
fn when_all_keys_rest_the_error_is_about_the_one_that_wakes_first() {
    use Shortage::{BackendAccountExhausted, BackendUnavailable};
    for (first, second, shortage) in [
        (Spent, Spent, BackendAccountExhausted),
        (Rejected, TooFast, BackendAccountExhausted),
        (TooFast, Rejected, BackendUnavailable),
    ] {
        let (keys, now) = (keys(&["a", "b"]), Instant::now());
        for (why, rest) in [(first, 40), (second, 20)] {
            keys.rest(&keys.choose(now).expect("a key"), why, now, Some(seconds(rest)));
        }
        let all_rest = AllRest { shortage, retry_after: seconds(20) };
        assert_eq!(keys.choose(now).map(|key| key.at), Err(all_rest));
    }
}

#[test]
fn good_news_wakes_a_key_unless_it_was_used_too_fast() {
    for (why, wakes) in [(Spent, true), (Rejected, true), (TooFast, false)] {
        let (keys, now) = (keys(&["a"]), Instant::now());
        let key = keys.first().expect("a key");
        assert!(!keys.wake(&key, now), "it does not rest");
        keys.rest(&key, why, now, None);
        assert_eq!(keys.resting(now).len(), usize::from(wakes), "{why:?}");
        assert_eq!(keys.wake(&key, now), wakes, "{why:?}");
        assert_eq!(keys.choose(now).is_ok(), wakes, "{why:?}");
        assert!(keys.resting(now + USUAL_REST).is_empty(), "it is awake by then");
    }
}

#[test]
fn only_the_third_caller_in_a_row_is_believed_and_all_callers_without_an_account_are_one() {
    let now = Instant::now();
    for (refused, believed) in [
        (&[account("ann"), account("ann"), account("ann"), account("ann")][..], 0),
        (&[account("ann"), account("bob"), account("ann"), account("bob")], 0),
        (&[client("192.0.2.1"), client("192.0.2.2"), client("192.0.2.3"), account("ann")], 0),
        (&[account("ann"), account("bob"), account("cid")], 1),
        (&[account("ann"), client("192.0.2.1"), client("192.0.2.2"), account("bob")], 1),
        (&[account("ann"), account("bob"), account("cid"), account("ann"), account("bob")], 1),
    ] {
        let keys = keys(&["a", "b"]);
        let key = keys.choose(now).expect("a key");
        let found = refused.iter().filter(|payer| keys.was_refused(&key, payer)).count();
        assert_eq!(found, believed, "{refused:?}");
    }
}

#[test]
fn a_caller_who_is_served_in_between_shows_that_the_key_is_good() {
    let (keys, now) = (keys(&["a", "b"]), Instant::now());
    let key = keys.choose(now).expect("a key");
    for _ in 0..9 {
        assert!(!keys.was_refused(&key, &account("ann")));
        assert!(!keys.was_refused(&key, &account("bob")));
        assert!(keys.is_doubted(&key));
        keys.served(&key);
        assert!(!keys.is_doubted(&key));
    }
    keys.rest(&key, Spent, now, None);
    let other = keys.choose(now).expect("the other key");
    assert!(!keys.was_refused(&key, &account("ann")) && !keys.was_refused(&key, &account("bob")));
    assert!(!keys.was_refused(&other, &account("cid")), "each key has its own");
}

#[test]
fn each_key_is_checked_once_in_ten_seconds() {
    let (keys, now) = (keys(&["a", "b"]), Instant::now());
    let [a, b] = [0, 1].map(|at| Chosen { value: HeaderValue::from_static("x"), at });
    let asked = |key, after| keys.may_ask(key, now + seconds(after));
    let answers = [(&a, 0), (&a, 1), (&b, 1), (&a, 9), (&b, 10), (&a, 10), (&b, 11)].map(|(key, at)| asked(key, at));
    assert_eq!(answers, [true, false, true, false, false, true, true]);
}
