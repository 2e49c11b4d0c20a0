//! What an event says about each of Stripe's objects. It is computed from the event and the configuration alone.

#[cfg(test)]
mod tests;

use super::{
    claims::Claims,
    event::{Checkout, Event, EventKind, Invoice, Item, Status, Subscription},
    purchase::{Cause, Pack},
    subscription::{Bought, Observation, Observed, Paid, Snapshot},
};
use crate::{
    config::{ReversalPolicy, StripeConfig},
    domain::{credit::MOST_CREDITS, time::UnixSeconds},
    telemetry::StripeOutcome,
};

/// The news in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The news for each object: a session has news of its subscription or of its payment.
    pub tellings: Vec<Telling>,
    /// Whether it sold credits in a number that cannot be read.
    pub unreadable_credits: bool,
}

/// The news about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// `sub_…` or `pi_…`; `cs_…` if a session sold something without a payment.
    pub object: String,
    /// The claims about its owner.
    pub claims: Claims,
    /// Its customer.
    pub customer: Option<String>,
    /// The new fact about it, if there is one.
    pub fact: Option<Fact>,
}

/// A new fact about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// News about a subscription.
    Subscription(Box<Observation>),
    /// A prepaid pack has been paid.
    Sold(Pack),
    /// The payment has been taken back in part or in whole, or that has been reversed.
    Reversed(Cause),
}

/// Why an event has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its type is not used here.
    OtherType,
    /// It is from a connected account, and the configuration does not allow those.
    Connect,
    /// It is about a subscription without a readable period.
    NoPeriod,
    /// It is an invoice that starts no period of a subscription.
    StartsNoPeriod,
    /// It is a session that is not paid or did not sell a pack, and that says nothing about an owner.
    NotPaid,
    /// It is a paid session for which neither its metadata nor the configuration names credits.
    NoCredits,
    /// It is a refund or dispute, and the configuration ignores those.
    ByPolicy,
    /// It is a refund or dispute that names no payment.
    NoPayment,
}

impl Reason {
    /// The name for metrics and logs.
    #[must_use]
    pub fn outcome(self) -> StripeOutcome {
        match self {
            Self::OtherType => StripeOutcome::OtherType,
            Self::Connect => StripeOutcome::Connect,
            Self::NoPeriod => StripeOutcome::NoPeriod,
            Self::StartsNoPeriod => StripeOutcome::StartsNoPeriod,
            Self::NotPaid => StripeOutcome::NotPaid,
            Self::NoCredits => StripeOutcome::NoCredits,
            Self::ByPolicy => StripeOutcome::ByPolicy,
            Self::NoPayment => StripeOutcome::NoPayment,
        }
    }
}

impl News {
    /// Interprets an event by the configuration.
    pub fn of(event: &Event, config: &StripeConfig) -> Result<Self, Reason> {
        if event.connected.is_some() && !config.connected_accounts {
            return Err(Reason::Connect);
        }
        let of_payment = |payment: &Option<String>, policy, cause| match policy {
            ReversalPolicy::Ignore => Err(Reason::ByPolicy),
            ReversalPolicy::Debit => {
                let payment = payment.clone().ok_or(Reason::NoPayment)?;
                Ok(Self::one(event, payment, Some(Fact::Reversed(cause))))
            }
        };
        match &event.kind {
            EventKind::Subscription(subscription) => {
                let snapshot = snapshot(subscription, event.created, config).ok_or(Reason::NoPeriod)?;
                Ok(Self::observed(event, &subscription.id, Observed::Snapshot(snapshot)))
            }
            EventKind::InvoicePaid(invoice) => {
                let subscription = invoice.subscription.as_ref().filter(|_| invoice.starts_period);
                let subscription = subscription.ok_or(Reason::StartsNoPeriod)?;
                let paid = paid(invoice, config).ok_or(Reason::NoPeriod)?;
                Ok(Self::observed(event, subscription, Observed::Paid(paid)))
            }
            EventKind::Checkout(session) => Self::of_session(event, session, config),
            EventKind::Refund(refund) => {
                of_payment(&refund.payment, config.refunds, Cause::of_refund(refund, event.created, &event.id))
            }
            EventKind::FailedRefund(refund) => {
                of_payment(&refund.payment, config.refunds, Cause::of_failure(refund, event.created))
            }
            EventKind::Dispute(dispute) => {
                of_payment(&dispute.payment, config.disputes, Cause::of_dispute(dispute, event.created, &event.id))
            }
            EventKind::Other(_) => Err(Reason::OtherType),
        }
    }

    fn one(event: &Event, object: String, fact: Option<Fact>) -> Self {
        let customer = event.owner.customer.clone();
        let telling = Telling { object, claims: Claims::of(event), customer, fact };
        Self { tellings: vec![telling], unreadable_credits: false }
    }

    fn observed(event: &Event, subscription: &str, observed: Observed) -> Self {
        let observation = Observation { event: event.id.clone(), created: event.created, observed };
        Self::one(event, subscription.into(), Some(Fact::Subscription(Box::new(observation))))
    }

    /// A session tells the owner of its subscription or payment, whether or not it is paid.
    fn of_session(event: &Event, session: &Checkout, config: &StripeConfig) -> Result<Self, Reason> {
        let object = session.subscription.as_ref().or(session.payment.as_ref());
        let teaches = object.filter(|_| !Claims::of(event).is_empty());
        if !session.paid {
            return teaches.map(|object| Self::one(event, object.clone(), None)).ok_or(Reason::NotPaid);
        }
        let named = session.credits.as_ref().map(|text| text.trim().parse::<u64>().ok());
        let by_link = || config.packs.get(session.payment_link.as_ref()?).copied();
        let credits = match named {
            Some(named) => named.filter(|credits| (1..=MOST_CREDITS).contains(credits)),
            None => Some(by_link().ok_or(Reason::NoCredits)?),
        };
        let object = session.payment.as_ref().unwrap_or(&session.id).clone();
        let pack = credits.and_then(|credits| i64::try_from(credits).ok());
        let pack = pack.map(|credits| Fact::Sold(Pack { session: session.id.clone(), credits }));
        Ok(Self { unreadable_credits: pack.is_none(), ..Self::one(event, object, pack) })
    }
}

impl Fact {
    /// Whether it is about a subscription without a price that stands for a plan.
    #[must_use]
    pub fn is_unlisted(&self) -> bool {
        matches!(self, Self::Subscription(observation) if !observation.is_listed())
    }
}

/// `None` without a period, unless the subscription provides nothing any more and so needs none.
fn snapshot(subscription: &Subscription, created: UnixSeconds, config: &StripeConfig) -> Option<Snapshot> {
    let item = chosen(&subscription.items, config);
    let span = item.and_then(|item| item.span).or(subscription.span);
    let ends_at = match subscription.status {
        Status::Ended => Some(subscription.ended_at.unwrap_or(created)),
        Status::Suspended => Some(created),
        Status::Live | Status::PastDue | Status::Incomplete => {
            let at_period_end = span.filter(|_| subscription.cancel_at_period_end).map(|span| span.end);
            subscription.cancel_at.or(at_period_end)
        }
    };
    let over = matches!(subscription.status, Status::Ended | Status::Suspended);
    (over || span.is_some()).then(|| Snapshot {
        status: subscription.status,
        collection_paused: subscription.collection_paused,
        just_created: subscription.just_created,
        plan: item.and_then(|item| plan(item, config)),
        span,
        interval: item.and_then(|item| item.interval),
        anchor: subscription.anchor,
        ends_at,
    })
}

/// The invoice line of a plan's price with the latest period: usage is invoiced for the period before.
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

fn plan(item: &Item, config: &StripeConfig) -> Option<Bought> {
    let plan = item.prices.iter().find_map(|price| config.prices.get(price))?;
    Some(Bought { plan: plan.clone(), quantity: item.quantity.unwrap_or(1) })
}
