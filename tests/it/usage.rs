//! `GET /api/membership-usage`: every parameter, alone and with others, right and wrong.

use crate::{
    billed::{Shape, UPDATED, billed_world, event, subscription},
    form::Form,
    people::Person,
    world::{NOON, World},
};
use hyper::Method;
use rembg_gateway::{domain::account::Uid, store::AccountChange};
use serde_json::{Value, json};

const USAGE: &str = "/api/membership-usage";
const DAY: i64 = 86_400;
/// The present period, of an account that has one.
const START: i64 = NOON - 5 * DAY;
const END: i64 = NOON + 26 * DAY;
/// A period that is over.
const PAST: i64 = START - 28 * DAY;
/// The largest start that may be asked for.
const FAR: i64 = (1 << 53) - 1;

/// Usage of one window, by channel.
type Used = (u64, u64);

/// A cycle's start, end as it is shown, and usage.
type Shown = (i64, i64, Used);

/// A caller with counters of every kind: of this month, of other months, of the first and last that there can be.
async fn somebody(world: &World) -> Person {
    let ann = world.customer("ann", 3).await;
    world.prepaid("ann", 4).await;
    world.delivered(&event("evt_1", NOON, UPDATED, &subscription(Shape::Basil, "ann", (START, END)))).await;
    let counters = [
        ("app", "2026:3".into(), 1),
        ("api", "2026:3".into(), 2),
        ("app", "2025:3".into(), 30),
        ("api", "2026:12".into(), 40),
        ("api", "1:1".into(), 50),
        ("api", "9999:12".into(), 60),
        ("app", format!("cycle:{START}"), 5),
        ("api", format!("cycle:{START}"), 6),
        ("api", format!("cycle:{PAST}"), 70),
        ("app", format!("cycle:{FAR}"), 80),
    ];
    let named = counters.map(|(channel, of, used): (_, String, _)| (format!("user:ann:{channel}_usage:{of}"), used));
    world.counted(named).await;
    ann
}

fn report((app, api): Used, cycle: Option<Shown>) -> Value {
    let mut report = json!({
        "membership": "Premium-20000", "credits": 10, "prepaidCredits": 4, "app_usage": app, "api_usage": api,
    });
    if let Some((start, end, (app, api))) = cycle {
        report["billingCycle"] = json!({
            "periodStartUnix": start, "periodEndUnix": end, "appUsage": app, "apiUsage": api, "includedCredits": 10,
            "prepaidCredits": 4, "usedIncludedCredits": app + api,
            "remainingIncludedCredits": 10_u64.saturating_sub(app + api), "stripeBillingSynced": true,
        });
    }
    report
}

#[tokio::test]
async fn every_combination_of_parameters_has_its_shape() {
    let world = billed_world().await;
    let ann = somebody(&world).await;
    let (now, present) = ((1, 2), Some((START, END, (5, 6))));
    let table: [(&str, Used, Option<Shown>); 28] = [
        ("", now, None),
        ("year=2026&month=3", now, None),
        ("month=03&year=%2B2026", now, None),
        ("month=12", (0, 40), None),
        ("year=2025", (30, 0), None),
        ("year=1&month=1", (0, 50), None),
        ("year=9999&month=12", (0, 60), None),
        ("year=9999", (0, 0), None),
        ("year=&month=&periodStartUnix=&expand=&includeBillingCycle=&listBillingCycles=", now, None),
        ("month=12&month=abc&month=13", (0, 40), None),
        ("Month=13&YEAR=x&unknown=1", now, None),
        ("expand=billing_cycle", now, present),
        ("expand=other,%20billing_cycle,another", now, present),
        ("expand=other&expand=billing_cycle", now, None),
        ("expand=Billing_Cycle,billing", now, None),
        ("includeBillingCycle=1", now, present),
        ("includeBillingCycle=true&expand=other", now, present),
        ("includeBillingCycle=yes", now, None),
        ("includeBillingCycle=0&expand=billing_cycle", now, present),
        ("year=2025&month=3&expand=billing_cycle", (30, 0), present),
        ("listBillingCycles=0", now, None),
        ("listBillingCycles=TRUE&expand=billing_cycle", now, present),
        ("periodStartUnix={PAST}", (0, 70), None),
        ("periodStartUnix={PAST}&expand=billing_cycle", (0, 70), Some((PAST, START - 1, (0, 70)))),
        ("includeBillingCycle=true&periodStartUnix={START}", (5, 6), present),
        ("periodStartUnix={FAR}&expand=billing_cycle", (80, 0), Some((FAR, FAR, (80, 0)))),
        ("periodStartUnix=7&year=&month=&expand=billing_cycle", (0, 0), Some((7, PAST - 1, (0, 0)))),
        ("periodStartUnix={PAST}&periodStartUnix=abc", (0, 70), None),
    ];
    for (query, used, cycle) in table {
        let starts = [("{PAST}", PAST), ("{START}", START), ("{FAR}", FAR)];
        let query = starts.iter().fold(query.to_owned(), |text, (name, at)| text.replace(name, &at.to_string()));
        let reply = ann.get(&format!("{USAGE}?{query}")).await;
        assert_eq!((reply.status, reply.json()), (200, report(used, cycle)), "{query}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{query}");
    }
}

#[tokio::test]
async fn list_mode_ignores_everything_else_right_or_wrong() {
    let world = billed_world().await;
    let ann = somebody(&world).await;
    let listed = |(start, end, (app, api)): Shown| json!({"periodStartUnix": start, "periodEndUnix": end, "appUsage": app, "apiUsage": api});
    let cycles = [(FAR, FAR, (80, 0)), (START, END, (5, 6)), (PAST, START - 1, (0, 70))].map(listed);
    for query in [
        "listBillingCycles=1",
        "listBillingCycles=true",
        "year=2025&month=3&listBillingCycles=1&expand=billing_cycle&includeBillingCycle=1",
        "month=abc&year=0&periodStartUnix=-5&listBillingCycles=true&listBillingCycles=0",
    ] {
        let reply = ann.get(&format!("{USAGE}?{query}")).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"billingCycles": cycles})), "{query}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn what_was_spent_shows_for_now_and_for_any_month() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    world.prepaid("ann", 7).await;
    ann.cut(&Form::with_picture()).await;
    ann.cut(&Form::with_picture()).await;
    let now = json!({"membership": "Test", "credits": 10, "prepaidCredits": 7, "app_usage": 0, "api_usage": 2});
    assert_eq!(ann.get("/api/membership-usage").await.json(), now);
    assert_eq!(ann.get("/api/membership-usage?year=2026&month=3").await.json(), now);
    assert_eq!(ann.get("/api/membership-usage?month=2").await.json()["api_usage"], 0);
    assert_eq!(ann.get("/api/membership-usage?year=2025").await.json()["api_usage"], 0);
}

#[tokio::test]
async fn every_bad_parameter_has_its_documented_words() {
    const COMBINED: (&str, &str) = ("periodStartUnix", "Cannot combine 'periodStartUnix' with 'year' or 'month'.");
    const MONTH_13: (&str, &str) = ("month", "'month' must be between 1 and 12, got: 13");
    const YEAR_0: (&str, &str) = ("year", "'year' must be between 1 and 9999, got: 0");
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let table: [(&str, &[(&str, &str)]); 17] = [
        ("month=abc", &[("month", "'month' must be an integer, got: 'abc'")]),
        ("month=5.0", &[("month", "'month' must be an integer, got: '5.0'")]),
        ("month=%E2%91%A2", &[("month", "'month' must be an integer, got: '\u{2462}'")]),
        ("month=%22%00", &[("month", "'month' must be an integer, got: '\"\0'")]),
        ("month=%zz", &[("month", "'month' must be an integer, got: '%zz'")]),
        ("month=13", &[MONTH_13]),
        ("month=0", &[("month", "'month' must be between 1 and 12, got: 0")]),
        ("year=0", &[YEAR_0]),
        ("year=10000", &[("year", "'year' must be between 1 and 9999, got: 10000")]),
        ("year=99999999999999999999", &[("year", "'year' must be between 1 and 9999, got: 99999999999999999999")]),
        ("periodStartUnix=x", &[("periodStartUnix", "'periodStartUnix' must be an integer, got: 'x'")]),
        ("periodStartUnix=-5", &[("periodStartUnix", "'periodStartUnix' must be at least 1, got: -5")]),
        (
            "periodStartUnix=0&expand=billing_cycle",
            &[("periodStartUnix", "'periodStartUnix' must be at least 1, got: 0")],
        ),
        ("periodStartUnix=5&month=3", &[COMBINED]),
        ("year=2026&expand=billing_cycle&periodStartUnix=5", &[COMBINED]),
        ("month=13&year=0", &[YEAR_0, MONTH_13]),
        (
            "periodStartUnix=-5&month=13&listBillingCycles=no",
            &[MONTH_13, ("periodStartUnix", "'periodStartUnix' must be at least 1, got: -5"), COMBINED],
        ),
    ];
    for (query, complaints) in table {
        let reply = ann.get(&format!("{USAGE}?{query}")).await;
        let body = reply.json();
        assert_eq!((reply.status, &body["status"]), (400, &json!(400)), "{query}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{query}");
        let [one] = complaints else {
            let details: Vec<_> =
                complaints.iter().map(|(field, message)| json!({"field": field, "message": message})).collect();
            assert_eq!((&body["error"], &body["details"]), (&json!("Multiple validation errors"), &json!(details)));
            continue;
        };
        assert_eq!((&body["error"], body.get("details")), (&json!(one.1), None), "{query}");
    }
}

#[tokio::test]
async fn only_a_verified_accounts_key_opens_it_and_nobody_may_keep_any_answer() {
    let world = World::start().await;
    let ann = world.customer("ann", 10).await;
    let token = world.stranger().with("authorization", "Bearer some.user.token");
    let both = ann.clone().with("authorization", "Bearer some.user.token");
    let una = world.customer("una", 10).await;
    let unverified = AccountChange { email_verified: Some(false), ..AccountChange::of(Uid::new("una").unwrap()) };
    world.store.put_account(&unverified).await.unwrap();
    for (person, status, error) in [
        (world.stranger(), 401, "invalid api key"),
        (world.stranger().with("x-api-key", "nonsense"), 401, "invalid api key"),
        (token, 401, "invalid api key"),
        (world.stranger().with("authorization", "Bearer"), 401, "invalid api key"),
        (both, 400, "This is a mistake: Cannot use both API key and user token"),
        (una, 403, "Email address not verified \u{2013} please check your inbox"),
    ] {
        // A caller who may not ask hears that first, whatever the question is.
        for query in ["", "?month=13", "?listBillingCycles=1"] {
            let reply = person.get(&format!("{USAGE}{query}")).await;
            assert_eq!((reply.status, reply.error().as_str()), (status, error), "{query}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{error}");
        }
    }
    for (method, path, status) in [(Method::POST, USAGE, 405), (Method::GET, "/api/membership-usage/", 404)] {
        let reply = ann.ask(method, path, &[], Vec::new()).await;
        assert_eq!((reply.status, reply.header("cache-control")), (status, Some("no-store")), "{path}");
    }
}
