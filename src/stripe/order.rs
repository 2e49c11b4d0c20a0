//! What is remembered of an account's events, so that neither their order nor their repetition matters: every slot
//! keeps the highest-ranking news, and ranks are totally ordered.
//!
//! `created` has whole seconds, so the rank goes on: what is over stays over; then the newest event; then anything
//! before a creation of the same second, the later period, the more alive status, and last the event's id, which only
//! makes the choice the same everywhere.

#[cfg(test)]
mod tests;

use super::{
    effect::Effect,
    event::{Span, Status},
    purchase::Purchases,
};
use crate::domain::{
    caller::Account,
    period::{BillingPeriod, Interval, Move, moves},
    time::UnixSeconds,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// News of one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// `sub_…`
    pub subscription: String,
    /// `evt_…`
    pub event: String,
    /// When Stripe made the event.
    pub created: UnixSeconds,
    /// What was seen.
    pub seen: Seen,
}

/// What was seen of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All of it.
    Snapshot(Snapshot),
    /// That a period has been paid for.
    Paid(Paid),
}

/// A subscription at the moment of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// How it stood.
    pub status: Status,
    /// Whether the event was its creation.
    pub just_created: bool,
    /// The plan of the configuration, if one of its prices has one.
    pub plan: Option<String>,
    /// Its period; may be missing once it is over.
    pub span: Option<Span>,
    /// How often its price renews.
    pub interval: Option<Interval>,
    /// `billing_cycle_anchor`
    pub anchor: Option<UnixSeconds>,
    /// When it ended or will.
    pub ends_at: Option<UnixSeconds>,
}

/// A period that has been paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The plan of the configuration, if the price has one.
    pub plan: Option<String>,
    /// The period.
    pub span: Span,
}

/// Everything remembered of an account's events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    subscriptions: BTreeMap<String, Remembrance>,
    purchases: Purchases,
}

/// What the remembered subscriptions come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billing {
    /// The plan; `None` if none of the subscriptions has ever had one.
    pub plan: Option<PlanChange>,
    /// The period.
    pub period: BillingPeriod,
}

/// What to write to the account, in the same step as what is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The plan to assign; `None` leaves plan and allowance as they are.
    pub plan: Option<PlanChange>,
    /// The period to store; `None` leaves it.
    pub period: Option<BillingPeriod>,
    /// Usage to move between cycles, with a ledger entry each; a cycle moved from leaves the index.
    pub moves: Vec<Move>,
    /// Prepaid credits to add, or to take if negative.
    pub credits: i64,
}

/// Which plan to assign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanChange {
    /// One that a price stands for.
    To(String),
    /// The default plan: the subscription is over.
    ToDefault,
}

impl Remembered {
    /// Takes an effect up and says what it changes for the account. Plan and period change only when what the
    /// subscriptions come to does, or its end is due; so an explicit allowance outlives renewals.
    pub fn apply(&mut self, effect: &Effect, account: &Account, grace: Duration, now: UnixSeconds) -> Update {
        let (billing, credits) = (self.billing(), self.purchases.credits());
        match effect {
            Effect::SyncSubscription(observation) => {
                let held = self.subscriptions.entry(observation.subscription.clone()).or_default();
                held.observe(observation);
            }
            Effect::Grant(pack) => self.purchases.grant(pack),
            Effect::Reverse(reversal) => self.purchases.reverse(reversal),
            Effect::LearnCustomer => {}
        }
        let credits = self.purchases.credits().saturating_sub(credits);
        let must_fall = account.billing_period.is_some_and(|stored| stored.must_fall(grace, now));
        match self.billing() {
            Some(new) if must_fall || billing.as_ref() != Some(&new) => {
                Update { credits, ..new.update(billing.as_ref(), account, grace, now) }
            }
            Some(_) | None => Update { credits, ..Update::default() },
        }
    }

    /// What the subscriptions come to: one that is provided before one that is over, one with a plan before one
    /// without, then the latest period.
    #[must_use]
    pub fn billing(&self) -> Option<Billing> {
        let known = || self.subscriptions.values().filter_map(Remembrance::billing);
        let best = known().max_by_key(|(live, billing)| (*live, billing.plan.is_some(), billing.period.start));
        let (_, billing) = best?;
        // One without a plan comes first only if those with one are over: it does not keep their plan alive.
        let another_had_one = || known().any(|(_, other)| other.plan.is_some());
        let plan = billing.plan.or_else(|| another_had_one().then_some(PlanChange::ToDefault));
        Some(Billing { plan, ..billing })
    }
}

impl Billing {
    fn update(self, before: Option<&Self>, account: &Account, grace: Duration, now: UnixSeconds) -> Update {
        let stored = account.billing_period.as_ref();
        let had_fallen = stored.is_some_and(|stored| stored.fallen);
        let over = now >= self.period.lapses(grace);
        let same_plan = before.is_some_and(|before| before.plan == self.plan);
        let plan = match self.plan {
            _ if over => (!had_fallen).then_some(PlanChange::ToDefault),
            Some(PlanChange::ToDefault) if had_fallen => None,
            Some(plan) if had_fallen || !same_plan => Some(plan),
            Some(_) | None => None,
        };
        let period = BillingPeriod { fallen: over, ..self.period };
        let moves = stored.map_or_else(Vec::new, |stored| moves(stored, &period, grace, now));
        Update { plan, period: Some(period), moves, credits: 0 }
    }
}

/// What is remembered of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembrance {
    snapshot: Option<Ranked<SnapshotRank, Snapshot>>,
    /// Apart from the snapshot, because an invoice may tell of a period first, and because it never moves backwards.
    span: Option<Ranked<SpanRank, Span>>,
    /// The plan that was seen last. Apart too, because a price that is no plan changes none.
    plan: Option<Ranked<SnapshotRank, String>>,
    /// The plan that was paid for last.
    paid_plan: Option<Ranked<SpanRank, String>>,
    /// Whether any period has been paid for.
    paid: bool,
}

impl Remembrance {
    fn observe(&mut self, observation: &Observation) {
        let Observation { event, created, seen, .. } = observation;
        let rank = |span: Span, of_snapshot| SpanRank {
            start: span.start,
            of_snapshot,
            created: *created,
            event: event.clone(),
        };
        match seen {
            Seen::Snapshot(snapshot) => {
                if let Some(span) = snapshot.span {
                    Ranked::offer(&mut self.span, rank(span, true), span);
                }
                let rank = SnapshotRank::of(snapshot, *created, event);
                if let Some(plan) = &snapshot.plan {
                    Ranked::offer(&mut self.plan, rank.clone(), plan.clone());
                }
                Ranked::offer(&mut self.snapshot, rank, snapshot.clone());
            }
            Seen::Paid(paid) => {
                Ranked::offer(&mut self.span, rank(paid.span, false), paid.span);
                if let Some(plan) = &paid.plan {
                    Ranked::offer(&mut self.paid_plan, rank(paid.span, false), plan.clone());
                }
                self.paid = true;
            }
        }
    }

    /// Whether it is provided, and what it comes to. `None` while nothing is paid or no period is known.
    fn billing(&self) -> Option<(bool, Billing)> {
        let span = self.span.as_ref()?.value;
        let snapshot = self.snapshot.as_ref().map(|ranked| &ranked.value);
        let (live, ends_at) = match snapshot.map(|snapshot| (snapshot.status, snapshot.ends_at)) {
            Some((Status::Incomplete, _)) if !self.paid => return None,
            Some((Status::Incomplete, _)) | None => (true, None),
            // A period paid for after the end that was planned: the plan was given up, and that news is still to come.
            Some((Status::Live, ends_at)) => (true, ends_at.filter(|ends_at| *ends_at > span.start)),
            Some((Status::Suspended | Status::Ended, ends_at)) => (false, ends_at),
        };
        let seen = self.plan.as_ref().map(|ranked| &ranked.value);
        let plan = seen.or(self.paid_plan.as_ref().map(|ranked| &ranked.value));
        let period = BillingPeriod {
            interval: snapshot.and_then(|snapshot| snapshot.interval),
            anchor: snapshot.and_then(|snapshot| snapshot.anchor),
            ends_at,
            ..BillingPeriod::new(span.start, span.end)
        };
        Some((live, Billing { plan: plan.cloned().map(PlanChange::To), period }))
    }
}

/// A value and how it ranks among others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ranked<R, V> {
    rank: R,
    value: V,
}

impl<R: Ord, V> Ranked<R, V> {
    fn offer(slot: &mut Option<Self>, rank: R, value: V) {
        if slot.as_ref().is_none_or(|held| held.rank < rank) {
            *slot = Some(Self { rank, value });
        }
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
