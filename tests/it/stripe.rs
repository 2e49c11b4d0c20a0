//! `POST /api/webhooks/stripe`: Stripe's events over HTTP, signed by its own library.

use crate::{
    billed::{OLD_SECRET, PATH, SECRET, Shape, UPDATED, billed_world, event, invoice, refund, session, subscription},
    people::Person,
    signer::signature,
    world::{NOON, World},
};
use futures_util::future::join_all;
use hyper::Method;
use proptest::{
    strategy::{Just, Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use rembg_gateway::domain::account::Uid;
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const PERIOD: (i64, i64) = (NOON - DAY, NOON + 30 * DAY);
const PAID: &str = "checkout.session.completed";
const REFUNDED: &str = "charge.refunded";

async fn report(person: &Person) -> Value {
    person.get("/api/membership-usage?expand=billing_cycle").await.json()
}

async fn prepaid(world: &World, uid: &str) -> i64 {
    world.store.account(&Uid::new(uid).unwrap()).await.unwrap().unwrap().prepaid
}

async fn events(world: &World, outcome: &str) -> f64 {
    world.operator().metrics_sum(&format!("rgw_stripe_events_total{{outcome=\"{outcome}\",")).await
}

#[tokio::test]
async fn a_subscription_of_either_api_generation_sets_plan_and_window() {
    let world = billed_world().await;
    for (uid, shape) in [("ann", Shape::Acacia), ("bob", Shape::Basil)] {
        let person = world.customer(uid, 3).await;
        world.delivered(&event("evt_1", NOON, UPDATED, &subscription(shape, uid, PERIOD))).await;
        let report = report(&person).await;
        assert_eq!((&report["membership"], &report["credits"]), (&json!("Premium-20000"), &json!(10)), "{shape:?}");
        let cycle = &report["billingCycle"];
        assert_eq!((&cycle["periodStartUnix"], &cycle["periodEndUnix"]), (&json!(PERIOD.0), &json!(PERIOD.1)));
        assert_eq!(cycle["stripeBillingSynced"], true);
        world.audited(uid).await;
    }
    assert!((events(&world, "applied").await - 2.0).abs() < 0.1);
}

#[tokio::test]
async fn a_subscription_is_followed_from_its_first_payment_to_its_end() {
    for shape in [Shape::Acacia, Shape::Basil] {
        let world = billed_world().await;
        let ann = world.customer("ann", 3).await;
        let subscribed = |status: &str| {
            let mut object = subscription(shape, "ann", PERIOD);
            object["status"] = status.into();
            object
        };
        let story = [
            ("customer.subscription.created", subscribed("incomplete"), "Test", false),
            ("invoice.paid", invoice(shape, "ann", PERIOD), "Premium-20000", true),
            (UPDATED, subscribed("active"), "Premium-20000", true),
            (UPDATED, subscribed("past_due"), "Premium-20000", true),
            ("customer.subscription.paused", subscribed("paused"), "Free", false),
            ("customer.subscription.resumed", subscribed("active"), "Premium-20000", true),
            ("customer.subscription.deleted", subscribed("canceled"), "Free", false),
        ];
        for (number, (kind, object, membership, synced)) in story.into_iter().enumerate() {
            world.turn_clock_by(60);
            world.delivered(&event(&format!("evt_{number}"), world.now().0, kind, &object)).await;
            let report = report(&ann).await;
            let shown = (&report["membership"], &report["billingCycle"]["stripeBillingSynced"]);
            assert_eq!(shown, (&json!(membership), &json!(synced)), "{shape:?} {kind}");
        }
        world.audited("ann").await;
    }
}

#[tokio::test]
async fn a_disputed_pack_is_held_back_until_the_dispute_is_won() {
    let world = billed_world().await;
    let ann = world.customer("ann", 1).await;
    let dispute = |status: &str| json!({"id": "dp_1", "payment_intent": "pi_cs_1", "status": status});
    world.delivered(&event("evt_1", NOON, PAID, &session("cs_1", "ann", 100))).await;
    for (id, kind, status, left) in [
        ("evt_2", "charge.dispute.created", "needs_response", 0),
        ("evt_3", "charge.dispute.updated", "under_review", 0),
        ("evt_4", "charge.dispute.closed", "won", 100),
    ] {
        world.delivered(&event(id, NOON, kind, &dispute(status))).await;
        assert_eq!(report(&ann).await["prepaidCredits"], left, "{status}");
    }
    world.audited("ann").await;
}

#[tokio::test]
async fn every_configured_secret_counts_and_nothing_else_does() {
    let world = billed_world().await;
    let pack = event("evt_1", NOON, PAID, &session("cs_1", "ann", 5));
    let rightly = signature(&pack, OLD_SECRET, NOON);
    for (what, body, signature) in [
        ("another secret", pack.clone(), signature(&pack, "whsec_guessed", NOON)),
        ("another body", event("evt_1", NOON, PAID, &session("cs_1", "ann", 9)), rightly.clone()),
        ("signed too long ago", pack.clone(), signature(&pack, SECRET, NOON - 301)),
        ("no signature", pack.clone(), String::new()),
    ] {
        let reply = world.deliver_signed(&body, &signature).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid signature"), "{what}");
    }
    assert_eq!(world.store.account(&Uid::new("ann").unwrap()).await.unwrap(), None);
    let refused = world.metric(r#"rgw_outcomes_total{outcome="bad_signature",route="stripe_webhook"}"#);
    assert!((refused.await - 4.0).abs() < 0.1);
    assert_eq!(world.deliver_signed(&pack, &rightly).await.status, 200);
    assert_eq!(prepaid(&world, "ann").await, 5);
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_what_means_nothing_is_taken() {
    let world = billed_world().await;
    for body in ["", "{", "[]", r#"{"id":"evt_1","object":"v2.core.event","type":"v1.billing","created":1}"#] {
        let reply = world.deliver(body).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, "The body is not a snapshot event of Stripe."));
    }
    let longest = world.deliver(&" ".repeat(1 << 20)).await;
    assert_eq!(longest.status, 400, "read whole, and no event");
    let long = world.deliver(&" ".repeat((1 << 20) + 1)).await;
    assert_eq!((long.status, long.error().as_str()), (413, "Request body is too large."));
    world.delivered(&event("evt_1", NOON, "price.created", &json!({"id": "price_1"}))).await;
    assert!((events(&world, "other_type").await - 1.0).abs() < 0.1);
    let get = world.stranger().ask(Method::GET, PATH, &[], Vec::new()).await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn without_a_secret_there_is_no_webhook() {
    let world = World::start().await;
    let reply = world.deliver(&event("evt_1", NOON, PAID, &session("cs_1", "ann", 5))).await;
    assert_eq!((reply.status, reply.error().as_str()), (404, "not found"));
}

#[tokio::test]
async fn while_the_store_is_away_stripe_is_told_to_come_again() {
    let world = billed_world().await;
    let ann = world.customer("ann", 1).await;
    let pack = event("evt_1", NOON, PAID, &session("cs_1", "ann", 5));
    world.engine.goes_away();
    let reply = world.deliver(&pack).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert!((events(&world, "store_unavailable").await - 1.0).abs() < 0.1);
    world.engine.comes_back().await;
    world.ready().await;
    world.delivered(&pack).await;
    assert_eq!(report(&ann).await["prepaidCredits"], 5);
    world.audited("ann").await;
}

/// A subscription that is renewed and cancelled for its period's end, and a pack that is bought twice over and given back in part.
fn a_month(uid: &str) -> Vec<String> {
    let renewed = (PERIOD.1, PERIOD.1 + 31 * DAY);
    let mut cancelled = subscription(Shape::Basil, uid, renewed);
    cancelled["cancel_at_period_end"] = true.into();
    // Only its customer says which account it belongs to.
    cancelled["metadata"] = json!({});
    [
        (0, "customer.subscription.created", subscription(Shape::Basil, uid, PERIOD)),
        (5, PAID, session("cs_1", uid, 100)),
        (5, "checkout.session.async_payment_succeeded", session("cs_1", uid, 100)),
        (9, REFUNDED, refund("cs_1", 30)),
        (31 * DAY, UPDATED, subscription(Shape::Acacia, uid, renewed)),
        (31 * DAY, UPDATED, cancelled),
    ]
    .into_iter()
    .enumerate()
    .map(|(number, (after, kind, mut object))| {
        // Each account's packs are its own.
        for field in ["/id", "/payment_intent"] {
            if let Some(Value::String(id)) = object.pointer_mut(field) {
                id.push_str(uid);
            }
        }
        event(&format!("evt_{number}"), PERIOD.0 + after, kind, &object)
    })
    .collect()
}

/// So many orders in which each comes twice.
fn shuffled_twice_over(numbers: &[usize], orders: usize) -> Vec<Vec<usize>> {
    let twice = Just([numbers, numbers].concat()).prop_shuffle();
    let mut chance = TestRunner::deterministic();
    (0..orders).map(|_| twice.new_tree(&mut chance).unwrap().current()).collect()
}

#[tokio::test]
async fn in_any_order_and_twice_over_the_same_events_end_in_the_same_state() {
    let world = billed_world().await;
    world.turn_clock_to(PERIOD.1 + DAY);
    let mut ends = Vec::new();
    let in_order: Vec<_> = (0..a_month("").len()).collect();
    for (number, order) in [in_order.clone()].into_iter().chain(shuffled_twice_over(&in_order, 16)).enumerate() {
        let uid = &format!("person-{number}");
        let person = world.customer(uid, 1).await;
        let events = a_month(uid);
        for number in &order {
            world.delivered(&events[*number]).await;
        }
        let cycles = person.get("/api/membership-usage?listBillingCycles=1").await.json();
        let account = world.store.account(&Uid::new(uid.as_str()).unwrap()).await.unwrap().unwrap();
        ends.push((order, (report(&person).await, cycles, account.billing_period)));
        world.audited(uid).await;
    }
    let (_, expected @ (first, cycles, period)) = &ends[0];
    assert_eq!((&first["membership"], &first["prepaidCredits"]), (&json!("Premium-20000"), &json!(70)));
    assert_eq!(first["billingCycle"]["periodStartUnix"], PERIOD.1);
    assert_eq!(cycles["billingCycles"].as_array().map(Vec::len), Some(1));
    assert_eq!(period.unwrap().ends_at, Some(period.unwrap().end), "cancelled at the period's end");
    for (order, end) in &ends[1..] {
        assert_eq!(end, expected, "{order:?}");
    }
    assert_eq!(world.store.parked().await.unwrap(), []);
}

#[tokio::test]
async fn what_comes_before_its_account_is_known_waits_for_it() {
    let world = billed_world().await;
    let ann = world.customer("ann", 1).await;
    let mut nameless = subscription(Shape::Basil, "ann", PERIOD);
    nameless["metadata"] = json!({});
    // It takes two steps: the session names the account and its customer, and the subscription has that customer.
    world.delivered(&event("evt_1", NOON, UPDATED, &nameless)).await;
    world.delivered(&event("evt_2", NOON, REFUNDED, &refund("cs_1", 100))).await;
    let waiting: Vec<_> =
        world.store.parked().await.unwrap().into_iter().map(|event| (event.id, event.about)).collect();
    assert_eq!(waiting, [("evt_1".into(), "subscription".into()), ("evt_2".into(), "refund".into())]);
    assert_eq!(report(&ann).await["membership"], "Test");

    world.delivered(&event("evt_3", NOON, PAID, &session("cs_1", "ann", 5))).await;
    assert_eq!(world.store.parked().await.unwrap(), []);
    let after = report(&ann).await;
    assert_eq!((&after["membership"], &after["prepaidCredits"]), (&json!("Premium-20000"), &json!(0)));
    assert!((events(&world, "parked").await - 2.0).abs() < 0.1);
    assert!((events(&world, "applied").await - 3.0).abs() < 0.1);
    world.audited("ann").await;
}

#[tokio::test]
async fn an_account_that_stripe_knows_first_is_made_and_must_still_prove_its_address() {
    let world = billed_world().await;
    world.delivered(&event("evt_1", NOON, PAID, &session("cs_1", "new", 5))).await;
    let uid = Uid::new("new").unwrap();
    let person = Person::with_key(world.app.public, &world.key_for(&uid).await);
    assert_eq!(person.get("/api/membership-usage").await.status, 403);
    let account = world.store.account(&uid).await.unwrap().unwrap();
    assert_eq!((account.membership.as_str(), account.credits, account.prepaid), ("Free", 1, 5));
}

#[tokio::test]
async fn one_event_delivered_many_times_at_once_counts_once() {
    let world = billed_world().await;
    let pack = event("evt_1", NOON, PAID, &session("cs_1", "ann", 5));
    let replies = join_all((0..8).map(|_| world.deliver(&pack))).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(prepaid(&world, "ann").await, 5);
    assert!((events(&world, "applied").await - 1.0).abs() < 0.1);
    assert!((events(&world, "duplicate").await - 7.0).abs() < 0.1);
    world.audited("ann").await;
}
