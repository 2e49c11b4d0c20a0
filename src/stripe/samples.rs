//! Events for the tests, in the shapes of both API generations.

use super::event::Event;
use crate::{config::StripeConfig, domain::time::UnixSeconds};
use serde_json::{Value, json};

pub(super) const MARCH: i64 = 1_774_268_612;
pub(super) const APRIL: i64 = 1_776_947_012;
pub(super) const MAY: i64 = 1_779_539_012;

/// The API generation in which an object is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// The API versions up to 2025-02-24.
    Acacia,
    /// The API versions since 2025-03-31.
    Basil,
}

pub(super) fn config() -> StripeConfig {
    StripeConfig {
        prices: [("price_premium", "Premium-20000"), ("pro_monthly", "Pro"), ("price_starter", "Starter")]
            .map(|(price, plan)| (price.into(), plan.into()))
            .into(),
        packs: [("plink_small".into(), 500)].into(),
        ..StripeConfig::default()
    }
}

pub(super) fn body(id: &str, created: i64, kind: &str, object: &Value) -> Vec<u8> {
    json!({"id": id, "object": "event", "created": created, "type": kind, "data": {"object": object}})
        .to_string()
        .into()
}

pub(super) fn event(id: &str, created: i64, kind: &str, object: &Value) -> Event {
    Event::parse(&body(id, created, kind, object)).unwrap()
}

/// A monthly subscription of one item, for account 42.
pub(super) fn subscription(shape: Shape, id: &str, status: &str, price: &str, (start, end): (i64, i64)) -> Value {
    let mut item = json!({
        "id": "si_1",
        "price": {"id": price, "lookup_key": null, "recurring": {"interval": "month", "interval_count": 1}},
    });
    let mut object = json!({
        "id": id, "object": "subscription", "customer": "cus_1", "status": status, "metadata": {"uid": "42"},
        "billing_cycle_anchor": MARCH, "cancel_at": null, "cancel_at_period_end": false, "ended_at": null,
    });
    let bearer = match shape {
        Shape::Acacia => &mut object,
        Shape::Basil => &mut item,
    };
    bearer["current_period_start"] = start.into();
    bearer["current_period_end"] = end.into();
    object["items"] = json!({"object": "list", "data": [item]});
    object
}

/// A paid invoice for one period of a subscription; its own period is the one before.
pub(super) fn invoice(shape: Shape, subscription: &str, price: &str, (start, end): (i64, i64)) -> Value {
    let period = json!({"start": start, "end": end});
    let base = json!({
        "id": "in_1", "customer": "cus_1", "billing_reason": "subscription_cycle",
        "period_start": start - (end - start), "period_end": start,
    });
    let more = match shape {
        Shape::Acacia => json!({
            "subscription": subscription, "subscription_details": {"metadata": {"uid": "42"}},
            "lines": {"data": [{"type": "subscription", "proration": false, "period": period, "price": {"id": price}}]},
        }),
        Shape::Basil => json!({
            "parent": {"subscription_details": {"subscription": subscription, "metadata": {"uid": "42"}}},
            "lines": {"data": [{
                "parent": {"type": "subscription_item_details", "subscription_item_details": {"proration": false}},
                "period": period, "pricing": {"price_details": {"price": price}},
            }]},
        }),
    };
    merged(base, more)
}

/// A paid session for a pack, by account 42.
pub(super) fn session(id: &str, payment: &str, credits: &str) -> Value {
    json!({
        "id": id, "object": "checkout.session", "mode": "payment", "payment_status": "paid", "customer": null,
        "client_reference_id": "42", "payment_intent": payment, "payment_link": null, "metadata": {"credits": credits},
    })
}

/// An object with the members of another, which replace its own.
pub(super) fn merged(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}

pub(super) fn unix(seconds: i64) -> UnixSeconds {
    UnixSeconds(seconds)
}
