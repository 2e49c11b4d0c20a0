use super::*;
use crate::domain::client_address::ClientAddress;
use KeyRefusal::{Rejected, Spent, TooFast};

fn keys(names: &[&'static str]) -> Keys {
    Keys::new(values(names))
}

fn values(names: &[&'static str]) -> KeyValues {
    KeyValues(names.iter().map(|name| HeaderValue::from_static(name)).collect())
}

fn choose(keys: &Keys, now: Instant) -> Chosen {
    keys.choose(now).expect("one is awake").expect("there are keys")
}

fn account(uid: &str) -> Payer {
    Payer::Account(Uid::new(uid).unwrap())
}

fn client(address: &str) -> Payer {
    Payer::Client(ClientAddress(address.into()))
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_key_rests_as_long_as_the_service_says_within_reason_and_the_next_one_is_used() {
    for (said, rests) in [(Some(30), 30), (None, 60), (Some(0), 1), (Some(86_400), 900)] {
        let (keys, now) = (keys(&["a", "b"]), Instant::now());
        let first = choose(&keys, now);
        assert_eq!(first.value, "a");
        keys.rest(&first, Spent, now, said.map(seconds));
        assert_eq!(choose(&keys, now).value, "b");
        assert_eq!(choose(&keys, now + seconds(rests)).value, "a", "{said:?}");
        assert_eq!(choose(&keys, now + seconds(rests) - Duration::from_millis(1)).value, "b");
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
            keys.rest(&choose(&keys, now), why, now, Some(seconds(rest)));
        }
        let all_rest = AllRest { shortage, retry_after: seconds(20) };
        assert_eq!(keys.choose(now).map(|key| key.map(|key| key.at)), Err(all_rest));
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
        let key = choose(&keys, now);
        let found = refused.iter().filter(|payer| keys.was_refused(&key, payer)).count();
        assert_eq!(found, believed, "{refused:?}");
    }
}

#[test]
fn a_caller_who_is_served_in_between_shows_that_the_key_is_good() {
    let (keys, now) = (keys(&["a", "b"]), Instant::now());
    let key = choose(&keys, now);
    for _ in 0..9 {
        assert!(!keys.was_refused(&key, &account("ann")));
        assert!(!keys.was_refused(&key, &account("bob")));
        assert!(keys.is_doubted(&key));
        keys.served(&key);
        assert!(!keys.is_doubted(&key));
    }
    keys.rest(&key, Spent, now, None);
    let other = choose(&keys, now);
    assert!(!keys.was_refused(&key, &account("ann")) && !keys.was_refused(&key, &account("bob")));
    assert!(!keys.was_refused(&other, &account("cid")), "each key has its own");
}

#[test]
fn each_key_is_checked_once_in_ten_seconds() {
    let (keys, now) = (keys(&["a", "b"]), Instant::now());
    let [a, b] = ["a", "b"].map(|value| Chosen { value: HeaderValue::from_static(value), at: 0 });
    let asked = |key, after| keys.may_ask(key, now + seconds(after));
    let answers = [(&a, 0), (&a, 1), (&b, 1), (&a, 9), (&b, 10), (&a, 10), (&b, 11)].map(|(key, at)| asked(key, at));
    assert_eq!(answers, [true, false, true, false, false, true, true]);
}

#[test]
fn without_keys_requests_are_sent_without_one() {
    assert!(keys(&[]).choose(Instant::now()).expect("no key is needed").is_none());
}

#[test]
fn keys_that_stay_keep_their_state_others_begin_afresh_and_those_taken_away_change_nothing() {
    let (keys, now) = (keys(&["a", "b", "c"]), Instant::now());
    let (a, b) = (choose(&keys, now), Chosen { value: HeaderValue::from_static("b"), at: 1 });
    keys.rest(&a, Spent, now, Some(seconds(30)));
    assert!(!keys.was_refused(&b, &account("ann")) && !keys.was_refused(&b, &account("bob")));
    keys.replace(values(&["d", "b", "a"]));
    assert_eq!(choose(&keys, now).value, "d", "a new one is awake, and comes first where it is named first");
    let d = choose(&keys, now);
    keys.rest(&d, Spent, now, Some(seconds(60)));
    assert_eq!((choose(&keys, now).value, choose(&keys, now).at), (HeaderValue::from_static("b"), 1));
    assert!(keys.was_refused(&b, &account("cid")), "the first two refusals still count");
    keys.rest(&b, Rejected, now, Some(seconds(60)));
    assert_eq!(choose(&keys, now + seconds(30)).value, "a", "which rests for as long as it was told before");
    keys.replace(values(&["b"]));
    keys.served(&a);
    keys.rest(&a, Spent, now, None);
    assert!(!keys.wake(&a, now) && !keys.was_refused(&a, &account("ann")) && !keys.may_ask(&a, now));
    assert_eq!(keys.gauges(now), KeyGauges { configured: 1, resting: 1, exhausted: false });
    keys.replace(values(&["a"]));
    assert_eq!(choose(&keys, now).value, "a", "one that comes back begins afresh");
}

#[test]
fn operators_are_told_how_many_keys_rest_and_whether_an_account_is_spent() {
    for (whys, exhausted) in [
        (&[][..], false),
        (&[Rejected], false),
        (&[TooFast], false),
        (&[Rejected, TooFast], true),
        (&[TooFast, Rejected], false),
        (&[Spent], true),
    ] {
        let (keys, now) = (keys(&["a", "b"]), Instant::now());
        for (nth, why) in whys.iter().enumerate() {
            keys.rest(&choose(&keys, now), *why, now, Some(seconds(60 - nth as u64)));
        }
        let told = KeyGauges { configured: 2, resting: whys.len() as u64, exhausted };
        assert_eq!(keys.gauges(now), told, "{whys:?}");
        assert_eq!(keys.gauges(now + seconds(60)), KeyGauges { configured: 2, resting: 0, exhausted: false });
    }
}
