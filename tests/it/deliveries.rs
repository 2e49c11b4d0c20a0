//! Forged deliveries to the webhook that stall do not keep genuine ones out.

use crate::{
    billed::{PATH, SECRET, event},
    rawsocket::Raw,
    signer::signature,
    world::{NOON, World},
};
use hyper::Method;
use serde_json::json;
use std::time::Duration;

async fn world() -> World {
    World::with(|config| {
        config.stripe.webhook_secrets = vec![SECRET.into()];
        config.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

/// This is far less than an upload may take; a genuine delivery needs a few milliseconds.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn forged_deliveries_that_stall_keep_no_true_one_out() {
    let forged = format!("t={NOON},v1={}", "00".repeat(32));
    for addresses in [1, 200] {
        let world = world().await;
        let mut stalled = Vec::new();
        for number in 0..100 {
            let mut raw = Raw::connect(world.app.public).await;
            let address = number % addresses;
            raw.send(&format!(
                "POST {PATH} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.{address}\r\nstripe-signature: {forged}\r\ncontent-length: 1000000\r\n\r\n"
            ))
            .await;
            raw.try_send(&vec![b'a'; 950_000]).await;
            stalled.push(raw);
        }
        world.metric_reaches("rgw_requests_in_flight ", 1.0).await;
        for (number, from) in [(1, "192.0.2.0"), (2, "198.51.100.1")] {
            // The event has a type that changes nothing, and the greatest length.
            let filled = json!({"id": "price_1", "metadata": {"long": "x".repeat(900_000)}});
            let body = event(&format!("evt_{number}"), NOON, "price.created", &filled);
            let signed = signature(&body, SECRET, NOON);
            let stripe = world.stranger().calling_from(from);
            let headers = [("stripe-signature", signed.as_str())];
            let delivery = stripe.ask(Method::POST, PATH, &headers, body.into());
            let reply = tokio::time::timeout(SOON, delivery).await.expect("it is taken at once");
            assert_eq!(reply.status, 200, "{addresses} addresses, from {from}: {reply:?}");
        }
        drop(stalled);
        world.metric_falls_to("rgw_requests_in_flight ", 0.0).await;
    }
}

#[tokio::test]
async fn nothing_is_read_of_what_cannot_be_signed() {
    let world = world().await;
    let forged = "00".repeat(32);
    for header in [
        String::new(),
        "stripe-signature: none\r\n".into(),
        format!("stripe-signature: t={NOON}\r\n"),
        format!("stripe-signature: t={},v1={forged}\r\n", NOON - 301),
        format!("stripe-signature: t={},v1={forged}\r\n", NOON + 301),
    ] {
        let mut raw = Raw::connect(world.app.public).await;
        raw.send(&format!("POST {PATH} HTTP/1.1\r\nhost: x\r\n{header}content-length: 1000\r\n\r\n")).await;
        let (head, body) = raw.answer().await;
        assert!(head.starts_with("HTTP/1.1 400 ") && body.contains("invalid signature"), "{header}: {head}");
    }
}
