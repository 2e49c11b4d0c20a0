//! Prepaid packs, and what of their payments has been taken back. Whatever the order of the events, and however often
//! each comes, the same credits result.

use super::event::{Dispute, Refund};
use crate::domain::time::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A pack that has been paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pack {
    /// The Checkout session (`cs_…`), for which credits are granted once.
    pub session: String,
    /// Its payment (`pi_…`); none where nothing was to be paid.
    pub payment: Option<String>,
    /// Prepaid credits; at least 1.
    pub credits: i64,
}

/// News of a payment that has been taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    payment: String,
    cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    Refund(Refunded),
    Dispute(String, Disputed),
}

impl Reversal {
    /// What a charge says of its refunds; `None` if it names no payment.
    pub(super) fn of_refund(refund: &Refund) -> Option<Self> {
        let refunded = Refunded { refunded: refund.refunded, amount: refund.amount };
        Some(Self { payment: refund.payment.clone()?, cause: Cause::Refund(refunded) })
    }

    /// What an event says of a dispute; `None` if it names no payment.
    pub(super) fn of_dispute(dispute: &Dispute, created: UnixSeconds, event: &str) -> Option<Self> {
        let Dispute { closed, taken, .. } = *dispute;
        let disputed = Disputed { closed, created, event: event.into(), taken };
        Some(Self { payment: dispute.payment.clone()?, cause: Cause::Dispute(dispute.id.clone(), disputed) })
    }
}

/// An account's packs and reversals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchases {
    packs: BTreeMap<String, Pack>,
    reversals: BTreeMap<String, Reversed>,
}

impl Purchases {
    /// Takes a pack up, once per session.
    pub fn grant(&mut self, pack: &Pack) {
        let held = self.packs.entry(pack.session.clone()).or_insert_with(|| pack.clone());
        if *held < *pack {
            *held = pack.clone();
        }
    }

    /// Takes a reversal up, also one that arrives before its pack.
    pub fn reverse(&mut self, reversal: &Reversal) {
        let reversed = self.reversals.entry(reversal.payment.clone()).or_default();
        match &reversal.cause {
            Cause::Refund(refunded) => reversed.refunded = reversed.refunded.max(*refunded),
            Cause::Dispute(id, disputed) => {
                let held = reversed.disputes.entry(id.clone()).or_insert_with(|| disputed.clone());
                if *held < *disputed {
                    *held = disputed.clone();
                }
            }
        }
    }

    /// Credits of all packs, less what has been taken back.
    #[must_use]
    pub fn credits(&self) -> i64 {
        self.packs.values().map(|pack| self.left_of(pack)).fold(0, i64::saturating_add)
    }

    fn left_of(&self, pack: &Pack) -> i64 {
        let reversed = pack.payment.as_ref().and_then(|payment| self.reversals.get(payment));
        pack.credits - reversed.map_or(0, |reversed| reversed.credits_of(pack.credits))
    }
}

/// What is known of one payment's reversals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Reversed {
    refunded: Refunded,
    disputes: BTreeMap<String, Disputed>,
}

impl Reversed {
    /// A dispute takes the whole pack, a refund its share, rounded in the buyer's favour.
    fn credits_of(&self, credits: i64) -> i64 {
        if self.disputes.values().any(|dispute| dispute.taken) {
            return credits;
        }
        let Refunded { refunded, amount } = self.refunded;
        let share = i128::from(credits) * i128::from(refunded.min(amount)) / i128::from(amount.max(1));
        i64::try_from(share).unwrap_or(credits)
    }
}

/// The refunds of one charge together; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Refunded {
    refunded: u64,
    amount: u64,
}

/// How a dispute stood, in the order in which news supersedes news: a closed one stays closed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Disputed {
    closed: bool,
    created: UnixSeconds,
    event: String,
    taken: bool,
}
