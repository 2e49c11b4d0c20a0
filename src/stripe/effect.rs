//! What follows from an event: pure, from the event, the configuration and whom its aliases lead to.

#[cfg(test)]
mod tests;

use super::{
    event::{Checkout, Event, EventKind, Invoice, Item, Status, Subscription},
    order::{Observation, Paid, Seen, Snapshot},
    purchase::{Pack, Reversal},
};
use crate::{
    config::{ReversalPolicy, StripeConfig},
    domain::{caller::Uid, time::UnixSeconds},
};

/// What to do with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Change this account.
    Apply {
        /// The account.
        uid: Uid,
        /// Stripe's ids that lead to the account from now on; events parked under them are due.
        learn: Vec<String>,
        /// What changes.
        effect: Effect,
    },
    /// Nobody knows yet whose it is: keep it until one of these ids has been learnt.
    Park {
        /// Stripe's ids that may lead to the account.
        aliases: Vec<String>,
    },
    /// Nothing follows from it, now or later.
    Ignore(Reason),
}

/// What changes about an account; [`super::order::Remembered`] takes it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A subscription has been seen.
    SyncSubscription(Observation),
    /// A prepaid pack has been paid.
    Grant(Pack),
    /// A payment has been taken back, in part or in whole, or given again.
    Reverse(Reversal),
    /// Only whose customer it is.
    LearnCustomer,
}

/// Why nothing follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its type means nothing here.
    OtherType,
    /// A subscription without a period that could be read.
    NoPeriod,
    /// An invoice that starts no period of a subscription.
    StartsNoPeriod,
    /// A session that is not paid, or no payment for a pack, and that teaches nothing.
    NotPaid,
    /// A paid session for which neither its metadata nor the configuration names credits.
    NoCredits,
    /// A refund or dispute, and the configuration ignores those.
    ByPolicy,
    /// A refund or dispute that names no payment.
    NoPayment,
    /// It names neither an account nor anything that could ever lead to one.
    NoOwner,
}

impl Reason {
    /// A short name from a closed set, for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherType => "other_type",
            Self::NoPeriod => "no_period",
            Self::StartsNoPeriod => "starts_no_period",
            Self::NotPaid => "not_paid",
            Self::NoCredits => "no_credits",
            Self::ByPolicy => "by_policy",
            Self::NoPayment => "no_payment",
            Self::NoOwner => "no_owner",
        }
    }
}

impl Decision {
    /// Decides. `known` is the account that one of the event's aliases leads to; it matters only where the event does
    /// not name the account itself.
    #[must_use]
    pub fn of(event: &Event, config: &StripeConfig, known: Option<&Uid>) -> Self {
        let effect = match effect(event, config) {
            Ok(effect) => effect,
            Err(reason) => return Self::Ignore(reason),
        };
        let aliases = event.owner.aliases.clone();
        match event.owner.uid.as_ref().or(known) {
            Some(uid) => Self::Apply { uid: uid.clone(), learn: aliases, effect },
            None if aliases.is_empty() => Self::Ignore(Reason::NoOwner),
            None => Self::Park { aliases },
        }
    }
}

fn effect(event: &Event, config: &StripeConfig) -> Result<Effect, Reason> {
    let observed = |subscription: &str, seen| {
        Effect::SyncSubscription(Observation {
            subscription: subscription.into(),
            event: event.id.clone(),
            created: event.created,
            seen,
        })
    };
    match &event.kind {
        EventKind::Subscription(subscription) => {
            let snapshot = snapshot(subscription, event.created, config).ok_or(Reason::NoPeriod)?;
            Ok(observed(&subscription.id, Seen::Snapshot(snapshot)))
        }
        EventKind::InvoicePaid(invoice) => {
            let subscription = invoice.subscription.as_ref().filter(|_| invoice.starts_period);
            let subscription = subscription.ok_or(Reason::StartsNoPeriod)?;
            let paid = paid(invoice, config).ok_or(Reason::NoPeriod)?;
            Ok(observed(subscription, Seen::Paid(paid)))
        }
        EventKind::Checkout(session) if session.paid => grant(session, config).ok_or(Reason::NoCredits),
        EventKind::Checkout(_) if event.owner.uid.is_some() && !event.owner.aliases.is_empty() => {
            Ok(Effect::LearnCustomer)
        }
        EventKind::Checkout(_) => Err(Reason::NotPaid),
        EventKind::Refund(refund) => reverse(config.refunds, Reversal::of_refund(refund)),
        EventKind::Dispute(dispute) => {
            reverse(config.disputes, Reversal::of_dispute(dispute, event.created, &event.id))
        }
        EventKind::Other(_) => Err(Reason::OtherType),
    }
}

/// `None` without a period, unless the subscription provides nothing any more and so needs none.
fn snapshot(subscription: &Subscription, created: UnixSeconds, config: &StripeConfig) -> Option<Snapshot> {
    let item = chosen(&subscription.items, config);
    let span = item.and_then(|item| item.span).or(subscription.span);
    let ends_at = match subscription.status {
        Status::Ended => Some(subscription.ended_at.unwrap_or(created)),
        Status::Suspended => Some(created),
        Status::Live | Status::Incomplete => {
            let at_period_end = span.filter(|_| subscription.cancel_at_period_end).map(|span| span.end);
            subscription.cancel_at.or(at_period_end)
        }
    };
    let over = matches!(subscription.status, Status::Ended | Status::Suspended);
    (over || span.is_some()).then(|| Snapshot {
        status: subscription.status,
        just_created: subscription.just_created,
        plan: item.and_then(|item| plan(item, config)),
        span,
        interval: item.and_then(|item| item.interval),
        anchor: subscription.anchor,
        ends_at,
    })
}

/// The line of a plan's price, and of those the latest period: usage is invoiced for the period before.
fn paid(invoice: &Invoice, config: &StripeConfig) -> Option<Paid> {
    let lines = invoice.lines.iter().filter_map(|line| Some((plan(line, config), line.span?)));
    let (plan, span) = lines.max_by_key(|(plan, span)| (plan.is_some(), span.start, span.end))?;
    Some(Paid { plan, span })
}

/// The item whose price is a configured plan, else the first that has a period of its own, else the first. Periods of
/// different items may differ, so one item is chosen for everything.
fn chosen<'a>(items: &'a [Item], config: &StripeConfig) -> Option<&'a Item> {
    let configured = items.iter().find(|item| plan(item, config).is_some());
    configured.or_else(|| items.iter().find(|item| item.span.is_some())).or(items.first())
}

fn plan(item: &Item, config: &StripeConfig) -> Option<String> {
    item.prices.iter().find_map(|price| config.prices.get(price)).cloned()
}

fn grant(session: &Checkout, config: &StripeConfig) -> Option<Effect> {
    let by_link = || config.packs.get(session.payment_link.as_ref()?).copied();
    let credits = session.credits.or_else(by_link).and_then(|credits| i64::try_from(credits).ok());
    let credits = credits.filter(|credits| *credits > 0)?;
    Some(Effect::Grant(Pack { session: session.id.clone(), payment: session.payment.clone(), credits }))
}

fn reverse(policy: ReversalPolicy, reversal: Option<Reversal>) -> Result<Effect, Reason> {
    match policy {
        ReversalPolicy::Ignore => Err(Reason::ByPolicy),
        ReversalPolicy::Debit => reversal.map(Effect::Reverse).ok_or(Reason::NoPayment),
    }
}
