//! Reads each kind of object, in the shapes of both API generations.

use super::{
    Checkout, Dispute, EventKind, FailedRefund, Invoice, Item, Owner, Refund, Status, Subscription, reader::Reader,
};
use crate::domain::{
    account::Uid,
    period::{Interval, IntervalUnit},
    time::UnixSeconds,
};

impl Owner {
    /// The `metadata` of an object other than a subscription, payment or session does not name an owner.
    pub(super) fn read(name: &str, object: Reader<'_>, created: UnixSeconds) -> Self {
        let is_session = name.starts_with("checkout.session.");
        let is_invoice = name.starts_with("invoice.");
        let places: &[&str] = match name {
            _ if is_invoice => &["/parent/subscription_details/metadata/uid", "/subscription_details/metadata/uid"],
            "charge.refunded" => &["/metadata/uid"],
            _ if is_session || name.starts_with("customer.subscription.") => &["/metadata/uid"],
            _ => &[],
        };
        let uid = |pointer| Uid::new(object.text(pointer)?.trim()).ok();
        let customer = ["/customer", "/customer_account"].into_iter().find_map(|pointer| object.id(pointer));
        let made = object.moment("/created").filter(|_| is_invoice);
        Self {
            metadata: places.iter().copied().find_map(uid),
            as_of: made.map_or(created, |made| made.min(created)),
            reference: uid("/client_reference_id").filter(|_| is_session),
            customer,
        }
    }
}

impl EventKind {
    pub(super) fn read(name: &str, object: Reader<'_>) -> Option<Self> {
        match name {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
                Checkout::read(object).map(Self::Checkout)
            }
            "invoice.paid" => Some(Self::InvoicePaid(Invoice::read(object))),
            "charge.refunded" => Some(Self::Refund(Refund::read(object))),
            "charge.refund.updated" | "refund.updated" | "refund.failed" => {
                FailedRefund::read(object).map(Self::FailedRefund)
            }
            _ if name.starts_with("customer.subscription.") => {
                Subscription::read(object, name.strip_prefix("customer.subscription.")?).map(Self::Subscription)
            }
            _ if name.starts_with("charge.dispute.") => Dispute::read(object).map(Self::Dispute),
            _ => None,
        }
    }
}

impl Subscription {
    pub(super) fn read(object: Reader<'_>, happened: &str) -> Option<Self> {
        let status = match (happened, object.text("/status")?) {
            ("deleted", _) | (_, "canceled" | "incomplete_expired") => Status::Ended,
            (_, "active" | "trialing") => Status::Live,
            (_, "past_due") => Status::PastDue,
            (_, "unpaid" | "paused") => Status::Suspended,
            (_, "incomplete") => Status::Incomplete,
            _ => return None,
        };
        Some(Self {
            id: object.text("/id")?.into(),
            status,
            collection_paused: object.at("/pause_collection").is_some(),
            just_created: happened == "created",
            items: object
                .list("/items/data")
                .map(|item| Item::read(item, "/current_period_start", "/current_period_end"))
                .collect(),
            span: object.span("/current_period_start", "/current_period_end"),
            anchor: object.moment("/billing_cycle_anchor"),
            cancel_at: object.moment("/cancel_at"),
            cancel_at_period_end: object.flag("/cancel_at_period_end"),
            ended_at: object.moment("/ended_at"),
        })
    }
}

impl Item {
    pub(super) fn read(item: Reader<'_>, start: &str, end: &str) -> Self {
        let prices =
            ["/price", "/plan", "/pricing/price_details/price"].into_iter().filter_map(|pointer| item.id(pointer));
        let keys = ["/price/lookup_key", "/pricing/price_details/price/lookup_key"];
        let keys = keys.into_iter().filter_map(|pointer| item.text(pointer).map(str::to_owned));
        Self {
            prices: prices.chain(keys).collect(),
            interval: interval(item, "/price/recurring").or_else(|| interval(item, "/plan")),
            quantity: item.integer("/quantity").and_then(|quantity| u64::try_from(quantity).ok()),
            span: item.span(start, end),
        }
    }
}

impl Invoice {
    pub(super) fn read(object: Reader<'_>) -> Self {
        let subscription = ["/parent/subscription_details/subscription", "/subscription"];
        let of_subscription = |line: &Reader<'_>| {
            let kind = line.text("/parent/type").or(line.text("/type"));
            let prorated = line.flag("/proration") || line.flag("/parent/subscription_item_details/proration");
            matches!(kind, Some("subscription_item_details" | "subscription")) && !prorated
        };
        let lines = object.list("/lines/data").filter(of_subscription);
        Self {
            subscription: subscription.into_iter().find_map(|pointer| object.id(pointer)),
            starts_period: matches!(object.text("/billing_reason"), Some("subscription_create" | "subscription_cycle")),
            lines: lines.map(|line| Item::read(line, "/period/start", "/period/end")).collect(),
        }
    }
}

impl Checkout {
    pub(super) fn read(object: Reader<'_>) -> Option<Self> {
        let paid = matches!(object.text("/payment_status"), Some("paid" | "no_payment_required"));
        Some(Self {
            id: object.text("/id")?.into(),
            paid: paid && object.text("/mode") == Some("payment"),
            payment: object.id("/payment_intent"),
            subscription: object.id("/subscription"),
            payment_link: object.id("/payment_link"),
            credits: object.text("/metadata/credits").map(str::to_owned),
        })
    }
}

impl Refund {
    pub(super) fn read(object: Reader<'_>) -> Self {
        let amount = |pointer| amount(object, pointer);
        Self { payment: object.id("/payment_intent"), refunded: amount("/amount_refunded"), amount: amount("/amount") }
    }
}

impl FailedRefund {
    /// `None` for a refund that has succeeded or still may.
    pub(super) fn read(object: Reader<'_>) -> Option<Self> {
        matches!(object.text("/status")?, "failed" | "canceled").then_some(())?;
        let id = object.text("/id")?.into();
        Some(Self { id, payment: object.id("/payment_intent"), amount: amount(object, "/amount") })
    }
}

impl Dispute {
    pub(super) fn read(object: Reader<'_>) -> Option<Self> {
        let status = object.text("/status")?;
        Some(Self {
            id: object.text("/id")?.into(),
            payment: object.id("/payment_intent"),
            taken: matches!(status, "needs_response" | "under_review" | "lost"),
            closed: matches!(status, "won" | "lost" | "warning_closed" | "prevented"),
        })
    }
}

fn amount(object: Reader<'_>, pointer: &str) -> u64 {
    object.integer(pointer).and_then(|amount| u64::try_from(amount).ok()).unwrap_or(0)
}

fn interval(item: Reader<'_>, pointer: &str) -> Option<Interval> {
    let price = item.at(pointer)?;
    let unit = match price.text("/interval")? {
        "day" => IntervalUnit::Day,
        "week" => IntervalUnit::Week,
        "month" => IntervalUnit::Month,
        "year" => IntervalUnit::Year,
        _ => return None,
    };
    let count = price.integer("/interval_count").and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
    Some(Interval { unit, count: count.max(1) })
}
