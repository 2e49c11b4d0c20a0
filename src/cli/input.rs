//! Parses arguments.

use crate::domain::{
    account::{BadUid, Uid},
    credit::MOST_CREDITS,
    rate_limit::Burst,
    time::UnixSeconds,
};
use jiff::{Timestamp, civil};

const EPOCH: civil::Date = civil::Date::constant(1970, 1, 1);

/// An account's identifier.
pub(super) fn uid(text: &str) -> Result<Uid, BadUid> {
    Uid::new(text)
}

/// A short-term limit, as `PER_MINUTE/SIZE`.
pub(super) fn burst(text: &str) -> Result<Burst, &'static str> {
    let number = |text: &str| text.parse().ok().filter(|number| (1..=Burst::MOST).contains(number));
    let burst = text
        .split_once('/')
        .and_then(|(per_minute, size)| Some(Burst { per_minute: number(per_minute)?, size: number(size)? }));
    burst.ok_or("write requests a minute and at once, each from 1 to 1000000, such as 60/20")
}

/// A number of credits.
pub(super) fn credits(text: &str) -> Result<u64, &'static str> {
    let credits = text.parse().ok().filter(|credits| *credits <= MOST_CREDITS);
    credits.ok_or("write how many, from 0 to 9007199254740991")
}

/// The same; a negative number takes credits back.
pub(super) fn credits_or_back(text: &str) -> Result<i64, &'static str> {
    let credits = text.parse::<i64>().ok().filter(|credits| credits.unsigned_abs() <= MOST_CREDITS);
    credits.ok_or("write how many, up to 9007199254740991, or with a minus to take some back")
}

/// The most pixels of a picture, up to the largest number that a store can hold; 0 for no limit.
pub(super) fn pixels(text: &str) -> Result<u64, &'static str> {
    let pixels = text.parse::<u64>().ok().filter(|pixels| i64::try_from(*pixels).is_ok());
    pixels.ok_or("write how many, such as 40000000, or 0 for no limit")
}

/// A moment: a date, which is its first second in UTC, or a date with time and zone.
pub(super) fn moment(text: &str) -> Result<UnixSeconds, &'static str> {
    let date = text.parse::<civil::Date>().ok().filter(|_| text.len() == 10).map(civil::DateTime::from);
    // `Timestamp` ends a day before the calendar does, and people type the calendar's last day for "never".
    let in_utc = || text.strip_suffix(['Z', 'z'])?.parse::<civil::DateTime>().ok();
    let seconds = |moment: civil::DateTime| moment.duration_since(civil::DateTime::from(EPOCH)).as_secs();
    let moment = date.or_else(in_utc).map(seconds).or_else(|| Some(text.parse::<Timestamp>().ok()?.as_second()));
    moment.map(UnixSeconds).ok_or("write a date such as 2027-01-31, up to 9999-12-31, or 2027-01-31T12:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_second_in_utc() {
        for (text, second) in [
            ("2026-03-01", 1_772_323_200),
            ("2026-03-01T12:00:00Z", 1_772_366_400),
            ("2026-03-01T13:00:00+01:00", 1_772_366_400),
            ("9999-12-31", 253_402_214_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("0000-01-01", -62_167_219_200),
        ] {
            assert_eq!(moment(text), Ok(UnixSeconds(second)), "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "2026-02-30",
            "2026-03-01T12:00:00",
            "01.03.2026",
            "1772366400",
            "10000-01-01",
            "2026-13-01",
            "2026-02-30T00:00:00Z",
            "Z",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
