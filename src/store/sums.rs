//! What entries of a ledger add up to. Both engines close months and compare by these rules.

use super::{
    EntryKind,
    key_names::{AccountNames, Served},
    number::PREPAID,
};
use crate::domain::{credit::Pool, time::Month};
use std::collections::BTreeMap;

/// The sums of some entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many entries, without openings: those are no operations.
    pub entries: u64,
    /// By counters' documented names without the account's own, and `prepaid`.
    pub credits: BTreeMap<String, i64>,
}

/// What an account's closed months add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// No keep of this month or an earlier one is counted any more; `None` if no month is closed.
    pub through: Option<Month>,
    /// All entries that were closed.
    pub sums: Sums,
}

impl Sums {
    /// Adds one entry.
    pub(super) fn add(&mut self, names: &AccountNames, kind: &EntryKind) {
        self.entries += u64::from(!matches!(kind, EntryKind::Opening { .. }));
        match kind {
            EntryKind::Granted { credits } => self.sum(PREPAID, *credits),
            EntryKind::Opening { counter, credits } => self.sum(counter, *credits),
            EntryKind::PlanChanged { .. } | EntryKind::PeriodSynced { .. } | EntryKind::Mended { .. } => {}
            EntryKind::Moved { from, to, app, api, prepaid } => {
                for (start, sign) in [(*from, -1), (*to, 1)] {
                    for (counter, count) in names.cycle_counters(start).iter().zip([app, api, prepaid]) {
                        self.sum(names.below(counter), sign * count.cast_signed());
                    }
                }
            }
            EntryKind::Served { channel, pool, month, cycle, key, late: _ } => {
                let served = Served { channel: *channel, pool: *pool, month: *month, cycle: *cycle, key: key.as_ref() };
                for counter in served.counters(names) {
                    self.sum(names.below(&counter), 1);
                }
                if *pool == Pool::Prepaid {
                    self.sum(PREPAID, -1);
                }
            }
        }
    }

    fn sum(&mut self, counter: &str, by: i64) {
        let sum = self.credits.entry(counter.to_owned()).or_default();
        *sum = sum.saturating_add(by);
    }
}
