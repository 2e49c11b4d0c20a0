//! A payment: the prepaid pack that it bought, and what of it has been taken back. Whatever the order of the events, and
//! however often each comes, the same credits result.

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

/// Why a payment counts no more, or again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What a charge says of its refunds.
    Refunded(Refunded),
    /// A refund that did not come about, by its id.
    Failed(String, FailedOne),
    /// How a dispute stands, by its id.
    Disputed(String, Disputed),
}

impl Cause {
    /// What a charge says of its refunds.
    pub(super) fn of_refund(refund: &Refund, created: UnixSeconds, event: &str) -> Self {
        let Refund { refunded, amount, .. } = *refund;
        Self::Refunded(Refunded { created, total: refunded, amount, event: event.into() })
    }

    /// What an event says of a refund that failed.
    pub(super) fn of_failure(refund: &FailedRefund, created: UnixSeconds) -> Self {
        Self::Failed(refund.id.clone(), FailedOne { at: created, amount: refund.amount })
    }

    /// What an event says of a dispute.
    pub(super) fn of_dispute(dispute: &Dispute, created: UnixSeconds, event: &str) -> Self {
        let Dispute { closed, taken, .. } = *dispute;
        Self::Disputed(dispute.id.clone(), Disputed { closed, created, event: event.into(), taken })
    }
}

/// Everything remembered of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentFacts {
    packs: BTreeMap<String, Pack>,
    refunded: Option<Refunded>,
    failed: BTreeMap<String, FailedOne>,
    disputes: BTreeMap<String, Disputed>,
}

impl PaymentFacts {
    /// Takes a pack up, once per session.
    pub fn sold(&mut self, pack: &Pack) {
        keep_highest(&mut self.packs, &pack.session, pack);
    }

    /// Takes a reversal up, also one that arrives before its pack.
    pub fn reversed(&mut self, cause: &Cause) {
        match cause {
            Cause::Refunded(refunded) => {
                if self.refunded.as_ref().is_none_or(|held| held < refunded) {
                    self.refunded = Some(refunded.clone());
                }
            }
            // The first event that says so counts.
            Cause::Failed(id, failed) => {
                let held = self.failed.entry(id.clone()).or_insert(*failed);
                *held = (*held).min(*failed);
            }
            Cause::Disputed(id, disputed) => keep_highest(&mut self.disputes, id, disputed),
        }
    }

    /// Credits of the pack, less what has been taken back.
    #[must_use]
    pub fn credits(&self) -> i64 {
        let sold = self.packs.values().map(|pack| pack.credits).fold(0, i64::saturating_add);
        sold - self.taken_back(sold)
    }

    /// A dispute takes the whole, a refund its share, rounded in the buyer's favour.
    fn taken_back(&self, credits: i64) -> i64 {
        if self.disputes.values().any(|dispute| dispute.taken) {
            return credits;
        }
        let Some(Refunded { created, total, amount, .. }) = &self.refunded else { return 0 };
        // A total that is younger than the failure knows of it.
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

/// The refunds of one charge together, as of an event: the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refunded {
    created: UnixSeconds,
    total: u64,
    amount: u64,
    event: String,
}

/// A refund that did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedOne {
    at: UnixSeconds,
    amount: u64,
}

/// How a dispute stood, in the order in which news supersedes news: a closed one stays closed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Disputed {
    closed: bool,
    created: UnixSeconds,
    event: String,
    taken: bool,
}
