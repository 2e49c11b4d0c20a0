//! The claims about the owner of one of Stripe's objects, and which claim counts.

use super::{
    event::{Event, EventKind},
    ranked::Ranked,
};
use crate::domain::{
    account::Uid,
    time::{UnixMicros, UnixSeconds},
};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// The kind of claim by which an owner is known (contract, section 3). A later variant ranks higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The customer, who leads to one account only.
    Customer,
    /// The session's `client_reference_id`, which the buyer may have chosen.
    Reference,
    /// `metadata.uid` of it or of its session.
    Metadata,
    /// The operator's claim.
    Operator,
}

/// All claims about an object's owner, except by its customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    operator: Option<Ranked<UnixMicros, Uid>>,
    /// The newest claim counts.
    metadata: Option<Ranked<AsOf, Uid>>,
    /// The oldest claim counts: a later session does not take the object over.
    reference: Option<Ranked<Reverse<(UnixSeconds, String)>, Uid>>,
}

impl Claims {
    /// The claims of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let mut claims = Self::default();
        if let Some(uid) = &event.owner.metadata {
            Ranked::offer(&mut claims.metadata, AsOf::of(event), uid.clone());
        }
        if let Some(uid) = &event.owner.reference {
            Ranked::offer(&mut claims.reference, Reverse((event.created, event.id.clone())), uid.clone());
        }
        claims
    }

    /// The claim of the operator.
    #[must_use]
    pub fn of_operator(uid: &Uid, now: UnixMicros) -> Self {
        Self { operator: Some(Ranked { rank: now, value: uid.clone() }), ..Self::default() }
    }

    /// Merges other claims into these.
    pub fn merge(&mut self, other: Self) {
        let Self { operator, metadata, reference } = other;
        Ranked::merge(&mut self.operator, operator);
        Ranked::merge(&mut self.metadata, metadata);
        Ranked::merge(&mut self.reference, reference);
    }

    /// The owner by the highest-ranking claim; `None` if only the customer can tell.
    #[must_use]
    pub fn owner(&self) -> Option<(&Uid, Rank)> {
        let operator = self.operator.as_ref().map(|said| (&said.value, Rank::Operator));
        let metadata = self.metadata.as_ref().map(|said| (&said.value, Rank::Metadata));
        let reference = self.reference.as_ref().map(|said| (&said.value, Rank::Reference));
        operator.or(metadata).or(reference)
    }

    /// Whether there is no claim.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owner().is_none()
    }
}

/// The age of a claim by `metadata.uid`, compared field by field. The event's id only makes the choice deterministic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct AsOf {
    moment: UnixSeconds,
    after_creation: bool,
    event: String,
}

impl AsOf {
    fn of(event: &Event) -> Self {
        let at_creation = match &event.kind {
            EventKind::Subscription(subscription) => subscription.just_created,
            EventKind::InvoicePaid(_) => true,
            EventKind::Checkout(_)
            | EventKind::Refund(_)
            | EventKind::FailedRefund(_)
            | EventKind::Dispute(_)
            | EventKind::Other(_) => false,
        };
        Self { moment: event.owner.as_of, after_creation: !at_creation, event: event.id.clone() }
    }
}
