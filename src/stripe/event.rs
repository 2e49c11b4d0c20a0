//! What Stripe says, normalised: the API versions up to 2025-02-24 and those since 2025-03-31 read alike.
//!
//! Read tolerantly: a field that is absent, null or of another type than expected counts as not there.

mod read;
mod reader;
#[cfg(test)]
mod tests;

use crate::domain::{account::Uid, period::Interval, time::UnixSeconds};
use reader::Reader;
use serde::{Deserialize, Serialize};

/// Why a signed body is no event that this gateway reads. Asking again would change nothing.
#[derive(Debug, thiserror::Error)]
pub enum EventFault {
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A thin event, of the v2 API: it names an object without carrying it.
    #[error("this is a thin event (v2); configure the endpoint for snapshot events")]
    Thin,
    /// JSON, but not an event.
    #[error("the body is not a Stripe event: it has no {0}")]
    NotAnEvent(&'static str),
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `evt_…`: names this event for ever, however often it is delivered.
    pub id: String,
    /// When Stripe made it: whole seconds, without a sequence within one.
    pub created: UnixSeconds,
    /// The connected account that it happened at (`acct_…`); `None` for the endpoint's own.
    pub connected: Option<String>,
    /// Whose account it is about.
    pub owner: Owner,
    /// What it says.
    pub kind: EventKind,
}

/// What an event says of whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// `metadata.uid` of the subscription, payment or session; never empty.
    pub metadata: Option<Uid>,
    /// As of when it says so: an invoice has what its subscription said when the invoice was made.
    pub as_of: UnixSeconds,
    /// `client_reference_id` of a session, which the buyer may have chosen.
    pub reference: Option<Uid>,
    /// The customer (`cus_…`), or the account that pays in its place; a guest has none.
    pub customer: Option<String>,
}

/// What an event says.
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
    /// `charge.refund.updated`, `refund.updated` or `refund.failed`, of a refund that did not come about.
    FailedRefund(FailedRefund),
    /// `charge.dispute.*`.
    Dispute(Dispute),
    /// An event of a type that means nothing here, or whose object has no id.
    Other(String),
}

/// A period: start, and end (exclusive). Always from one and the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First second.
    pub start: UnixSeconds,
    /// First second after it.
    pub end: UnixSeconds,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// `sub_…`
    pub id: String,
    /// How it stands.
    pub status: Status,
    /// Whether `pause_collection` is set: its invoices are not collected.
    pub collection_paused: bool,
    /// Whether this is its creation, which goes before anything else in the same second.
    pub just_created: bool,
    /// What is subscribed to.
    pub items: Vec<Item>,
    /// The period of old API versions, for all items.
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

/// How a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The first payment is pending.
    Incomplete,
    /// `unpaid` or `paused`: nothing is provided, but it may come back.
    Suspended,
    /// `past_due`: a payment has failed, and Stripe is still trying to be paid.
    PastDue,
    /// `active` or `trialing`
    Live,
    /// `canceled` or `incomplete_expired`, for ever.
    Ended,
}

/// One item of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The price's id and, if it has one, its lookup key.
    pub prices: Vec<String>,
    /// How often it renews.
    pub interval: Option<Interval>,
    /// How many; none is 1.
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
    /// Whether it sold something for one payment, and that is paid.
    pub paid: bool,
    /// `pi_…`
    pub payment: Option<String>,
    /// `sub_…`, where it sold a subscription.
    pub subscription: Option<String>,
    /// `plink_…`
    pub payment_link: Option<String>,
    /// `metadata.credits`, as it is written there.
    pub credits: Option<String>,
}

/// A charge of which something has been refunded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// `pi_…`
    pub payment: Option<String>,
    /// How much altogether, in the smallest unit of the currency.
    pub refunded: u64,
    /// Of how much.
    pub amount: u64,
}

/// A refund that did not come about: the buyer's bank refused it, or it was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRefund {
    /// `re_…`
    pub id: String,
    /// `pi_…`
    pub payment: Option<String>,
    /// How much, in the smallest unit of the currency.
    pub amount: u64,
}

/// A disputed charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// `dp_…` or `du_…`
    pub id: String,
    /// `pi_…`
    pub payment: Option<String>,
    /// Whether the bank has taken the money: not for an inquiry, nor once it is won.
    pub taken: bool,
    /// Whether it is over.
    pub closed: bool,
}

impl EventKind {
    /// What it is about, for people.
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
    /// Reads the raw body of a webhook whose signature is right.
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
