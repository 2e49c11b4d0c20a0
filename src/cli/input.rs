//! From what was typed to what is meant.

use crate::domain::{
    caller::{BadUid, Uid},
    credit::Burst,
    time::UnixSeconds,
};
use jiff::{Timestamp, civil, tz::TimeZone};

/// An account's identifier.
pub(super) fn uid(text: &str) -> Result<Uid, BadUid> {
    Uid::new(text)
}

/// A short-term limit, as `PER_MINUTE/SIZE`.
pub(super) fn burst(text: &str) -> Result<Burst, &'static str> {
    let number = |text: &str| text.parse().ok().filter(|number| *number >= 1);
    let burst = text
        .split_once('/')
        .and_then(|(per_minute, size)| Some(Burst { per_minute: number(per_minute)?, size: number(size)? }));
    burst.ok_or("write requests a minute and at once, such as 60/20")
}

/// The most pixels of a picture: as many as a store can note.
pub(super) fn pixels(text: &str) -> Result<u64, &'static str> {
    let pixels = text.parse::<u64>().ok().filter(|pixels| *pixels >= 1 && i64::try_from(*pixels).is_ok());
    pixels.ok_or("write how many, such as 40000000")
}

/// A moment: a date, which is its first second in UTC, or a date with time and zone.
pub(super) fn moment(text: &str) -> Result<UnixSeconds, &'static str> {
    let date = text.parse::<civil::Date>().ok().filter(|_| text.len() == 10);
    let date = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
    let moment = date.or_else(|| text.parse::<Timestamp>().ok());
    moment.map(|at| UnixSeconds(at.as_second())).ok_or("write a date such as 2027-01-31, or 2027-01-31T12:00:00Z")
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
        ] {
            assert_eq!(moment(text), Ok(UnixSeconds(second)), "{text}");
        }
        for text in ["", "tomorrow", "2026-02-30", "2026-03-01T12:00:00", "01.03.2026", "1772366400"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
