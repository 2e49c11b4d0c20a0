//! Billing windows: credits are always spent by the window that `GET /api/membership-usage` shows.

use crate::{
    billed::{Shape, UPDATED, billed_world, event, subscription},
    form::Form,
    people::Person,
    world::{NOON, World},
};
use rembg_gateway::{domain::account::Uid, store::AccountChange};
use serde_json::{Value, json};

const CYCLE: &str = "/api/membership-usage?expand=billing_cycle";
const LIST: &str = "/api/membership-usage?listBillingCycles=true";

fn at(text: &str) -> i64 {
    let whole = if text.contains('T') { format!("{text}Z") } else { format!("{text}T00:00:00Z") };
    whole.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// A golden file, byte for byte but for the spaces that make it readable.
fn on_the_wire(golden: &str) -> String {
    golden.split_whitespace().collect()
}

/// An account with a period of Stripe's, an explicit allowance, and a key.
async fn subscribed(world: &World, period: (i64, i64), anchor: Option<i64>, credits: u64) -> Person {
    world.turn_clock_to(period.0 + 1);
    let ann = world.customer("ann", 1).await;
    let mut object = subscription(Shape::Basil, "ann", period);
    object["billing_cycle_anchor"] = json!(anchor);
    world.delivered(&event("evt_1", period.0, UPDATED, &object)).await;
    let change = AccountChange {
        credits: Some(credits),
        email_verified: Some(true),
        ..AccountChange::of(Uid::new("ann").unwrap())
    };
    world.store.put_account(&change).await.unwrap();
    ann
}

/// At a moment: the report shows this window and so many credits, pictures are served as long as it shows any left, each
/// lands in that window, and the list agrees.
async fn spends_all(world: &World, ann: &Person, moment: &str, window: (&str, &str), credits: u64) {
    world.turn_clock_to(at(moment));
    let report = async || ann.get(CYCLE).await.json()["billingCycle"].clone();
    let before = report().await;
    let synced = before["stripeBillingSynced"] == true;
    let shown = (before["periodStartUnix"].as_i64().unwrap(), before["periodEndUnix"].as_i64().unwrap());
    let end = if synced { at(window.1) } else { at(window.1) - 1 };
    assert_eq!(shown, (at(window.0), end), "at {moment}");
    assert_eq!(before["remainingIncludedCredits"], credits, "at {moment}");

    let mut served = 0;
    while ann.cut(&Form::with_picture()).await.status == 200 {
        served += 1;
        let now = report().await;
        let used = before["usedIncludedCredits"].as_u64().unwrap() + served;
        assert_eq!((&now["usedIncludedCredits"], &now["periodStartUnix"]), (&json!(used), &json!(shown.0)));
    }
    assert_eq!(served, credits, "at {moment}");
    let after = report().await;
    assert_eq!(after["remainingIncludedCredits"], 0, "at {moment}");
    if synced {
        let list = ann.get(LIST).await.json();
        let newest = json!({
            "periodStartUnix": shown.0, "periodEndUnix": shown.1, "appUsage": 0, "apiUsage": after["apiUsage"],
        });
        assert_eq!(list["billingCycles"][0], newest, "at {moment}");
    }
    world.audited("ann").await;
}

#[tokio::test]
async fn the_documented_report_is_answered_in_its_period() {
    let world = billed_world().await;
    let period = (1_740_441_600, 1_743_033_599);
    let ann = subscribed(&world, period, None, 18_500).await;
    world.prepaid("ann", 2_000).await;
    let counters = [("app", "2025:3", 8_500), ("api", "2025:3", 10_000), ("app", "cycle:1740441600", 4_200)];
    let counters = counters.into_iter().chain([("api", "cycle:1740441600", 5_100)]);
    world.counted(counters.map(|(channel, of, used)| (format!("user:ann:{channel}_usage:{of}"), used))).await;
    world.turn_clock_to(at("2025-03-10"));
    let golden = include_str!("golden/membership-usage.json");
    for flag in ["expand=billing_cycle", "includeBillingCycle=1", "includeBillingCycle=true", "expand=x,billing_cycle"]
    {
        assert_eq!(ann.get(&format!("/api/membership-usage?{flag}")).await.body, on_the_wire(golden), "{flag}");
    }
    let mut documented: Value = serde_json::from_str(golden).unwrap();
    documented.as_object_mut().unwrap().remove("billingCycle");
    assert_eq!(ann.get("/api/membership-usage?year=2025&month=3").await.json(), documented);
    (documented["app_usage"], documented["api_usage"]) = (json!(4_200), json!(5_100));
    assert_eq!(ann.get("/api/membership-usage?periodStartUnix=1740441600").await.json(), documented);
}

#[tokio::test]
async fn the_documented_list_is_answered_in_its_period() {
    let world = billed_world().await;
    let ann = subscribed(&world, (1_774_268_612, 1_776_947_012), None, 10).await;
    let counters = [("app", 120), ("api", 880)];
    world.counted(counters.map(|(channel, used)| (format!("user:ann:{channel}_usage:cycle:1774268612"), used))).await;
    assert_eq!(ann.get(LIST).await.body, on_the_wire(include_str!("golden/billing-cycles.json")));
}

#[tokio::test]
async fn a_subscription_on_the_31st_is_spent_as_it_is_shown_through_late_webhooks_and_its_end() {
    let world = billed_world().await;
    let anchor = Some(at("2026-01-31"));
    let ann = subscribed(&world, (at("2026-01-31"), at("2026-02-28")), anchor, 2).await;
    let first = ("2026-01-31", "2026-02-28");
    spends_all(&world, &ann, "2026-02-10", first, 2).await;
    spends_all(&world, &ann, "2026-02-27T23:59:59", first, 0).await;
    // The renewal's webhook has not come.
    spends_all(&world, &ann, "2026-02-28", ("2026-02-28", "2026-03-31"), 2).await;
    spends_all(&world, &ann, "2026-03-02T23:59:59", ("2026-02-28", "2026-03-31"), 0).await;
    // Now the webhook has come, and the period began seven seconds later than predicted.
    let renewed = (at("2026-02-28T00:00:07"), at("2026-03-31T00:00:07"));
    let mut object = subscription(Shape::Acacia, "ann", renewed);
    object["billing_cycle_anchor"] = json!(anchor);
    world.delivered(&event("evt_2", renewed.0, UPDATED, &object)).await;
    spends_all(&world, &ann, "2026-03-02T23:59:59", ("2026-02-28T00:00:07", "2026-03-31T00:00:07"), 0).await;
    let list = ann.get(LIST).await.json();
    assert_eq!(list["billingCycles"].as_array().map(Vec::len), Some(2), "{list}");
    assert_eq!(list["billingCycles"][1]["periodEndUnix"], renewed.0 - 1);
    // This month has no 31st, and no webhook comes for the whole grace.
    spends_all(&world, &ann, "2026-03-31T00:00:07", ("2026-03-31T00:00:07", "2026-04-30T00:00:07"), 2).await;
    assert_eq!(ann.get(CYCLE).await.json()["membership"], "Premium-20000");
    world.turn_clock_to(at("2026-04-02"));
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 429, "the credits of the cycle are spent");
    spends_all(&world, &ann, "2026-04-03T00:00:07", ("2026-04-01", "2026-05-01"), 1).await;
    assert_eq!(ann.get(CYCLE).await.json()["membership"], "Free");
    // Then the webhook comes after all.
    let back = (at("2026-03-31T00:00:07"), at("2026-04-30T00:00:07"));
    world.delivered(&event("evt_3", back.0, UPDATED, &subscription(Shape::Basil, "ann", back))).await;
    let report = ann.get(CYCLE).await.json();
    assert_eq!(
        (&report["membership"], &report["billingCycle"]["usedIncludedCredits"]),
        (&json!("Premium-20000"), &json!(2))
    );
    world.audited("ann").await;
}

#[tokio::test]
async fn a_cancelled_subscription_is_kept_until_its_period_ends_and_no_longer() {
    let world = billed_world().await;
    let period = (at("2028-01-31"), at("2028-02-29"));
    let ann = subscribed(&world, period, None, 3).await;
    let mut cancelled = subscription(Shape::Basil, "ann", period);
    cancelled["cancel_at_period_end"] = true.into();
    world.delivered(&event("evt_2", period.0 + 9, UPDATED, &cancelled)).await;
    spends_all(&world, &ann, "2028-02-28T23:59:59", ("2028-01-31", "2028-02-29"), 3).await;
    assert_eq!(ann.get(CYCLE).await.json()["membership"], "Premium-20000");
    // The default plan has one credit a month, and February has used three.
    spends_all(&world, &ann, "2028-02-29", ("2028-02-01", "2028-03-01"), 0).await;
    spends_all(&world, &ann, "2028-03-01", ("2028-03-01", "2028-04-01"), 1).await;
    assert_eq!(ann.get(CYCLE).await.json()["membership"], "Free");
}

#[tokio::test]
async fn a_leap_day_is_predicted_and_spent_like_any_other() {
    let world = billed_world().await;
    let ann = subscribed(&world, (at("2027-12-31"), at("2028-01-31")), None, 2).await;
    let mut yearly = subscription(Shape::Acacia, "ann", (at("2028-02-29"), at("2029-02-28")));
    yearly["items"]["data"][0]["price"]["recurring"]["interval"] = "year".into();
    spends_all(&world, &ann, "2028-02-01", ("2028-01-31", "2028-02-29"), 2).await;
    world.delivered(&event("evt_2", at("2028-02-29"), UPDATED, &yearly)).await;
    spends_all(&world, &ann, "2028-02-29T12:00:00", ("2028-02-29", "2029-02-28"), 2).await;
    spends_all(&world, &ann, "2029-03-01", ("2029-02-28", "2030-02-28"), 2).await;
}

#[tokio::test]
async fn without_stripe_the_window_is_the_calendar_month() {
    let world = billed_world().await;
    let ann = world.customer("ann", 2).await;
    spends_all(&world, &ann, "2026-03-31T23:59:59", ("2026-03-01", "2026-04-01"), 2).await;
    spends_all(&world, &ann, "2026-04-01", ("2026-04-01", "2026-05-01"), 2).await;
    assert_eq!(ann.get(LIST).await.json(), json!({"billingCycles": []}));
}

#[tokio::test]
async fn ten_thousand_cycles_are_listed_whole() {
    const CYCLES: i64 = 10_000;
    const DAY: i64 = 86_400;
    let world = billed_world().await;
    let ann = subscribed(&world, (NOON, NOON + DAY), None, 2).await;
    let start = |number: i64| NOON - (CYCLES - number) * DAY;
    let used = |number: i64| (number % 7 + 1).unsigned_abs();
    let counters = (0..CYCLES).map(|number| (format!("user:ann:api_usage:cycle:{}", start(number)), used(number)));
    world.counted(counters).await;
    let list = ann.get(LIST).await.json();
    let one = ann.get(&format!("{CYCLE}&periodStartUnix={}", start(5_000))).await.json();
    let cycles = list["billingCycles"].as_array().unwrap();
    // The present window has no counters yet, but Stripe has stated it.
    assert_eq!(cycles.len(), 10_001);
    assert!(cycles.is_sorted_by(|newer, older| newer["periodStartUnix"].as_i64() > older["periodStartUnix"].as_i64()));
    assert_eq!(cycles[10_000]["periodStartUnix"], start(0));
    assert_eq!(one["billingCycle"]["periodEndUnix"], start(5_001) - 1);
    assert_eq!(one["api_usage"], used(5_000));
}

#[tokio::test]
async fn an_account_with_nothing_answers_zeros() {
    let world = billed_world().await;
    let uid = Uid::new("ann").unwrap();
    let nothing = AccountChange { email_verified: Some(true), ..AccountChange::of(uid.clone()) };
    world.store.put_account(&nothing).await.unwrap();
    let ann = Person::with_key(world.app.public, &world.key_for(&uid).await);
    let report = ann.get(CYCLE).await.json();
    let expected = json!({
        "membership": "", "credits": 0, "prepaidCredits": 0, "app_usage": 0, "api_usage": 0,
        "billingCycle": {
            "periodStartUnix": at("2026-03-01"), "periodEndUnix": at("2026-04-01") - 1, "appUsage": 0, "apiUsage": 0,
            "includedCredits": 0, "prepaidCredits": 0, "usedIncludedCredits": 0, "remainingIncludedCredits": 0,
            "stripeBillingSynced": false,
        },
    });
    assert_eq!(report, expected);
    let never = ann.get(&format!("{CYCLE}&periodStartUnix=1")).await.json();
    assert_eq!((&never["api_usage"], &never["billingCycle"]["stripeBillingSynced"]), (&json!(0), &json!(true)));
    let both = ann.get("/api/membership-usage?periodStartUnix=1&year=2026").await;
    assert_eq!((both.status, both.error().as_str()), (400, "Cannot combine 'periodStartUnix' with 'year' or 'month'."));
}

#[tokio::test]
async fn asking_too_often_is_slowed_down_apart_from_pictures_and_other_keys() {
    let world = billed_world().await;
    let ann = world.customer("ann", 2).await;
    let other_key = Person::with_key(world.app.public, &world.key_for(&Uid::new("ann").unwrap()).await);
    let mut asked = 0;
    let slowed = loop {
        let reply = ann.get("/api/membership-usage").await;
        if reply.status != 200 {
            break reply;
        }
        asked += 1;
        assert!(asked < 1_000, "there is no limit");
    };
    assert!(asked >= 20, "{asked} is too few for a page that polls");
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, Some("1")));
    assert_eq!(slowed.error(), "You're making requests too quickly, Please Upgrade or slow down.");
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200);
    assert_eq!(other_key.get("/api/membership-usage").await.status, 200);
    world.turn_clock_to(NOON + 1);
    assert_eq!(ann.get("/api/membership-usage").await.status, 200);
}
