//! The stored state of one subscription. Neither the order of its events nor their repetition matters: every slot keeps
//! the highest-ranking news, and ranks are totally ordered.
//!
//! `created` has whole seconds, so the rank has more criteria. A subscription that is over stays over. Then the newest
//! event counts; within the same second, any event is preferred to a creation, then the later period, then the more
//! active status. The event's id comes last and only makes the choice deterministic.

mod unpaid;

use super::{
    event::{Span, Status},
    ranked::Ranked,
};
use crate::domain::{
    period::{BillingPeriod, Interval},
    time::UnixSeconds,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use unpaid::Payments;

/// News about a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// `evt_…`
    pub event: String,
    /// When Stripe created the event.
    pub created: UnixSeconds,
    /// The content of the news.
    pub observed: Observed,
}

impl Observation {
    /// Whether it shows a configured price.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        match &self.observed {
            Observed::Snapshot(snapshot) => snapshot.plan.is_some(),
            Observed::Paid(paid) => paid.plan.is_some(),
        }
    }
}

/// The plan that a configured price stands for, and the quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bought {
    /// A plan that is or was configured.
    pub plan: String,
    /// How many times the plan's included credits are given.
    pub quantity: u64,
}

/// The content of news about a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The whole subscription.
    Snapshot(Snapshot),
    /// A period that has been paid for.
    Paid(Paid),
}

/// A subscription at the moment of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The subscription's status.
    pub status: Status,
    /// Whether `pause_collection` was set.
    pub collection_paused: bool,
    /// Whether the event was the subscription's creation.
    pub just_created: bool,
    /// The configured plan, if one of the prices has one.
    pub plan: Option<Bought>,
    /// Its period; may be missing once it is over.
    pub span: Option<Span>,
    /// How often its price renews.
    pub interval: Option<Interval>,
    /// `billing_cycle_anchor`
    pub anchor: Option<UnixSeconds>,
    /// When it ended or will end.
    pub ends_at: Option<UnixSeconds>,
}

/// A period that has been paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The configured plan, if the price has one.
    pub plan: Option<Bought>,
    /// The period.
    pub span: Span,
}

/// Everything that is stored about a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriptionFacts {
    snapshot: Option<Ranked<SnapshotRank, Snapshot>>,
    /// Kept apart from the snapshot, because an invoice may show a period first, and because it never moves backwards.
    span: Option<Ranked<SpanRank, Span>>,
    /// The plan that was seen last. It is kept apart too, because a price without a plan does not change the plan.
    plan: Option<Ranked<SnapshotRank, Bought>>,
    /// The plan that was paid for last.
    paid_plan: Option<Ranked<SpanRank, Bought>>,
    payments: Payments,
}

/// The current result of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the subscription is provided, or was until its period's end.
    pub live: bool,
    /// Whether its period is unpaid, so that it is provided only for the grace time.
    pub unpaid: bool,
    /// The plan that it gives; `None` if none of its prices was ever configured.
    pub bought: Option<Bought>,
    /// Its period.
    pub period: BillingPeriod,
}

impl SubscriptionFacts {
    /// Records news.
    pub fn observe(&mut self, observation: &Observation) {
        let Observation { event, created, observed } = observation;
        let rank = |span: Span, of_snapshot| SpanRank {
            start: span.start,
            of_snapshot,
            created: *created,
            event: event.clone(),
        };
        match observed {
            Observed::Snapshot(snapshot) => {
                if let Some(span) = snapshot.span {
                    Ranked::offer(&mut self.span, rank(span, true), span);
                }
                self.payments.observe(snapshot, *created, event);
                let rank = SnapshotRank::of(snapshot, *created, event);
                if let Some(plan) = &snapshot.plan {
                    Ranked::offer(&mut self.plan, rank.clone(), plan.clone());
                }
                Ranked::offer(&mut self.snapshot, rank, snapshot.clone());
            }
            Observed::Paid(paid) => {
                Ranked::offer(&mut self.span, rank(paid.span, false), paid.span);
                if let Some(plan) = &paid.plan {
                    Ranked::offer(&mut self.paid_plan, rank(paid.span, false), plan.clone());
                }
                self.payments.paid(paid.span);
            }
        }
    }

    /// The current result; an unpaid period goes on for `grace`. `None` while nothing is paid or no period is known.
    #[must_use]
    pub fn standing(&self, grace: Duration) -> Option<Standing> {
        let span = self.span.as_ref()?.value;
        let snapshot = self.snapshot.as_ref().map(|ranked| &ranked.value);
        let cut = self.payments.cut(span, grace);
        let (live, ends_at) = match snapshot.map(|snapshot| (snapshot.status, snapshot.ends_at)) {
            Some((Status::Incomplete, _)) if !self.payments.any() => return None,
            Some((Status::Incomplete, _)) | None => (true, None),
            // A period was paid for after the planned end: the cancellation was withdrawn, and that event has not
            // arrived yet.
            Some((Status::Live | Status::PastDue, ends_at)) => (true, ends_at.filter(|ends_at| *ends_at > span.start)),
            Some((Status::Suspended | Status::Ended, ends_at)) => (false, ends_at),
        };
        let seen = self.plan.as_ref().map(|ranked| &ranked.value);
        let bought = seen.or(self.paid_plan.as_ref().map(|ranked| &ranked.value)).cloned();
        let period = BillingPeriod {
            interval: snapshot.and_then(|snapshot| snapshot.interval),
            anchor: snapshot.and_then(|snapshot| snapshot.anchor),
            ends_at: [ends_at, cut.filter(|_| live)].into_iter().flatten().min(),
            ..BillingPeriod::new(span.start, span.end)
        };
        Some(Standing { live, unpaid: cut.is_some(), bought, period })
    }
}

/// Compared field by field, the first first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct SnapshotRank {
    over: bool,
    created: UnixSeconds,
    after_creation: bool,
    start: Option<UnixSeconds>,
    status: Status,
    event: String,
}

impl SnapshotRank {
    fn of(snapshot: &Snapshot, created: UnixSeconds, event: &str) -> Self {
        Self {
            over: snapshot.status == Status::Ended,
            created,
            after_creation: !snapshot.just_created,
            start: snapshot.span.map(|span| span.start),
            status: snapshot.status,
            event: event.into(),
        }
    }
}

/// Compared field by field, the first first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct SpanRank {
    start: UnixSeconds,
    of_snapshot: bool,
    created: UnixSeconds,
    event: String,
}
