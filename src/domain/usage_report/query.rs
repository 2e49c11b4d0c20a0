//! The query of `GET /api/membership-usage` (contract, section 4).

use crate::domain::{
    complaint::Complaint,
    period::{Counters, Window},
    time::{Month, UnixSeconds},
};
use std::borrow::Cow;

/// The largest `periodStartUnix`: the largest integer that every JSON reader keeps exactly.
const LARGEST_START: u64 = (1 << 53) - 1;

/// A query, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageQuery {
    /// List mode: every cycle's counters are needed, and nothing else.
    ListBillingCycles,
    /// Anything else.
    Report(ReportQuery),
}

/// The parts that a report shall show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportQuery {
    /// The counters whose usage is at the top level.
    pub asked: Asked,
    /// Whether `billingCycle` was asked for.
    pub billing_cycle: bool,
}

/// The counters that a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A UTC calendar month. A value that is not set is the present one.
    Month {
        /// 1–9999.
        year: Option<u16>,
        /// 1–12.
        month: Option<u8>,
    },
    /// The billing cycle that starts then.
    Cycle(UnixSeconds),
}

impl UsageQuery {
    /// Reads a raw query string, without its `?`.
    ///
    /// The first of a repeated parameter counts, an empty value is not set, a value that cannot be decoded stays as
    /// sent, and unknown parameters and flags are ignored. List mode ignores everything else, wrong or not.
    pub fn parse(raw: &str) -> Result<Self, Vec<Complaint>> {
        let query = Parameters(raw);
        if query.is_set("listBillingCycles") {
            return Ok(Self::ListBillingCycles);
        }
        let year = query.integer("year", within(1, 9999));
        let month = query.integer("month", within(1, 12));
        let start = query.integer("periodStartUnix", |field, value, sent| match value {
            ..1 => Some(Complaint::BelowRange(field, 1, sent)),
            _ if value.unsigned_abs() > LARGEST_START => Some(Complaint::AboveRange(field, LARGEST_START, sent)),
            _ => None,
        });
        let both = query.value("periodStartUnix").is_some()
            && (query.value("year").is_some() || query.value("month").is_some());
        match (year, month, start) {
            (Ok(year), Ok(month), Ok(start)) if !both => {
                let narrow = |value: Option<i64>| value.and_then(|value| u16::try_from(value).ok());
                let asked = match start {
                    Some(start) => Asked::Cycle(UnixSeconds(start)),
                    None => Asked::Month {
                        year: narrow(year),
                        month: narrow(month).and_then(|month| u8::try_from(month).ok()),
                    },
                };
                Ok(Self::Report(ReportQuery { asked, billing_cycle: query.asks_for_cycle() }))
            }
            (year, month, start) => {
                let faults = [year.err(), month.err(), start.err(), both.then_some(Complaint::PeriodWithMonth)];
                Err(faults.into_iter().flatten().collect())
            }
        }
    }
}

impl ReportQuery {
    /// The counters of the top-level usage.
    #[must_use]
    pub fn counters(&self, now: UnixSeconds) -> Counters {
        match self.asked {
            Asked::Cycle(start) => Counters::Cycle(start),
            Asked::Month { year, month } => {
                let present = now.month();
                Counters::Month(Month { year: year.unwrap_or(present.year), month: month.unwrap_or(present.month) })
            }
        }
    }

    /// The counters of `billingCycle`, if it was asked for; `window` is the one in force.
    #[must_use]
    pub fn cycle_counters(&self, window: &Window) -> Option<Counters> {
        self.billing_cycle.then(|| match self.asked {
            Asked::Cycle(start) => Counters::Cycle(start),
            Asked::Month { .. } => window.counters(),
        })
    }
}

/// A raw query string. Few parameters are ever asked for, so each look-up reads it from the start.
#[derive(Clone, Copy)]
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    /// The first value of that name, decoded; `None` if there is none or it is empty.
    fn value(self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = form_urlencoded::parse(self.0.as_bytes()).find(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value)
    }

    fn is_set(self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value == "1" || value == "true")
    }

    fn asks_for_cycle(self) -> bool {
        let expands = |value: Cow<'_, str>| value.split(',').any(|flag| flag.trim() == "billing_cycle");
        self.is_set("includeBillingCycle") || self.value("expand").is_some_and(expands)
    }

    /// An integer, judged by `fault`. One that is too long for the type is judged as the type's farthest value.
    fn integer(
        self,
        name: &'static str,
        fault: impl Fn(&'static str, i64, String) -> Option<Complaint>,
    ) -> Result<Option<i64>, Complaint> {
        let Some(sent) = self.value(name) else { return Ok(None) };
        let text = sent.trim();
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Complaint::NotAnInteger(name, sent.into_owned()));
        }
        let farthest = if text.starts_with('-') { i64::MIN } else { i64::MAX };
        let value = text.parse().unwrap_or(farthest);
        fault(name, value, sent.into_owned()).map_or(Ok(Some(value)), Err)
    }
}

fn within(least: u64, most: u64) -> impl Fn(&'static str, i64, String) -> Option<Complaint> {
    move |field, value, sent| {
        let inside = u64::try_from(value).is_ok_and(|value| (least..=most).contains(&value));
        (!inside).then_some(Complaint::OutsideRange(field, least, most, sent))
    }
}
