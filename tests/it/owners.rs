//! Each event of Stripe's changes the account that owns it: over HTTP, on a real store. The unit tests of the rules try
//! all orders of all words.

use crate::{
    billed::{Shape, UPDATED, billed_world, event, invoice, refund, session, subscription},
    form::Form,
    people::Person,
    world::{NOON, World},
};
use proptest::{
    strategy::{Just, Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use rembg_gateway::{
    domain::account::{Account, Uid},
    store::StripeObject,
    stripe::intake::Intake,
};
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const PERIOD: (i64, i64) = (NOON - DAY, NOON + 30 * DAY);
const PAID: &str = "checkout.session.completed";

async fn account(world: &World, uid: &str) -> Account {
    world.store.account(&Uid::new(uid).unwrap()).await.unwrap().unwrap()
}

async fn plan_and_balance(world: &World, uid: &str) -> (String, i64) {
    let account = account(world, uid).await;
    (account.membership, account.prepaid)
}

async fn reasons(world: &World) -> Vec<(String, String)> {
    world.store.parked().await.unwrap().into_iter().map(|event| (event.id, event.reason)).collect()
}

/// The object with other members, of the customer that two accounts share.
fn shared(mut object: Value, more: &Value) -> Value {
    object["customer"] = "cus_shared".into();
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// Events of two accounts that share one customer: each buys a subscription and a pack by a session of its own, and gets
/// a part of the money back.
fn purchases(run: usize) -> Vec<String> {
    let mut events = Vec::new();
    for (number, who) in ["ann", "bob"].into_iter().enumerate() {
        let (uid, sub) = (format!("{who}{run}"), format!("sub_{who}{run}"));
        let customer = json!({"customer": format!("cus_{run}"), "metadata": {}, "id": sub});
        let nameless = shared(subscription(Shape::Basil, &uid, PERIOD), &customer);
        let mut paid = shared(invoice(Shape::Basil, &uid, PERIOD), &json!({"customer": format!("cus_{run}")}));
        paid["parent"]["subscription_details"]["metadata"] = json!({});
        let cs = format!("cs_{who}{run}");
        let sold = shared(session(&cs, &uid, 100), &json!({"customer": format!("cus_{run}")}));
        let more = json!({
            "id": format!("{cs}_plan"), "mode": "subscription", "subscription": sub, "payment_intent": null,
            "metadata": {}, "customer": format!("cus_{run}"),
        });
        let taken = if number == 0 { 30 } else { 60 };
        for (what, kind, object) in [
            ("made", "customer.subscription.created", nameless),
            ("paid", "invoice.paid", paid),
            ("plan", PAID, shared(sold.clone(), &more)),
            ("pack", PAID, sold),
            ("back", "charge.refunded", shared(refund(&cs, taken), &json!({"customer": format!("cus_{run}")}))),
        ] {
            events.push(event(&format!("evt_{what}_{who}{run}"), NOON, kind, &object));
        }
    }
    events
}

#[tokio::test]
async fn one_customer_buys_for_two_accounts_in_any_order() {
    let world = billed_world().await;
    let mut chance = TestRunner::deterministic();
    for run in 0..12 {
        for who in ["ann", "bob"] {
            world.customer(&format!("{who}{run}"), 1).await;
        }
        let events = purchases(run);
        let order = Just([&events[..], &events[..3]].concat()).prop_shuffle().new_tree(&mut chance).unwrap().current();
        for event in &order {
            world.delivered(event).await;
        }
        for (who, left) in [("ann", 70), ("bob", 40)] {
            let uid = format!("{who}{run}");
            assert_eq!(plan_and_balance(&world, &uid).await, ("Premium-20000".into(), left), "{order:#?}");
            world.audited(&uid).await;
        }
        assert_eq!(reasons(&world).await, [], "{order:#?}");
    }
}

#[tokio::test]
async fn metadata_that_are_corrected_move_plan_and_window_and_leave_the_usage() {
    let world = billed_world().await;
    let (ann, bob) = (world.customer("ann", 3).await, world.customer("bob", 3).await);
    let of = |uid: &str, status: &str| {
        let mut object = subscription(Shape::Basil, "ann", PERIOD);
        (object["metadata"], object["status"]) = (json!({"uid": uid}), status.into());
        object
    };
    world.delivered(&event("evt_1", NOON, UPDATED, &of("ann", "active"))).await;
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    let moved = event("evt_2", NOON + 1, UPDATED, &of("bob", "active"));
    for _ in 0..2 {
        world.delivered(&moved).await;
        // An older event changes nothing any more.
        world.delivered(&event("evt_1", NOON, UPDATED, &of("ann", "active"))).await;
        assert_eq!(account(&world, "ann").await.membership, "Free");
        assert_eq!(account(&world, "bob").await.membership, "Premium-20000");
    }
    let report = async |person: &Person| person.get("/api/membership-usage?expand=billing_cycle").await.json();
    let (of_ann, of_bob) = (report(&ann).await, report(&bob).await);
    assert_eq!(of_ann["billingCycle"]["stripeBillingSynced"], false);
    assert_eq!((&of_ann["api_usage"], &of_bob["api_usage"]), (&json!(1), &json!(0)));
    assert_eq!(of_bob["billingCycle"]["periodStartUnix"], PERIOD.0);
    world.turn_clock_by(5);
    world.delivered(&event("evt_3", NOON + 2, "customer.subscription.deleted", &of("bob", "canceled"))).await;
    for uid in ["ann", "bob"] {
        assert_eq!(account(&world, uid).await.membership, "Free");
        world.audited(uid).await;
    }
}

#[tokio::test]
async fn a_reversal_of_what_a_reference_gave_takes_what_is_there_and_reports_the_rest() {
    let world = billed_world().await;
    let ann = world.customer("ann", 0).await;
    world.delivered(&event("evt_1", NOON, PAID, &session("cs_1", "ann", 3))).await;
    for _ in 0..2 {
        assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    }
    let back = event("evt_2", NOON + 1, "charge.refunded", &refund("cs_1", 100));
    for _ in 0..2 {
        world.delivered(&back).await;
        assert_eq!(account(&world, "ann").await.prepaid, 0, "never below");
        let report = ("evt_2/ann".to_owned(), "spent_already: 2 credits of account ann".to_owned());
        assert_eq!(reasons(&world).await, [report]);
    }
    world.audited("ann").await;
}

#[tokio::test]
async fn what_nobody_can_read_or_place_is_shown_with_its_reason() {
    let world = billed_world().await;
    world.customer("ann", 1).await;
    let mut typo = session("cs_1", "ann", 0);
    typo["metadata"]["credits"] = "1,000".into();
    world.delivered(&event("evt_1", NOON, PAID, &typo)).await;
    let mut other = subscription(Shape::Basil, "ann", PERIOD);
    other["items"]["data"][0]["price"] = json!({"id": "price_x", "recurring": {"interval": "year"}});
    world.delivered(&event("evt_2", NOON + 1, UPDATED, &other)).await;
    let mut nameless = subscription(Shape::Basil, "bob", PERIOD);
    nameless["metadata"] = json!({"uid": ""});
    world.delivered(&event("evt_3", NOON + 2, UPDATED, &nameless)).await;
    let mut elsewhere: Value = serde_json::from_str(&event("evt_4", NOON, PAID, &session("cs_2", "ann", 5))).unwrap();
    elsewhere["account"] = "acct_1".into();
    world.delivered(&elsewhere.to_string()).await;
    let expected = [("evt_1", "unreadable_credits"), ("evt_2", "unlisted_price"), ("evt_3", "no_account")];
    let expected = expected.map(|(id, reason)| (id.to_owned(), reason.to_owned()));
    assert_eq!(reasons(&world).await, expected);
    assert_eq!(plan_and_balance(&world, "ann").await, ("Test".into(), 0));
    assert_eq!(account(&world, "ann").await.billing_period, None);
}

#[tokio::test]
async fn events_that_wait_for_a_price_are_taken_when_the_table_names_it() {
    let world = billed_world().await;
    world.customer("ann", 1).await;
    let mut object = subscription(Shape::Basil, "ann", PERIOD);
    object["items"]["data"][0]["price"]["id"] = "price_new".into();
    object["items"]["data"][0]["quantity"] = 2.into();
    world.delivered(&event("evt_1", NOON, UPDATED, &object)).await;
    assert_eq!(account(&world, "ann").await.membership, "Test");
    let intake = |config: &rembg_gateway::config::Config| Intake::new(world.store.clone(), config, world.clock());
    intake(&world.config).look_again().await.unwrap();
    assert_eq!(reasons(&world).await.len(), 1, "it still is not named");
    let mut config = world.config.clone();
    config.stripe.prices.insert("price_new".into(), "Premium-20000".into());
    intake(&config).look_again().await.unwrap();
    assert_eq!(reasons(&world).await, []);
    let ann = account(&world, "ann").await;
    assert_eq!((ann.membership.as_str(), ann.credits), ("Premium-20000", 20), "the plan's number, twice");
}

#[tokio::test]
async fn the_operator_moves_a_subscription_or_everything_of_a_customer() {
    let world = billed_world().await;
    for uid in ["ann", "bob"] {
        world.customer(uid, 1).await;
    }
    world.delivered(&event("evt_1", NOON, UPDATED, &subscription(Shape::Basil, "ann", PERIOD))).await;
    world.delivered(&event("evt_2", NOON, PAID, &session("cs_1", "ann", 9))).await;
    let intake = Intake::new(world.store.clone(), &world.config, world.clock());
    let (ann, bob) = (Uid::new("ann").unwrap(), Uid::new("bob").unwrap());
    let moved = intake.move_to("sub_ann", &bob).await.unwrap();
    assert_eq!((moved.len(), moved[0].from.as_ref()), (1, Some(&ann)));
    assert_eq!(plan_and_balance(&world, "ann").await, ("Free".into(), 9));
    assert_eq!(plan_and_balance(&world, "bob").await, ("Premium-20000".into(), 0));
    // Stripe's metadata still say otherwise.
    world.delivered(&event("evt_3", NOON + 1, UPDATED, &subscription(Shape::Basil, "ann", PERIOD))).await;
    assert_eq!(account(&world, "bob").await.membership, "Premium-20000");
    assert_eq!(intake.move_to("cus_ann", &bob).await.unwrap().len(), 2);
    assert_eq!(plan_and_balance(&world, "bob").await, ("Premium-20000".into(), 9));
    assert_eq!(plan_and_balance(&world, "ann").await.1, 0);
    for (id, uid) in [("sub_unheard_of", "bob"), ("sub_ann", "nobody")] {
        assert!(intake.move_to(id, &Uid::new(uid).unwrap()).await.is_err(), "{id} to {uid}");
    }
    assert_eq!(world.store.account(&Uid::new("nobody").unwrap()).await.unwrap(), None);
    for uid in ["ann", "bob"] {
        world.audited(uid).await;
    }
}

#[tokio::test]
async fn a_move_that_was_cut_off_is_finished_by_the_same_event() {
    let of = |uid: &str| {
        let mut object = session("cs_1", "ann", 50);
        object["metadata"]["uid"] = uid.into();
        object
    };
    let (bought, moved) = (event("evt_1", NOON, PAID, &of("ann")), event("evt_2", NOON + 1, PAID, &of("bob")));
    let (whole, cut) = (billed_world().await, billed_world().await);
    for world in [&whole, &cut] {
        for uid in ["ann", "bob"] {
            world.customer(uid, 1).await;
        }
        world.delivered(&bought).await;
    }
    whole.delivered(&moved).await;
    // Of the second event, only the payment's document was written; neither account was.
    let text = whole.store.stripe_object("pi_cs_1").await.unwrap().text;
    let before = cut.store.stripe_object("pi_cs_1").await.unwrap();
    assert!(cut.store.put_stripe_object("pi_cs_1", &StripeObject { text, ..before }).await.unwrap());
    assert_eq!((plan_and_balance(&cut, "ann").await.1, plan_and_balance(&cut, "bob").await.1), (50, 0));
    for _ in 0..2 {
        cut.delivered(&moved).await;
        assert_eq!((plan_and_balance(&cut, "ann").await.1, plan_and_balance(&cut, "bob").await.1), (0, 50));
    }
    for uid in ["ann", "bob"] {
        cut.audited(uid).await;
    }
}
