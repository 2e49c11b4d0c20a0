//! A gateway that takes Stripe's events, and such events in the shapes of both API generations.

use super::{people::Reply, signer::signature, world::World};
use hyper::Method;
use rembg_gateway::domain::{plan::Plan, rate_limit::Burst};
use serde_json::{Value, json};

pub const SECRET: &str = "whsec_the_new_one";
pub const OLD_SECRET: &str = "whsec_the_old_one";
pub const UPDATED: &str = "customer.subscription.updated";
pub const PATH: &str = "/api/webhooks/stripe";

/// The API generation that an object is rendered in.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Up to 2025-02-24: the period is the subscription's.
    Acacia,
    /// Since 2025-03-31: it is its items'.
    Basil,
}

/// The gateway has a price for plan `Premium-20000` of ten credits, and a default plan of one.
pub async fn billed_world() -> World {
    World::with(|config| {
        let burst = Burst { per_minute: 60_000, size: 10_000 };
        config.plans.insert("Premium-20000".into(), Plan { credits: 10, burst, priority: 0, max_pixels: None });
        config.plans.insert("Free".into(), Plan { credits: 1, burst, priority: 0, max_pixels: None });
        config.stripe.webhook_secrets = [OLD_SECRET, SECRET].map(Into::into).into();
        config.stripe.prices = [("price_premium".into(), "Premium-20000".into())].into();
        config.stripe.packs = [("plink_small".into(), 500)].into();
    })
    .await
}

/// One event.
pub fn event(id: &str, created: i64, kind: &str, object: &Value) -> String {
    json!({"id": id, "object": "event", "created": created, "type": kind, "data": {"object": object}}).to_string()
}

/// An active monthly subscription to `Premium-20000` of the customer `cus_<uid>`; both bounds in unix seconds.
pub fn subscription(shape: Shape, uid: &str, (start, end): (i64, i64)) -> Value {
    let mut item = json!({
        "id": "si_1", "price": {"id": "price_premium", "recurring": {"interval": "month", "interval_count": 1}},
    });
    let mut object = json!({
        "id": format!("sub_{uid}"), "object": "subscription", "customer": format!("cus_{uid}"), "status": "active",
        "metadata": {"uid": uid}, "cancel_at_period_end": false,
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

/// A paid invoice for one period of that subscription; what it calls its own period is the one before.
pub fn invoice(shape: Shape, uid: &str, (start, end): (i64, i64)) -> Value {
    let mut line = json!({"period": {"start": start, "end": end}});
    let mut object = json!({
        "id": "in_1", "object": "invoice", "customer": format!("cus_{uid}"), "billing_reason": "subscription_create",
        "period_start": start - (end - start), "period_end": start,
    });
    let (subscription, metadata) = (format!("sub_{uid}"), json!({"uid": uid}));
    match shape {
        Shape::Acacia => {
            line["type"] = "subscription".into();
            line["price"] = json!({"id": "price_premium"});
            object["subscription"] = subscription.into();
            object["subscription_details"] = json!({"metadata": metadata});
        }
        Shape::Basil => {
            line["parent"] = json!({"type": "subscription_item_details"});
            line["pricing"] = json!({"price_details": {"price": "price_premium"}});
            object["parent"] = json!({"subscription_details": {"subscription": subscription, "metadata": metadata}});
        }
    }
    object["lines"] = json!({"object": "list", "data": [line]});
    object
}

/// A paid session for a pack of credits.
pub fn session(id: &str, uid: &str, credits: u64) -> Value {
    json!({
        "id": id, "object": "checkout.session", "mode": "payment", "payment_status": "paid",
        "customer": format!("cus_{uid}"), "client_reference_id": uid, "payment_intent": format!("pi_{id}"),
        "metadata": {"credits": credits.to_string()},
    })
}

/// A refund of so many of a hundred units of that session's payment, which names no account.
pub fn refund(session: &str, refunded: u64) -> Value {
    json!({
        "id": "ch_1", "object": "charge", "customer": null, "payment_intent": format!("pi_{session}"), "amount": 100,
        "amount_refunded": refunded,
    })
}

impl World {
    /// Stripe delivers an event that is signed now.
    pub async fn deliver(&self, event: &str) -> Reply {
        self.deliver_signed(event, &signature(event, SECRET, self.now().0)).await
    }

    /// A stranger delivers something under a signature.
    pub async fn deliver_signed(&self, body: &str, signature: &str) -> Reply {
        let headers = [("content-type", "application/json"), ("stripe-signature", signature)];
        self.stranger().ask(Method::POST, PATH, &headers, body.into()).await
    }

    /// Stripe delivers an event, and is told that it was taken.
    pub async fn delivered(&self, event: &str) {
        let reply = self.deliver(event).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"received": true})), "{event}");
    }
}
