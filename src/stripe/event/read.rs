//! Reads each kind of object, in the shapes of both API generations.

use super::{Checkout, Dispute, EventKind, Invoice, Item, Owner, Refund, Status, Subscription, reader::Reader};
use crate::domain::{
    caller::Uid,
    period::{Interval, IntervalUnit},
};

impl Owner {
    pub(super) fn read(object: Reader<'_>) -> Self {
        let named = [
            "/metadata/uid",
            "/parent/subscription_details/metadata/uid",
            "/subscription_details/metadata/uid",
            "/client_reference_id",
        ];
        let uid = named.into_iter().find_map(|pointer| Uid::new(object.text(pointer)?).ok());
        let ids = ["/customer", "/customer_account", "/payment_intent"];
        Self { uid, aliases: ids.into_iter().filter_map(|pointer| object.id(pointer)).collect() }
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
            (_, "active" | "trialing" | "past_due") => Status::Live,
            (_, "unpaid" | "paused") => Status::Suspended,
            (_, "incomplete") => Status::Incomplete,
            _ => return None,
        };
        Some(Self {
            id: object.text("/id")?.into(),
            status,
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
            payment_link: object.id("/payment_link"),
            credits: object.text("/metadata/credits").and_then(|text| text.trim().parse().ok()),
        })
    }
}

impl Refund {
    pub(super) fn read(object: Reader<'_>) -> Self {
        let amount = |pointer| object.integer(pointer).and_then(|amount| u64::try_from(amount).ok()).unwrap_or(0);
        Self { payment: object.id("/payment_intent"), refunded: amount("/amount_refunded"), amount: amount("/amount") }
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
