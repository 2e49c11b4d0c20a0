//! The documented names of counters (contract, section 3), and ours beside them: spelled here, and in the scripts of
//! `store/lua` that derive them from an account's own.
//!
//! The name of every account, key and client takes exactly one place between two colons: characters that names are
//! built from, and those that Redis tools stumble over, are percent-encoded.

use crate::domain::{
    account::Uid,
    api_key::{KeyHash, KeyId},
    client_address::ClientAddress,
    credit::{Channel, Payer, Pool},
    period::Counters,
    time::{Day, Month, UnixSeconds},
};
use std::borrow::Cow;

/// How the identifier of an account or a client is written into names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyStyle {
    /// `user:42:…`
    Plain,
    /// `user:{42}:…`: Redis Cluster's hash-tag, which keeps everything of one account in one slot.
    Hashtag,
}

impl KeyStyle {
    fn tag(self, id: &str) -> Cow<'_, str> {
        match self {
            Self::Plain => encode(id),
            Self::Hashtag => format!("{{{}}}", encode(id)).into(),
        }
    }
}

/// The names of everything that belongs to one account; all begin with the account's own.
pub(super) struct AccountNames {
    own: String,
}

impl AccountNames {
    pub(super) fn of(uid: &Uid) -> Self {
        Self::styled(uid, KeyStyle::Plain)
    }

    pub(super) fn styled(uid: &Uid, style: KeyStyle) -> Self {
        Self { own: format!("user:{}", style.tag(uid.as_str())) }
    }

    /// `user:42`
    pub(super) fn own(&self) -> &str {
        &self.own
    }

    /// The whole name of the part `below` an account: `user:42:app_usage:2026:3` for `app_usage:2026:3`.
    pub(super) fn whole(&self, below: &str) -> String {
        format!("{}:{below}", self.own)
    }

    /// The rest of a name that begins with the account's own.
    pub(super) fn below<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.own()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(name)
    }

    /// `user:42:app_usage:2026:3` or `user:42:api_usage:cycle:1774268612`: included credits.
    pub(super) fn usage(&self, channel: Channel, window: Counters) -> String {
        format!("{}:{}_usage:{}", self.own, channel.as_str(), span(window))
    }

    /// The beginning of the names of one channel's cycle counters; the cycle's start follows.
    pub(super) fn cycles(&self, channel: Channel) -> String {
        format!("{}:{}_usage:cycle:", self.own, channel.as_str())
    }

    /// `user:42:prepaid_usage:2026:3` or `user:42:prepaid_usage:cycle:1774268612`: prepaid credits, either channel.
    pub(super) fn prepaid_usage(&self, window: Counters) -> String {
        format!("{}:prepaid_usage:{}", self.own, span(window))
    }

    /// The window's two counters, of signed-in users and of API keys.
    pub(super) fn usages(&self, window: Counters) -> [String; 2] {
        [Channel::App, Channel::Api].map(|channel| self.usage(channel, window))
    }

    /// A cycle's three counters: of signed-in users, of API keys, and of prepaid credits.
    pub(super) fn cycle_counters(&self, start: UnixSeconds) -> [String; 3] {
        let [app, api] = self.usages(Counters::Cycle(start));
        [app, api, self.prepaid_usage(Counters::Cycle(start))]
    }

    /// `user:42:ledger:2026:3`: a stream with everything of one month that moved a counter or the balance.
    pub(super) fn ledger(&self, month: Month) -> String {
        format!("{}:ledger:{month}", self.own)
    }

    /// `user:42:ledgers`: the months that have a ledger.
    pub(super) fn ledgers(&self) -> String {
        format!("{}:ledgers", self.own)
    }

    /// `user:42:closed`: what the entries of closed months add up to.
    pub(super) fn closed(&self) -> String {
        format!("{}:closed", self.own)
    }

    /// `user:42:cycles`: the starts of the billing cycles that have counters.
    pub(super) fn cycle_index(&self) -> String {
        format!("{}:cycles", self.own)
    }

    /// `user:42:counted`: the counters that this gateway has raised, so that it knows which it has yet to adopt.
    pub(super) fn counted(&self) -> String {
        format!("{}:counted", self.own)
    }

    /// `user:42:grants`: every grant's operation id and the balance after it, for ever.
    pub(super) fn grants(&self) -> String {
        format!("{}:grants", self.own)
    }

    /// `user:42:keys`: the account's API keys, by their public identifier.
    pub(super) fn keys(&self) -> String {
        format!("{}:keys", self.own)
    }

    /// `user:42:revoked`: the time at which each revoked key was revoked.
    pub(super) fn revoked(&self) -> String {
        format!("{}:revoked", self.own)
    }

    /// `user:42:last_used`: when each of the account's keys was last used.
    pub(super) fn last_used(&self) -> String {
        format!("{}:last_used", self.own)
    }

    /// `user:42:stripe`: the state that Stripe's events have left, and the number of steps.
    pub(super) fn stripe(&self) -> String {
        format!("{}:stripe", self.own)
    }

    /// `user:42:stripe_events`: claimed events, with the time of each.
    pub(super) fn stripe_events(&self) -> String {
        format!("{}:stripe_events", self.own)
    }

    /// `user:42:stripe_ids`: Stripe's objects and customers that concern the account, among others.
    pub(super) fn stripe_ids(&self) -> String {
        format!("{}:stripe_ids", self.own)
    }

    /// `user:42:moved_cycles`: predicted billing cycles whose usage was moved to another; keeps that come later follow.
    pub(super) fn moved_cycles(&self) -> String {
        format!("{}:moved_cycles", self.own)
    }

    /// `user:42:holds`: what each open hold will be counted under, by operation id.
    pub(super) fn holds(&self) -> String {
        format!("{}:holds", self.own)
    }

    /// `user:42:kept:20785` or `user:42:released:20785`: operations whose ids are of one day, by how they ended.
    pub(super) fn settled(&self, ended: &str, day: &str) -> String {
        format!("{}:{ended}:{day}", self.own)
    }

    /// `user:42:key_usage:k1:2026:3`: credits of either pool that were spent with one key.
    pub(super) fn key_usage(&self, key: &KeyId, month: Month) -> String {
        format!("{}:key_usage:{}:{month}", self.own, encode(&key.0))
    }
}

/// A key's place in the names of its counters.
pub(super) fn key_part(key: &KeyId) -> Cow<'_, str> {
    encode(&key.0)
}

impl AsRef<str> for AccountNames {
    fn as_ref(&self) -> &str {
        self.own()
    }
}

/// The key whose place in names this is.
pub(super) fn key_of(part: &str) -> Option<KeyId> {
    decode(part).map(|key| KeyId(key.into()))
}

/// The channel, the pool, the windows and the key that one served picture is counted under.
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
    styled_client_usage(client, day, KeyStyle::Plain)
}

/// The same in either style.
pub(super) fn styled_client_usage(client: &ClientAddress, day: Day, style: KeyStyle) -> String {
    format!("client:{}:usage:{day}", style.tag(&client.0))
}

/// The one name under which a payer's holds and settled operations are found.
pub(super) fn payer(payer: &Payer) -> String {
    styled_payer(payer, KeyStyle::Plain)
}

/// The same in either style.
pub(super) fn styled_payer(payer: &Payer, style: KeyStyle) -> String {
    match payer {
        Payer::Account(uid) => AccountNames::styled(uid, style).own,
        Payer::Client(client) => format!("client:{}", style.tag(&client.0)),
    }
}

/// Set once the cycles that other software had counted are in their accounts' indexes.
pub(super) const CYCLES_INDEXED: &str = "gateway:cycles_indexed";

/// The month through which the ledgers of all accounts are closed.
pub(super) const ALL_CLOSED: &str = "gateway:ledgers_closed";

/// The gateways that serve, with the time when each was last seen. Every name that belongs to it shares the tag.
pub(super) const ALIVE: &str = "gateway:{peers}";

/// `gateway:{peers}:replayed:…`: the gateways that have replayed the writes that this server, or these, may have lost.
pub(super) fn replayed(identity: &[String]) -> String {
    format!("{ALIVE}:replayed:{}", encode(&identity.join("+")))
}

/// The channel on which changes of accounts and keys are announced to every gateway.
pub(super) const CHANGES: &str = "gateway:changes";

/// The number of the form of all keys and values, if it is not the first.
pub(super) const FORMAT: &str = "gateway:format";

/// This key is written to see whether writing works.
pub(super) const PULSE: &str = "gateway:pulse";

/// The pattern for `SCAN` that every account's own name matches, in either style; names below it match too.
pub(super) const ANY_ACCOUNT: &str = "user:*";

/// The pattern for `SCAN` that every cycle counter's name matches.
pub(super) const ANY_CYCLE: &str = "user:*_usage:cycle:*";

/// The pattern for `SCAN` that every payer's open holds match.
pub(super) const ANY_HOLDS: &str = "*:holds";

/// Stripe's events whose account is not known yet, by their id. Every name that belongs to them shares the tag.
pub(super) const PARKED: &str = "stripe:{parked}";

/// `stripe:{parked}:under:cus_1`: the parked events that this id may lead to an account.
pub(super) fn parked_under(alias: &str) -> String {
    format!("{PARKED}:under:{}", encode(alias))
}

/// `stripe:object:sub_1`: the stored text about one of Stripe's objects, or a customer, which belongs to no account.
pub(super) fn stripe_object(id: &str) -> String {
    format!("stripe:object:{}", encode(id))
}

/// `apikey:9f86d0…`: the pointer from a key's hash to its account and public identifier.
pub(super) fn key_pointer(hash: &KeyHash) -> String {
    format!("apikey:{}", encode(&hash.0))
}

/// `apikey:id:k1`: the pointer from a key's public identifier to its account and hash.
pub(super) fn key_id_pointer(id: &KeyId) -> String {
    format!("apikey:id:{}", encode(&id.0))
}

/// The account whose own name this is, in either style; `None` for the name of anything else.
pub(super) fn account_named(name: &str) -> Option<Uid> {
    let tag = name.strip_prefix("user:")?;
    let tag = tag.strip_prefix('{').and_then(|tag| tag.strip_suffix('}')).unwrap_or(tag);
    if tag.contains([':', '{', '}']) { None } else { Uid::new(decode(tag)?).ok() }
}

/// The account and the start in a cycle counter's name, in either style.
pub(super) fn cycle_named(name: &str) -> Option<(Uid, UnixSeconds)> {
    let (rest, start) = name.rsplit_once(":cycle:")?;
    let own = rest.strip_suffix(":app_usage").or_else(|| rest.strip_suffix(":api_usage"))?;
    Some((account_named(own)?, UnixSeconds(start.parse().ok()?)))
}

fn span(window: Counters) -> String {
    match window {
        Counters::Month(month) => month.to_string(),
        Counters::Cycle(start) => format!("cycle:{}", start.0),
    }
}

/// Undoes [`encode`].
fn decode(name: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(name.len()), name.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(*first);
        if let (b'%', [high, low, beyond @ ..]) = (*first, tail) {
            let digits = [*high, *low];
            *bytes.last_mut()? = u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?;
            rest = beyond;
        }
    }
    String::from_utf8(bytes).ok()
}

fn encode(text: &str) -> Cow<'_, str> {
    // Nearly every name is one already.
    if text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b':' | b'%')) {
        return text.into();
    }
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
    encoded.into()
}

#[cfg(test)]
mod tests;
