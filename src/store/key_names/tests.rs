//! The documented names, and names that strange identifiers get.

use super::*;
use proptest::prelude::*;

const MARCH: Month = Month { year: 2026, month: 3 };
const CYCLE: UnixSeconds = UnixSeconds(1_774_268_612);

fn names(uid: &str) -> AccountNames {
    AccountNames::of(&Uid::new(uid).unwrap())
}

#[test]
fn counters_have_their_documented_names() {
    let names = names("42");
    assert_eq!(names.usage(Channel::App, Counters::Month(MARCH)), "user:42:app_usage:2026:3");
    assert_eq!(names.usage(Channel::Api, Counters::Month(MARCH)), "user:42:api_usage:2026:3");
    assert_eq!(names.usage(Channel::App, Counters::Cycle(CYCLE)), "user:42:app_usage:cycle:1774268612");
    assert_eq!(names.usage(Channel::Api, Counters::Cycle(CYCLE)), "user:42:api_usage:cycle:1774268612");
}

#[test]
fn a_picture_raises_the_counters_of_its_pool_its_windows_and_its_key() {
    let key = KeyId("k1".into());
    let included =
        Served { channel: Channel::Api, pool: Pool::Included, month: MARCH, cycle: Some(CYCLE), key: Some(&key) };
    assert_eq!(
        included.counters(&names("42")),
        ["user:42:api_usage:2026:3", "user:42:api_usage:cycle:1774268612", "user:42:key_usage:k1:2026:3"]
    );
    let prepaid = Served { channel: Channel::App, pool: Pool::Prepaid, month: MARCH, cycle: None, key: None };
    assert_eq!(prepaid.counters(&names("42")), ["user:42:prepaid_usage:2026:3"]);
}

#[test]
fn what_names_are_built_from_is_encoded() {
    for (uid, name) in [
        ("{42}", "user:%7B42%7D"),
        ("a:b c", "user:a%3Ab%20c"),
        ("100%", "user:100%25"),
        ("%3A", "user:%253A"),
        ("\u{7f}\n", "user:%7F%0A"),
        ("\u{a0}", "user:%C2%A0"),
        ("jürgen@example.com", "user:jürgen@example.com"),
    ] {
        assert_eq!(names(uid).own(), name);
    }
    let network = ClientAddress("2001:db8::/64".into());
    let day = Day { year: 2026, month: 3, day: 9 };
    assert_eq!(client_usage(&network, day), "client:2001%3Adb8%3A%3A/64:usage:2026:3:9");
    assert_eq!(payer(&Payer::Client(network)), "client:2001%3Adb8%3A%3A/64");
}

#[test]
fn on_a_cluster_the_braces_stay() {
    let names = AccountNames::styled(&Uid::new("42").unwrap(), KeyStyle::Hashtag);
    assert_eq!(names.usage(Channel::App, Counters::Month(MARCH)), "user:{42}:app_usage:2026:3");
    assert_eq!(names.ledger(MARCH), "user:{42}:ledger:2026:3");
    assert_eq!(names.settled("kept", "20785"), "user:{42}:kept:20785");
    let payer = Payer::Client(ClientAddress("::/64".into()));
    assert_eq!(styled_payer(&payer, KeyStyle::Hashtag), "client:{%3A%3A/64}");
}

proptest! {
    #[test]
    fn a_name_keeps_the_whole_uid_in_one_place(uid in any::<String>().prop_filter("a uid", |text| Uid::new(text.as_str()).is_ok())) {
        for style in [KeyStyle::Plain, KeyStyle::Hashtag] {
            let id = Uid::new(uid.clone()).unwrap();
            let styled = AccountNames::styled(&id, style);
            let account = account_named(styled.own());
            prop_assert_eq!(account.as_ref(), Some(&id));
            let cycle = cycle_named(&styled.usage(Channel::Api, Counters::Cycle(CYCLE)));
            prop_assert_eq!(cycle, Some((id, CYCLE)));
        }
        let name = names(&uid).usage(Channel::Api, Counters::Month(MARCH));
        let places: Vec<&str> = name.split(':').collect();
        prop_assert_eq!(places.len(), 5);
        prop_assert_eq!(decode(places[1]), Some(uid));
        let stumbles = name.contains(['{', '}', ' ', '\n']);
        prop_assert!(!stumbles, "{}", name);
    }
}
