//! What time it is for an account: the window in force, computed here because Lua has no calendar.
//!
//! A script is told what was computed from, and for which moments it is so. If the account's period or the server's
//! clock says otherwise, the script does nothing and answers with what is so; then it is computed again.

use crate::{
    domain::{
        period::{BillingPeriod, Interval, IntervalUnit, Window, WindowKind},
        plan::Terms,
        time::{Month, UnixMicros, UnixSeconds},
    },
    store::{
        Result,
        key_names::AccountNames,
        whole::{not_an_integer, whole},
    },
};

/// An account's period fields as stored, in one text: `start|end|interval|anchor|ends_at|fallen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PeriodFields(pub(super) String);

/// The fields of [`PeriodFields`], as the account's hash names them.
pub(super) const PERIOD_FIELDS: [&str; 6] = [
    "billing_period_start",
    "billing_period_end",
    "billing_interval",
    "billing_anchor",
    "billing_ends_at",
    "billing_fallen",
];

/// Those of them that are moments.
pub(super) const MOMENTS: [&str; 4] =
    ["billing_period_start", "billing_period_end", "billing_anchor", "billing_ends_at"];

impl Default for PeriodFields {
    /// Of an account without a period.
    fn default() -> Self {
        Self("|".repeat(PERIOD_FIELDS.len() - 1))
    }
}

impl PeriodFields {
    /// From the account's fields.
    pub(super) fn of(field: impl Fn(&str) -> Option<String>) -> Self {
        Self(PERIOD_FIELDS.map(|name| field(name).unwrap_or_default()).join("|"))
    }

    /// Fails for a field that is there and that nobody can read: what it would be read as may cost somebody something.
    pub(super) fn must_be_readable(&self, names: &AccountNames) -> Result<()> {
        for (name, text) in PERIOD_FIELDS.iter().zip(self.0.split('|')) {
            if MOMENTS.contains(name) && !text.is_empty() && whole(text).is_none() {
                return Err(not_an_integer(&format!("{} {name}", names.own())));
            }
        }
        Ok(())
    }

    /// The period that they tell; `None` without start and end.
    pub(super) fn period(&self) -> Option<BillingPeriod> {
        let mut fields = self.0.split('|');
        let mut next = || fields.next().unwrap_or_default();
        let (start, end, interval, anchor, ends_at, fallen) = (next(), next(), next(), next(), next(), next());
        let seconds = |text: &str| whole(text).map(UnixSeconds);
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
    let unit = IntervalUnit::ALL.into_iter().find(|one| one.as_str() == unit)?;
    Some(Interval { unit, count: count.parse().ok()? })
}

/// A period's fields in the order of [`PERIOD_FIELDS`], empty for what is not known.
pub(super) fn period_fields(period: &BillingPeriod) -> [String; 6] {
    let BillingPeriod { start, end, interval, anchor, ends_at, fallen } = period;
    let optional = |moment: &Option<UnixSeconds>| moment.map_or(String::new(), |moment| moment.0.to_string());
    [
        start.0.to_string(),
        end.0.to_string(),
        interval.map_or(String::new(), |interval| format!("{}:{}", interval.unit.as_str(), interval.count)),
        optional(anchor),
        optional(ends_at),
        if *fallen { "1".into() } else { String::new() },
    ]
}

/// The window and the month at a moment, whether the account has fallen to the default plan by then though that is not
/// written yet, and for how long all of this stays so.
pub(super) struct Moment {
    pub(super) window: Window,
    pub(super) month: Month,
    pub(super) falls: bool,
    /// From when on, and until when, all of this is so.
    pub(super) from: UnixMicros,
    pub(super) until: UnixMicros,
}

impl Moment {
    pub(super) fn at(period: Option<&BillingPeriod>, terms: &Terms, now: UnixMicros) -> Self {
        let now = now.seconds();
        let (window, month) = (Window::at(period, terms.renewal_grace, now), now.month());
        let lapses = period.map(|period| period.lapses(terms.renewal_grace));
        let (before_lapse, after_lapse) = match lapses {
            Some(lapses) if now < lapses => (Some(lapses), None),
            other => (None, other),
        };
        let began = if window.kind == WindowKind::Predicted { window.start } else { month.start() };
        let from = began.max(month.start()).max(after_lapse.unwrap_or(began));
        let until = window.until.min(month.end());
        Self {
            window,
            month,
            falls: period.is_some_and(|period| period.must_fall(terms.renewal_grace, now)),
            from: from.micros(),
            until: before_lapse.map_or(until, |lapses| until.min(lapses)).micros(),
        }
    }

    /// The included credits that count instead of those that are stored, as a script wants them; empty for none.
    pub(super) fn credits(&self, terms: &Terms) -> String {
        if self.falls { terms.default_plan.1.to_string() } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn period_fields_are_read_as_they_are_written() {
        let period = PeriodFields("5|9|week:2|3|8|1".into()).period().unwrap();
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
        assert_eq!(period_fields(&period).join("|"), "5|9|week:2|3|8|1");
        assert_eq!(PeriodFields::default().period(), None);
        assert_eq!(PeriodFields("5|9||||".into()).period(), Some(BillingPeriod::new(UnixSeconds(5), UnixSeconds(9))));
    }

    proptest! {
        #[test]
        fn the_present_is_the_same_at_every_moment_for_which_it_says_so(
            start in 1_700_000_000i64..1_800_000_000,
            length in 1i64..9_000_000,
            ends in prop::option::of(0i64..20_000_000),
            now in 1_690_000_000i64..1_820_000_000,
            within in 0.0f64..1.0,
        ) {
            let terms = Terms { renewal_grace: Duration::from_hours(72), default_plan: ("Free".into(), 2) };
            let ends_at = ends.map(|after| UnixSeconds(start + after));
            let period = BillingPeriod { ends_at, ..BillingPeriod::new(UnixSeconds(start), UnixSeconds(start + length)) };
            let moment = Moment::at(Some(&period), &terms, UnixSeconds(now).micros());
            prop_assert!(moment.from <= UnixSeconds(now).micros() && UnixSeconds(now).micros() < moment.until);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any moment in between will do")]
            let other = UnixMicros(moment.from.0 + ((moment.until.0 - 1 - moment.from.0) as f64 * within) as i64);
            let then = Moment::at(Some(&period), &terms, other);
            prop_assert_eq!((then.window, then.month, then.falls), (moment.window, moment.month, moment.falls));
        }
    }
}
