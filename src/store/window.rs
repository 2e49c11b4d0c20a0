//! Windows: the stretches of time that usage is counted under and allowances are renewed by (contract, section 3).

use crate::domain::{
    caller::Account,
    time::{Month, UnixSeconds},
};

/// One stretch of time with a usage counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Window {
    /// A calendar month, UTC.
    Month(Month),
    /// The billing cycle that starts in this second.
    Cycle(UnixSeconds),
}

impl Window {
    /// The window that enforcement reads at `now`, and the first second after it: the account's billing cycle while
    /// `now` lies in it, else the calendar month.
    pub(super) fn enforced(account: &Account, now: UnixSeconds) -> (Self, UnixSeconds) {
        match account.billing_period {
            Some((start, end)) if start <= now && now < end => (Self::Cycle(start), end),
            Some(_) | None => (Self::Month(now.month()), now.month().end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::caller::Uid;

    #[test]
    fn a_billing_cycle_counts_from_its_first_second_until_its_end() {
        let (start, end) = (UnixSeconds(1_774_268_612), UnixSeconds(1_776_947_012));
        let account = Account {
            uid: Uid::new("42").unwrap(),
            membership: String::new(),
            credits: 0,
            prepaid: 0,
            email_verified: true,
            billing_period: Some((start, end)),
        };
        let month = |year, month| Month { year, month };
        for (now, window, until) in [
            (start.0 - 1, Window::Month(month(2026, 3)), month(2026, 3).end()),
            (start.0, Window::Cycle(start), end),
            (end.0 - 1, Window::Cycle(start), end),
            (end.0, Window::Month(month(2026, 4)), month(2026, 4).end()),
        ] {
            assert_eq!(Window::enforced(&account, UnixSeconds(now)), (window, until), "at {now}");
        }
        let unsynced = Account { billing_period: None, ..account };
        assert_eq!(Window::enforced(&unsynced, start).0, Window::Month(month(2026, 3)));
    }
}
