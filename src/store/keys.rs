//! The documented names of counters (contract, section 3), and ours beside them: spelled here and nowhere else.
//!
//! Whatever an account, a key or a client is called, its name takes exactly one place between two colons: characters
//! that names are built from, and those that Redis tools stumble over, are percent-encoded.

use crate::domain::{
    caller::{Channel, ClientAddress, KeyId, Payer, Uid},
    credit::Pool,
    period::Counters,
    time::{Day, Month, UnixSeconds},
};

/// The names of everything that belongs to one account; all begin with the account's own.
pub(super) struct AccountNames {
    own: String,
}

impl AccountNames {
    pub(super) fn of(uid: &Uid) -> Self {
        Self { own: format!("user:{}", encode(uid.as_str())) }
    }

    /// `user:42`
    pub(super) fn own(&self) -> &str {
        &self.own
    }

    /// `user:42:app_usage:2026:3` or `user:42:api_usage:cycle:1774268612`: included credits.
    pub(super) fn usage(&self, channel: Channel, window: Counters) -> String {
        format!("{}:{}_usage:{}", self.own, channel.as_str(), span(window))
    }

    /// What the names of one channel's cycle counters begin with; the cycle's start follows.
    pub(super) fn cycles(&self, channel: Channel) -> String {
        format!("{}:{}_usage:cycle:", self.own, channel.as_str())
    }

    /// `user:42:prepaid_usage:2026:3` or `user:42:prepaid_usage:cycle:1774268612`: prepaid credits, either channel.
    pub(super) fn prepaid_usage(&self, window: Counters) -> String {
        format!("{}:prepaid_usage:{}", self.own, span(window))
    }

    /// `user:42:key_usage:k1:2026:3`: credits of either pool that were spent with one key.
    pub(super) fn key_usage(&self, key: &KeyId, month: Month) -> String {
        format!("{}:key_usage:{}:{month}", self.own, encode(&key.0))
    }
}

/// What one served picture is counted under.
pub(super) struct Served<'a> {
    pub(super) channel: Channel,
    pub(super) pool: Pool,
    pub(super) month: Month,
    pub(super) cycle: Option<UnixSeconds>,
    pub(super) key: Option<&'a KeyId>,
}

impl Served<'_> {
    /// Every counter that one such picture raises by one.
    pub(super) fn counters(&self, names: &AccountNames) -> Vec<String> {
        let windows = [Some(Counters::Month(self.month)), self.cycle.map(Counters::Cycle)];
        let by_window = windows.into_iter().flatten().map(|window| match self.pool {
            Pool::Included => names.usage(self.channel, window),
            Pool::Prepaid => names.prepaid_usage(window),
        });
        by_window.chain(self.key.map(|key| names.key_usage(key, self.month))).collect()
    }
}

/// `client:203.0.113.7:usage:2026:3:9`: pictures of one anonymous client's day.
pub(super) fn client_usage(client: &ClientAddress, day: Day) -> String {
    format!("client:{}:usage:{day}", encode(&client.0))
}

/// The one name under which a payer's holds, settled operations and bucket are found.
pub(super) fn payer(payer: &Payer) -> String {
    match payer {
        Payer::Account(uid) => AccountNames::of(uid).own,
        Payer::Client(client) => format!("client:{}", encode(&client.0)),
    }
}

fn span(window: Counters) -> String {
    match window {
        Counters::Month(month) => month.to_string(),
        Counters::Cycle(start) => format!("cycle:{}", start.0),
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '{' | '}' | ':' | '%') || character.is_whitespace() || character.is_control() {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                encoded.push('%');
                let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
                encoded.extend(digits.into_iter().flatten().map(|digit| digit.to_ascii_uppercase()));
            }
        } else {
            encoded.push(character);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
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

    fn decode(name: &str) -> Vec<u8> {
        let (mut bytes, mut rest) = (Vec::new(), name.as_bytes());
        while let [first, tail @ ..] = rest {
            if *first == b'%' {
                let digits = std::str::from_utf8(&tail[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &tail[2..];
            } else {
                bytes.push(*first);
                rest = tail;
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_name_keeps_the_whole_uid_in_one_place(uid in any::<String>().prop_filter("a uid", |text| Uid::new(text).is_ok())) {
            let name = names(&uid).usage(Channel::Api, Counters::Month(MARCH));
            let places: Vec<&str> = name.split(':').collect();
            prop_assert_eq!(places.len(), 5);
            prop_assert_eq!(decode(places[1]), uid.as_bytes());
            let stumbles = name.contains(['{', '}', ' ', '\n']);
            prop_assert!(!stumbles, "{}", name);
        }
    }
}
