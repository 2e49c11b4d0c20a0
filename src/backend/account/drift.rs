//! The difference between a service's count of our pictures and our own. Pure.

/// Both counts since the first report.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// `None` before the first report of an account.
    last: Option<Last>,
    /// The credits that the service has counted since the first report.
    theirs: u64,
    /// How many pictures it has returned to us since then.
    ours: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    used: u64,
    prepaid: i64,
    served: u64,
}

impl Drift {
    /// The credits that the service has counted since the first report.
    pub(super) fn used(&self) -> u64 {
        self.theirs
    }

    /// The next report is of another account, whose counters cannot be compared with those of the last one.
    pub(super) fn changes_account(&mut self) {
        self.last = None;
    }

    /// Takes a report: the included credits used in the month, the prepaid balance, and how many pictures were returned
    /// to us so far. Returns how many more credits the service has counted than pictures since the first report; the
    /// number is negative if it has counted fewer.
    ///
    /// A month's counter that is lower than before belongs to a new month. A balance that has risen was topped up, and
    /// it stays unknown how much of it was spent since the previous report.
    pub(super) fn learn(&mut self, used: u64, prepaid: i64, served: u64) -> i64 {
        if let Some(last) = self.last {
            let included = used.checked_sub(last.used).unwrap_or(used);
            let bought = u64::try_from(last.prepaid.saturating_sub(prepaid)).unwrap_or(0);
            self.theirs = self.theirs.saturating_add(included).saturating_add(bought);
            self.ours = self.ours.saturating_add(served.saturating_sub(last.served));
        }
        self.last = Some(Last { used, prepaid, served });
        clamp(self.theirs).saturating_sub(clamp(self.ours))
    }
}

fn clamp(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_is_what_one_side_counted_and_the_other_did_not() {
        // (used in the month, prepaid, pictures we were answered) of each report, and the drift after it.
        for reports in [
            &[((100, 50, 7), 0), ((110, 50, 17), 0), ((113, 50, 17), 3)][..], // somebody else used the account
            &[((100, 50, 0), 0), ((100, 45, 5), 0)],                          // prepaid credits are spent
            &[((990, 5, 0), 0), ((1_000, 0, 15), 0)],                         // both, in one go
            &[((900, 0, 0), 0), ((4, 0, 4), 0)],                              // a new month began
            &[((10, 0, 0), 0), ((10, 500, 0), 0), ((10, 499, 1), 0)],         // topped up
            &[((10, 0, 3), 0), ((12, 0, 8), -3)],                             // not counted by the service
        ] {
            let mut drift = Drift::default();
            for ((used, prepaid, served), expected) in reports {
                assert_eq!(drift.learn(*used, *prepaid, *served), *expected, "{reports:?}");
            }
            let ours = reports.last().unwrap().0.2 - reports[0].0.2;
            assert_eq!(clamp(drift.used()), clamp(ours) + reports.last().unwrap().1, "{reports:?}");
        }
    }

    #[test]
    fn counters_of_two_accounts_are_not_compared() {
        let mut drift = Drift::default();
        assert_eq!((drift.learn(100, 50, 7), drift.learn(113, 50, 17)), (0, 3));
        drift.changes_account();
        assert_eq!((drift.learn(9_000, 0, 20), drift.learn(9_006, 0, 25)), (3, 4));
        assert_eq!(drift.used(), 19);
    }
}
