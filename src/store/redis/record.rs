//! An open hold as it is stored: `taken|expires|pool|month or day|cycle|channel|key`.

use crate::{
    domain::{
        api_key::KeyId,
        credit::{Channel, Charge, Hold, OperationId, Payer, Pool},
        time::{Day, Month, UnixMicros, UnixSeconds},
    },
    store::{Fault, Result},
};

/// The hold that a record tells of.
pub(super) fn hold(id: &OperationId, payer: &Payer, record: &str) -> Result<Hold> {
    read(id, payer, record).ok_or_else(|| Fault::Unexpected(format!("a hold is stored as {record:?}")))
}

/// The record of a hold, as the script for a hold writes it.
pub(super) fn text(hold: &Hold) -> String {
    let Hold { charge, taken, expires, .. } = hold;
    let rest = match charge {
        Charge::Client { day, .. } => format!("day|{day}||"),
        Charge::Account { channel, pool, month, cycle, key, .. } => {
            let cycle = cycle.map_or(String::new(), |start| start.0.to_string());
            let key = key.as_ref().map_or("", |key| key.0.as_str());
            format!("{}|{month}|{cycle}|{}|{key}", pool.as_str(), channel.as_str())
        }
    };
    format!("{}|{}|{rest}", taken.0, expires.0)
}

fn read(id: &OperationId, payer: &Payer, record: &str) -> Option<Hold> {
    let mut fields = record.splitn(7, '|');
    let mut next = || fields.next();
    let micros = |text: &str| text.parse().ok().map(UnixMicros);
    let (taken, expires) = (micros(next()?)?, micros(next()?)?);
    let (pool, calendar, cycle) = (next()?, next()?, next()?);
    let charge = match payer {
        Payer::Client(client) => Charge::Client { client: client.clone(), day: day(calendar)? },
        Payer::Account(uid) => Charge::Account {
            uid: uid.clone(),
            pool: self::pool(pool)?,
            month: month(calendar)?,
            cycle: cycle.parse().ok().map(UnixSeconds),
            channel: channel(next()?)?,
            key: next().filter(|key| !key.is_empty()).map(|key| KeyId(key.into())),
        },
    };
    Some(Hold { id: id.clone(), charge, taken, expires })
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
            account(Pool::Included, Some(UnixSeconds(7)), Some("a|strange|key")),
            account(Pool::Prepaid, None, None),
            Charge::Client { client: ClientAddress("::/64".into()), day },
        ] {
            let id = OperationId("o".into());
            let written = Hold { id: id.clone(), charge, taken: UnixMicros(1), expires: UnixMicros(2) };
            assert_eq!(hold(&id, &written.charge.payer(), &text(&written)).unwrap(), written);
        }
    }
}
