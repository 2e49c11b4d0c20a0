//! The retention of ledgers: months that ended long enough ago are closed, account by account and page by page.
//!
//! What a page's entries add up to is added to the account's closed sums and the entries are deleted, in one atomic step. So
//! closed sums and remaining entries together explain every counter at any moment, and it does not matter who else closes, or
//! whether the gateway dies.

use super::{Fault, Result, Store};
use crate::{
    clock::Clock,
    domain::{
        account::Uid,
        time::{Month, UnixMicros},
    },
    failpoint::{self, Point},
    telemetry::panics,
};
use async_trait::async_trait;
use std::{sync::Weak, time::Duration};
use tokio::time::sleep;
use tracing::{info, warn};

/// The most entries that one step closes.
pub(super) const PAGE: usize = 1_000;

/// How long a month stays open after its end (seconds): a keep for it may still come for 7 days, and until then the store
/// knows which ones have come.
const OPEN_FOR: i64 = 8 * 86_400;

/// The pause after each page, in which others are served: closing takes a small part of the store's time.
const PAUSE: Duration = Duration::from_millis(50);

/// The time between two looks at the calendar.
const LOOK: Duration = Duration::from_hours(1);

/// The verbs by which old months are closed.
#[async_trait]
pub trait Closing: Send + Sync + 'static {
    /// Closes the oldest entries of an account's months up to this one: at most a page of them, in one atomic step, and none
    /// of an account that is not there. From then on a keep for such a month is refused ([`Fault::NotFound`]) unless it has
    /// been counted before. [`Fault::Unusable`] if by the store's own clock the month did not end long enough ago.
    async fn close_page(&self, uid: &Uid, through: Month) -> Result<ClosedPage>;

    /// The month through which the ledgers of all accounts are closed.
    async fn all_closed(&self) -> Result<Option<Month>>;

    /// Notes that the ledgers of all accounts are closed through a month.
    async fn note_all_closed(&self, through: Month) -> Result<()>;
}

/// What one step has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedPage {
    /// How many entries it has closed.
    pub entries: usize,
    /// Whether there may be more.
    pub more: bool,
}

/// What a round through all accounts has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Entries that were closed.
    pub entries: usize,
    /// Accounts that could not be closed.
    pub refused: usize,
}

/// The newest month whose ledgers are to be closed, if the present month and those before it are kept, `months` in all.
#[must_use]
pub fn due(months: u64, now: UnixMicros) -> Option<Month> {
    let now = now.seconds();
    let before = |month: Month, by: u64| {
        let number = (u64::from(month.year) * 12 + u64::from(month.month)).checked_sub(1)?.checked_sub(by)?;
        let year = u16::try_from(number / 12).ok().filter(|year| *year > 0)?;
        Some(Month { year, month: u8::try_from(number % 12).ok()? + 1 })
    };
    let month = before(now.month(), months.max(1))?;
    if may_close(month, now.micros()) { Some(month) } else { before(month, 1) }
}

/// Whether a month ended long enough ago.
pub(super) fn may_close(month: Month, now: UnixMicros) -> bool {
    now >= earliest(month)
}

/// The moment from which on a month may be closed.
pub(super) fn earliest(month: Month) -> UnixMicros {
    month.end().micros().plus(Duration::from_secs(OPEN_FOR.unsigned_abs()))
}

/// The fault of a keep for a month that is closed.
pub(super) fn is_closed(uid: &Uid, month: Month) -> Fault {
    Fault::NotFound(format!("the ledger of account {uid} for {month} is closed"))
}

/// The fault of a store by whose clock a month is still open.
pub(super) fn too_early(month: Month) -> Fault {
    Fault::Unusable(format!("by the store's clock {month} did not end 8 days ago: its ledger stays open"))
}

/// Closes everything that is due, now and whenever another month is, for as long as the store is open.
pub(super) async fn keep_closing(store: Weak<dyn Store>, months: u64, clock: Clock) {
    panics::keep_alive(|| close_by_the_clock(Weak::clone(&store), months, clock.clone())).await;
}

async fn close_by_the_clock(store: Weak<dyn Store>, months: u64, clock: Clock) {
    let mut done = None;
    while store.strong_count() > 0 {
        if let Some(through) = due(months, clock.now()).filter(|through| done < Some(*through)) {
            match close_all(&store, through, PAUSE).await {
                Ok(Round { entries, refused }) => {
                    done = Some(through);
                    if entries > 0 || refused > 0 {
                        info!(%through, entries, refused, "ledgers are closed");
                    }
                }
                Err(fault) => warn!(%fault, %through, "ledgers could not be closed; this is tried again"),
            }
        }
        sleep(LOOK).await;
    }
}

/// Closes the ledgers of all accounts through a month, with a pause after each page. What one account stands in the way of is
/// done for the others.
///
/// [`Fault::Unavailable`] where the store goes away meanwhile.
pub async fn close_all(store: &Weak<dyn Store>, through: Month, pause: Duration) -> Result<Round> {
    let open = || store.upgrade().ok_or_else(|| Fault::Unavailable("it was closed".into()));
    let mut round = Round::default();
    if open()?.all_closed().await? >= Some(through) {
        return Ok(round);
    }
    let uids = open()?.uids().await?;
    for uid in uids {
        loop {
            let page = open()?.close_page(&uid, through).await;
            match page {
                Ok(page) => {
                    round.entries += page.entries;
                    if page.entries > 0 {
                        failpoint::reach(Point::BetweenPages);
                        sleep(pause).await;
                    }
                    if !page.more {
                        break;
                    }
                }
                Err(fault @ (Fault::Unavailable(_) | Fault::Unusable(_))) => return Err(fault),
                Err(fault) => {
                    round.refused += 1;
                    warn!(%fault, %uid, "the ledger of an account cannot be closed");
                    break;
                }
            }
        }
    }
    if round.refused == 0 {
        open()?.note_all_closed(through).await?;
    }
    Ok(round)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::UnixSeconds;

    fn month(year: u16, month: u8) -> Month {
        Month { year, month }
    }

    #[test]
    fn a_month_is_due_when_it_is_no_longer_kept_and_ended_eight_days_ago() {
        let day = |of: Month, day: i64| UnixSeconds(of.start().0 + (day - 1) * 86_400).micros();
        let april = month(2026, 4);
        for (months, at, closed) in [
            (1, day(april, 1), Some(month(2026, 2))),
            (1, UnixMicros(day(april, 9).0 - 1), Some(month(2026, 2))),
            (1, day(april, 9), Some(month(2026, 3))),
            (2, day(april, 1), Some(month(2026, 2))),
            (3, day(april, 9), Some(month(2026, 1))),
            (4, day(april, 9), Some(month(2025, 12))),
            (16, day(april, 9), Some(month(2024, 12))),
            (26 * 12, day(april, 9), Some(month(2000, 4))),
            (u64::MAX, day(april, 9), None),
            (24_327, day(april, 9), None),
        ] {
            assert_eq!(due(months, at), closed, "{months} months at {at:?}");
        }
    }
}
