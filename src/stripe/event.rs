//! Stripe's events, normalised: the API versions up to 2025-02-24 and those since 2025-03-31 give the same values.
//!
//! Reading is tolerant: a field that is null or of an unexpected type counts as absent.

mod read;
mod reader;
#[cfg(test)]
mod tests;

use crate::{
    domain::{account::Uid, period::Interval, time::UnixSeconds},
    telemetry::StripeType,
};
use reader::Reader;
use serde::{Deserialize, Serialize};

/// Why a signed body is not an event that this gateway reads. A retry would change nothing.
#[derive(Debug, thiserror::Error)]
pub enum EventFault {
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The body is a thin event of the v2 API, which names an object without containing it.
    #[error("this is a thin event (v2); configure the endpoint for snapshot events")]
    Thin,
    /// The body is JSON, but not an event.
    #[error("the body is not a Stripe event: it has no {0}")]
    NotAnEvent(&'static str),
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The event's id (`evt_…`), which is the same in every delivery.
    pub id: String,
    /// When Stripe created the event, in whole seconds. Events of the same second have no order.
    pub created: UnixSeconds,
    /// The connected account (`acct_…`) of the event; `None` for the endpoint's own account.
    pub connected: Option<String>,
    /// What the event says about the owner.
    pub owner: Owner,
    /// The event's content.
    pub kind: EventKind,
}

/// What an event says about the owner of its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// `metadata.uid` of the subscription, payment or session; never empty.
    pub metadata: Option<Uid>,
    /// The time of that claim: an invoice has its subscription's metadata as of the invoice's creation.
    pub as_of: UnixSeconds,
    /// `client_reference_id` of a session, which the buyer may have chosen.
    pub reference: Option<Uid>,
    /// The customer (`cus_…`), or the account that pays in its place; a guest has none.
    pub customer: Option<String>,
}

/// The content of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// `customer.subscription.*`: the subscription as it was then.
    Subscription(Subscription),
    /// `invoice.paid`.
    InvoicePaid(Invoice),
    /// `checkout.session.completed` or `….async_payment_succeeded`.
    Checkout(Checkout),
    /// `charge.refunded`.
    Refund(Refund),
    /// `charge.refund.updated`, `refund.updated` or `refund.failed`, for a refund that failed or was cancelled.
    FailedRefund(FailedRefund),
    /// `charge.dispute.*`.
    Dispute(Dispute),
    /// An event of a type that is not used here, or whose object has no id.
    Other(String),
}

/// A period. Its start and its end are always from the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first second.
    pub start: UnixSeconds,
    /// The first second after the period.
    pub end: UnixSeconds,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    /// The subscription's status.
    pub status: Status,
    /// Whether `pause_collection` is set: its invoices are not collected.
    pub collection_paused: bool,
    /// Whether the event is the creation, which precedes all other events of the same second.
    pub just_created: bool,
    /// The items that are subscribed to.
    pub items: Vec<Item>,
    /// The period for all items, in old API versions.
    pub span: Option<Span>,
    /// `billing_cycle_anchor`
    pub anchor: Option<UnixSeconds>,
    /// `cancel_at`
    pub cancel_at: Option<UnixSeconds>,
    /// Whether it ends with its period.
    pub cancel_at_period_end: bool,
    /// When it ended.
    pub ended_at: Option<UnixSeconds>,
}

/// The status of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The first payment is pending.
    Incomplete,
    /// `unpaid` or `paused`: nothing is provided, but the subscription may resume.
    Suspended,
    /// `past_due`: a payment has failed, and Stripe is still trying to be paid.
    PastDue,
    /// `active` or `trialing`
    Live,
    /// `canceled` or `incomplete_expired`, which are final.
    Ended,
}

/// One item of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The price's id and, if it has one, its lookup key.
    pub prices: Vec<String>,
    /// How often it renews.
    pub interval: Option<Interval>,
    /// The quantity; 1 if it is absent.
    pub quantity: Option<u64>,
    /// The item's own period, in API versions since 2025-03-31.
    pub span: Option<Span>,
}

/// A paid invoice of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// `sub_…`; `None` on an invoice for something else.
    pub subscription: Option<String>,
    /// Whether it starts a period: `billing_reason` is `subscription_create` or `subscription_cycle`.
    pub starts_period: bool,
    /// Its lines for subscription items, prorations excluded, each with the period that it pays for.
    pub lines: Vec<Item>,
}

/// A Checkout session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// `cs_…`
    pub id: String,
    /// Whether the session sold something for one payment, and the payment is made.
    pub paid: bool,
    /// `pi_…`
    pub payment: Option<String>,
    /// `sub_…`, if the session sold a subscription.
    pub subscription: Option<String>,
    /// `plink_…`
    pub payment_link: Option<String>,
    /// `metadata.credits`, unparsed.
    pub credits: Option<String>,
}

/// A charge that was refunded, in part or in whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// `pi_…`
    pub payment: Option<String>,
    /// The total of the refunds, in the smallest unit of the currency.
    pub refunded: u64,
    /// The amount of the charge, in the same unit.
    pub amount: u64,
}

/// A refund that failed: the buyer's bank refused it, or it was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRefund {
    /// `re_…`
    pub id: String,
    /// `pi_…`
    pub payment: Option<String>,
    /// The amount, in the smallest unit of the currency.
    pub amount: u64,
}

/// A disputed charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// `dp_…` or `du_…`
    pub id: String,
    /// `pi_…`
    pub payment: Option<String>,
    /// Whether the bank has taken the money. It has not for an inquiry, nor after the dispute is won.
    pub taken: bool,
    /// Whether the dispute is closed.
    pub closed: bool,
}

impl EventKind {
    /// The name of the content for metrics.
    #[must_use]
    pub fn label(&self) -> StripeType {
        match self {
            Self::Subscription(_) => StripeType::Subscription,
            Self::InvoicePaid(_) => StripeType::InvoicePaid,
            Self::Checkout(_) => StripeType::Checkout,
            Self::Refund(_) => StripeType::Refund,
            Self::FailedRefund(_) => StripeType::FailedRefund,
            Self::Dispute(_) => StripeType::Dispute,
            Self::Other(_) => StripeType::Other,
        }
    }

    /// A name of the content for people.
    #[must_use]
    pub fn about(&self) -> &'static str {
        match self {
            Self::Subscription(_) => "subscription",
            Self::InvoicePaid(_) => "paid invoice",
            Self::Checkout(_) => "checkout",
            Self::Refund(_) => "refund",
            Self::FailedRefund(_) => "failed refund",
            Self::Dispute(_) => "dispute",
            Self::Other(_) => "other",
        }
    }
}

impl Event {
    /// Reads the raw body of a webhook whose signature is valid.
    pub fn parse(body: &[u8]) -> Result<Self, EventFault> {
        let value: serde_json::Value = serde_json::from_slice(body)?;
        let event = Reader(&value);
        if event.text("/object").is_some_and(|object| object.starts_with("v2.")) {
            return Err(EventFault::Thin);
        }
        let id = event.text("/id").ok_or(EventFault::NotAnEvent("id"))?;
        let created = event.moment("/created").ok_or(EventFault::NotAnEvent("created"))?;
        let name = event.text("/type").ok_or(EventFault::NotAnEvent("type"))?;
        let object = event.at("/data/object").ok_or(EventFault::NotAnEvent("data.object"))?;
        let kind = EventKind::read(name, object).unwrap_or_else(|| EventKind::Other(name.into()));
        let connected = event.text("/account").map(str::to_owned);
        Ok(Self { id: id.into(), created, connected, owner: Owner::read(name, object, created), kind })
    }
}
