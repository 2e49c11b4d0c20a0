//! An open hold as it is stored: `channel|pool|month|cycle|lease|key|end of the lease` of an account, the key as names of
//! counters have it; `day|lease|end of the lease` of an anonymous client; times in microseconds.

use super::operation::{key_part, micros};
use crate::{
    domain::{
        api_key::KeyId,
        credit::{Channel, Charge, Hold, OperationId, Payer, Pool},
        time::{Day, Month, UnixMicros, UnixSeconds},
    },
    store::{Fault, Result, key_names},
};

/// The hold that a record tells of.
pub(super) fn hold(id: &OperationId, payer: &Payer, record: &str) -> Result<Hold> {
    read(id, payer, record).ok_or_else(|| Fault::Unexpected(format!("a hold is stored as {record:?}")))
}

/// The record of a hold, as the script for a hold writes it.
pub(super) fn text(hold: &Hold) -> String {
    let Hold { charge, taken, expires, .. } = hold;
    let lease = micros(taken.until(*expires));
    match charge {
        Charge::Client { day, .. } => format!("{day}|{lease}|{}", expires.0),
        Charge::Account { channel, pool, month, cycle, key, .. } => {
            let cycle = cycle.map_or(String::new(), |start| start.0.to_string());
            let key = key_part(key.as_ref());
            format!("{}|{}|{month}|{cycle}|{lease}|{key}|{}", channel.as_str(), pool.as_str(), expires.0)
        }
    }
}

/// Whether an account's record is of a hold on prepaid credits.
pub(super) fn is_prepaid(record: &str) -> bool {
    record.split('|').nth(1) == Some(Pool::Prepaid.as_str())
}

/// When the lease of a record ends.
pub(super) fn ends(record: &str) -> Option<UnixMicros> {
    record.rsplit_once('|')?.1.parse().ok().map(UnixMicros)
}

fn read(id: &OperationId, payer: &Payer, record: &str) -> Option<Hold> {
    let (rest, _) = record.rsplit_once('|')?;
    let expires = ends(record)?;
    let mut fields = rest.splitn(6, '|');
    let mut next = || fields.next();
    let (charge, lease) = match payer {
        Payer::Client(client) => (Charge::Client { client: client.clone(), day: day(next()?)? }, next()?),
        Payer::Account(uid) => {
            let (channel, pool, month, cycle) = (channel(next()?)?, pool(next()?)?, month(next()?)?, next()?);
            let (cycle, lease) = (cycle.parse().ok().map(UnixSeconds), next()?);
            let key = key(next()?)?;
            (Charge::Account { uid: uid.clone(), channel, pool, month, cycle, key }, lease)
        }
    };
    Some(Hold { id: id.clone(), charge, taken: UnixMicros(expires.0 - lease.parse::<i64>().ok()?), expires })
}

/// The key that a record names, if it names one.
#[expect(clippy::option_option, reason = "a record that cannot be read is another thing than one without a key")]
pub(super) fn key(part: &str) -> Option<Option<KeyId>> {
    if part.is_empty() { Some(None) } else { key_names::key_of(part).map(Some) }
}

pub(super) fn pool(text: &str) -> Option<Pool> {
    [Pool::Included, Pool::Prepaid].into_iter().find(|pool| pool.as_str() == text)
}

pub(super) fn channel(text: &str) -> Option<Channel> {
    [Channel::App, Channel::Api].into_iter().find(|channel| channel.as_str() == text)
}

/// `2026:3`
pub(super) fn month(text: &str) -> Option<Month> {
    let (year, month) = text.split_once(':')?;
    Some(Month { year: year.parse().ok()?, month: month.parse().ok()? })
}

/// `2026:3:9`
fn day(text: &str) -> Option<Day> {
    let (month, day) = text.rsplit_once(':')?;
    let Month { year, month } = self::month(month)?;
    Some(Day { year, month, day: day.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{account::Uid, client_address::ClientAddress};

    #[test]
    fn a_hold_is_read_as_it_is_written() {
        let uid = Uid::new("42").unwrap();
        let month = Month { year: 2026, month: 3 };
        let account = |pool, cycle, key: Option<&str>| Charge::Account {
            uid: uid.clone(),
            channel: Channel::Api,
            pool,
            month,
            cycle,
            key: key.map(|key| KeyId(key.into())),
        };
        let day = Day { year: 2026, month: 3, day: 9 };
        for charge in [
            account(Pool::Included, Some(UnixSeconds(7)), Some("a|strange:{key} % of")),
            account(Pool::Prepaid, None, None),
            Charge::Client { client: ClientAddress("::/64".into()), day },
        ] {
            let id = OperationId("o".into());
            let written = Hold { id: id.clone(), charge, taken: UnixMicros(1), expires: UnixMicros(2) };
            assert_eq!(hold(&id, &written.charge.payer(), &text(&written)).unwrap(), written);
        }
    }
}
