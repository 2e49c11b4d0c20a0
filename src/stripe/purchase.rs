//! A payment: the prepaid pack that it bought, and how much of it has been taken back. The resulting credits are the
//! same whatever the order of the events, and however often each is delivered.

use super::event::{Dispute, FailedRefund, Refund};
use crate::domain::time::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A pack that has been paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pack {
    /// The Checkout session (`cs_…`), for which credits are granted once.
    pub session: String,
    /// Prepaid credits; at least 1.
    pub credits: i64,
}

/// Why a payment no longer counts, or counts again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The total of a charge's refunds.
    Refunded(Refunded),
    /// A refund that failed, by its id.
    Failed(String, FailedOne),
    /// The state of a dispute, by its id.
    Disputed(String, Disputed),
}

impl Cause {
    /// The reversal for the total of a charge's refunds.
    pub(super) fn of_refund(refund: &Refund, created: UnixSeconds, event: &str) -> Self {
        let Refund { refunded, amount, .. } = *refund;
        Self::Refunded(Refunded { created, total: refunded, amount, event: event.into() })
    }

    /// The reversal for a refund that failed.
    pub(super) fn of_failure(refund: &FailedRefund, created: UnixSeconds) -> Self {
        Self::Failed(refund.id.clone(), FailedOne { at: created, amount: refund.amount })
    }

    /// The reversal for a dispute.
    pub(super) fn of_dispute(dispute: &Dispute, created: UnixSeconds, event: &str) -> Self {
        let Dispute { closed, taken, .. } = *dispute;
        Self::Disputed(dispute.id.clone(), Disputed { closed, created, event: event.into(), taken })
    }
}

/// Everything that is stored about a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentFacts {
    packs: BTreeMap<String, Pack>,
    refunded: Option<Refunded>,
    failed: BTreeMap<String, FailedOne>,
    disputes: BTreeMap<String, Disputed>,
}

impl PaymentFacts {
    /// Records a pack, once per session.
    pub fn sold(&mut self, pack: &Pack) {
        keep_highest(&mut self.packs, &pack.session, pack);
    }

    /// Records a reversal, even if it arrives before its pack.
    pub fn reversed(&mut self, cause: &Cause) {
        match cause {
            Cause::Refunded(refunded) => {
                if self.refunded.as_ref().is_none_or(|held| held < refunded) {
                    self.refunded = Some(refunded.clone());
                }
            }
            // The first event about the failed refund counts.
            Cause::Failed(id, failed) => {
                let held = self.failed.entry(id.clone()).or_insert(*failed);
                *held = (*held).min(*failed);
            }
            Cause::Disputed(id, disputed) => keep_highest(&mut self.disputes, id, disputed),
        }
    }

    /// The credits of the pack, less those that have been taken back.
    #[must_use]
    pub fn credits(&self) -> i64 {
        let sold = self.packs.values().map(|pack| pack.credits).fold(0, i64::saturating_add);
        sold - self.taken_back(sold)
    }

    /// A dispute takes back all credits; a refund takes back its share, rounded in the buyer's favour.
    fn taken_back(&self, credits: i64) -> i64 {
        if self.disputes.values().any(|dispute| dispute.taken) {
            return credits;
        }
        let Some(Refunded { created, total, amount, .. }) = &self.refunded else { return 0 };
        // A total that is newer than the failure already accounts for it.
        let failed = self.failed.values().filter(|failed| *created < failed.at);
        let refunded = failed.fold(*total, |left, failed| left.saturating_sub(failed.amount));
        let share = i128::from(credits) * i128::from(refunded.min(*amount)) / i128::from((*amount).max(1));
        i64::try_from(share).unwrap_or(credits)
    }
}

fn keep_highest<T: Ord + Clone>(held: &mut BTreeMap<String, T>, id: &str, news: &T) {
    let slot = held.entry(id.into()).or_insert_with(|| news.clone());
    if *slot < *news {
        *slot = news.clone();
    }
}

/// The total refunds of one charge as of an event. The newest counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refunded {
    created: UnixSeconds,
    total: u64,
    amount: u64,
    event: String,
}

/// A refund that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedOne {
    at: UnixSeconds,
    amount: u64,
}

/// The state of a dispute, ordered by which state supersedes which: a closed dispute stays closed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Disputed {
    closed: bool,
    created: UnixSeconds,
    event: String,
    taken: bool,
}
