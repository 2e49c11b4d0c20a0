//! What time it is for an account: the window in force, computed here because Lua has no calendar.
//!
//! A script is told what was computed from, and for which moments it is so. If the account's period or the server's
//! clock says otherwise, the script does nothing and answers with what is so; then it is computed again.

use crate::{
    domain::{
        period::{BillingPeriod, Interval, IntervalUnit, Window, WindowKind},
        time::{Month, UnixMicros, UnixSeconds},
    },
    store::RENEWAL_GRACE,
};

/// An account's period fields as stored, in one text: `start|end|interval|anchor|ends_at|fallen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen(pub(super) String);

/// The fields of [`Seen`], as the account's hash names them.
pub(super) const PERIOD_FIELDS: [&str; 6] = [
    "billing_period_start",
    "billing_period_end",
    "billing_interval",
    "billing_anchor",
    "billing_ends_at",
    "billing_fallen",
];

impl Default for Seen {
    /// Of an account without a period.
    fn default() -> Self {
        Self("|".repeat(PERIOD_FIELDS.len() - 1))
    }
}

impl Seen {
    /// From the account's fields.
    pub(super) fn of(field: impl Fn(&str) -> Option<String>) -> Self {
        Self(PERIOD_FIELDS.map(|name| field(name).unwrap_or_default()).join("|"))
    }

    /// The period that they tell; `None` without start and end.
    pub(super) fn period(&self) -> Option<BillingPeriod> {
        let mut fields = self.0.split('|');
        let mut next = || fields.next().unwrap_or_default();
        let (start, end, interval, anchor, ends_at, fallen) = (next(), next(), next(), next(), next(), next());
        let seconds = |text: &str| text.parse().ok().map(UnixSeconds);
        Some(BillingPeriod {
            interval: interval_of(interval),
            anchor: seconds(anchor),
            ends_at: seconds(ends_at),
            fallen: fallen == "1",
            ..BillingPeriod::new(seconds(start)?, seconds(end)?)
        })
    }
}

/// `month:3`
fn interval_of(text: &str) -> Option<Interval> {
    let (unit, count) = text.split_once(':')?;
    let units = [IntervalUnit::Day, IntervalUnit::Week, IntervalUnit::Month, IntervalUnit::Year];
    let named = |unit: IntervalUnit| match unit {
        IntervalUnit::Day => "day",
        IntervalUnit::Week => "week",
        IntervalUnit::Month => "month",
        IntervalUnit::Year => "year",
    };
    Some(Interval { unit: units.into_iter().find(|one| named(*one) == unit)?, count: count.parse().ok()? })
}

/// The window and the month at a moment, and for how long they stay so.
pub(super) struct Present {
    pub(super) window: Window,
    pub(super) month: Month,
    /// From when on, and until when, all of this is so.
    pub(super) from: UnixMicros,
    pub(super) until: UnixMicros,
}

impl Present {
    pub(super) fn at(period: Option<&BillingPeriod>, now: UnixMicros) -> Self {
        let now = now.seconds();
        let (window, month) = (Window::at(period, RENEWAL_GRACE, now), now.month());
        let began = match (window.kind, period) {
            (WindowKind::Predicted, _) => window.start,
            (WindowKind::Calendar(_), Some(period)) => period.lapses(RENEWAL_GRACE),
            (WindowKind::Calendar(_), None) | (WindowKind::Stated, _) => month.start(),
        };
        Self { window, month, from: began.max(month.start()).micros(), until: window.until.min(month.end()).micros() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn period_fields_are_read_as_they_are_written() {
        let period = Seen("5|9|week:2|3|8|1".into()).period().unwrap();
        let interval = Interval { unit: IntervalUnit::Week, count: 2 };
        assert_eq!(
            period,
            BillingPeriod {
                interval: Some(interval),
                anchor: Some(UnixSeconds(3)),
                ends_at: Some(UnixSeconds(8)),
                fallen: true,
                ..BillingPeriod::new(UnixSeconds(5), UnixSeconds(9))
            }
        );
        assert_eq!(Seen::default().period(), None);
        assert_eq!(Seen("5|9||||".into()).period(), Some(BillingPeriod::new(UnixSeconds(5), UnixSeconds(9))));
    }

    proptest! {
        #[test]
        fn the_present_is_the_same_at_every_moment_for_which_it_says_so(
            start in 1_700_000_000i64..1_800_000_000,
            length in 1i64..9_000_000,
            ends in prop::option::of(0i64..20_000_000),
            now in 1_700_000_000i64..1_820_000_000,
            within in 0.0f64..1.0,
        ) {
            let ends_at = ends.map(|after| UnixSeconds(start + after));
            let period = BillingPeriod { ends_at, ..BillingPeriod::new(UnixSeconds(start), UnixSeconds(start + length)) };
            let present = Present::at(Some(&period), UnixSeconds(now).micros());
            prop_assert!(present.from <= UnixSeconds(now).micros() && UnixSeconds(now).micros() < present.until);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any moment in between will do")]
            let other = UnixMicros(present.from.0 + ((present.until.0 - 1 - present.from.0) as f64 * within) as i64);
            let then = Present::at(Some(&period), other);
            prop_assert_eq!((then.window, then.month), (present.window, present.month));
        }
    }
}
