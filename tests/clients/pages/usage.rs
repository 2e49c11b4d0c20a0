//! `/usage`: the page for the holder of a key.

use crate::{
    people::Person,
    support::{
        billed::{Shape, UPDATED, billed_world, event, subscription},
        browser::Browser,
    },
    world::World,
};
use rembg_gateway::{
    clock::Clock,
    domain::{account::Uid, credit::MOST_CREDITS},
    store::AccountChange,
};
use serde_json::json;

const DAY: i64 = 86_400;

/// Turns the gateway's clock to the browser's own time.
fn now(world: &World) -> i64 {
    world.turn_clock_to(Clock::Own.now().seconds().0);
    world.now().0
}

fn key_of(person: &Person) -> &str {
    &person.headers[0].1
}

/// A caller whose third billing window is under way, with these credits.
async fn subscriber(world: &World, credits: u64, used: [u64; 2]) -> (Person, [i64; 3]) {
    let now = now(world);
    let starts = [now - 10 * DAY, now - 40 * DAY, now - 70 * DAY];
    let ann = world.customer("ann", credits).await;
    let period = (starts[0], starts[0] + 30 * DAY);
    world.delivered(&event("evt_1", period.0, UPDATED, &subscription(Shape::Basil, "ann", period))).await;
    let change = AccountChange {
        credits: Some(credits),
        email_verified: Some(true),
        ..AccountChange::of(Uid::new("ann").unwrap())
    };
    world.store.put_account(&change).await.unwrap();
    let counters =
        [(starts[0], "app", used[0]), (starts[0], "api", used[1]), (starts[1], "api", 77), (starts[2], "app", 5)];
    let named = counters.map(|(start, channel, used)| (format!("user:ann:{channel}_usage:cycle:{start}"), used));
    world.counted(named).await;
    (ann, starts)
}

/// A number as the page writes it.
fn written(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_the_apis_to_the_credit() {
    // The most, and what is prepaid: beyond 2^53, where a number of JavaScript's would be off by one.
    for (credits, used) in [(18_500, [4_200, 5_100]), (MOST_CREDITS, [1, 3])] {
        let world = billed_world().await;
        let (ann, starts) = subscriber(&world, credits, used).await;
        world.prepaid("ann", 2_000).await;
        let told = ann.get("/api/membership-usage?expand=billing_cycle").await.json();
        let told = |name: &str| told["billingCycle"][name].as_u64().unwrap();
        let browser = Browser::start();
        let page = browser.page(world.app.public, "en");
        page.open("/usage");
        page.sees("#empty");
        page.is_well("empty");
        page.use_key(key_of(&ann));
        page.reads("#month-text", "used");
        for (place, number) in [
            ("#left", told("remainingIncludedCredits") + told("prepaidCredits")),
            ("#gauge-app", told("appUsage")),
            ("#gauge-api", told("apiUsage")),
            ("#gauge-left", told("remainingIncludedCredits")),
            ("#gauge-prepaid", told("prepaidCredits")),
        ] {
            assert_eq!(page.text(place), written(number), "{place} of {credits}");
        }
        assert_eq!(page.text("#plan"), "Premium-20000");
        assert_eq!(page.text("#left-of"), format!("of {}", written(credits + 2_000)));
        assert!(page.text("#renews").contains("in 2"), "{}", page.text("#renews"));
        // The windows: a table row and a bar for each, and words for the one that is chosen.
        let list = ann.get("/api/membership-usage?listBillingCycles=1").await.json();
        let rows = page.evaluate("[...document.querySelectorAll('#rows tr')].map((row) => [...row.cells].slice(2).map((cell) => cell.textContent))");
        let expected: Vec<_> = list["billingCycles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let (app, api) = (one["appUsage"].as_u64().unwrap(), one["apiUsage"].as_u64().unwrap());
                json!([written(app), written(api), written(app + api)])
            })
            .collect();
        assert_eq!(rows, json!(expected));
        assert_eq!(rows.as_array().unwrap().len(), 3);
        assert_eq!(page.evaluate("document.querySelectorAll('#chart .bar').length"), 3);
        page.reads("#windows-note", "included credits only");
        page.evaluate("(() => { const chosen = document.querySelector('#window'); chosen.value = 1; chosen.dispatchEvent(new Event('change')) })()");
        page.reads("#window-text", "77 used, 0 by signed-in users and 77 by API keys");
        // The code to copy asks for what is shown.
        let curl = page.text("#windows-curl");
        assert!(curl.contains(&format!("periodStartUnix={}&expand=billing_cycle", starts[1])), "{curl}");
        assert!(!curl.contains(key_of(&ann)), "the key is in no code");
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
        page.is_well("the report");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_windows_one_sees_months_and_can_ask_for_any() {
    let world = World::start().await;
    now(&world);
    let ann = world.customer("ann", 9).await;
    world.counted([("user:ann:api_usage:2024:2".into(), 1_234), ("user:ann:app_usage:2024:2".into(), 1)]).await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "vi");
    page.expects("status of 400");
    page.open("/usage");
    page.use_key(key_of(&ann));
    page.reads("#no-windows", "6 tháng gần nhất");
    assert_eq!(page.evaluate("document.querySelectorAll('#chart .bar').length"), 6);
    page.evaluate("document.querySelector('#month').value = 3");
    page.fill("#year", "2024");
    page.press("Enter", 13);
    page.reads("#month-text", "Tháng 3 năm 2024: đã dùng 0");
    page.click("#month-before");
    page.reads("#month-text", "Tháng 2 năm 2024: đã dùng 1.235, trong đó 1 bởi người đăng nhập và 1.234 bởi khóa API");
    assert!(page.text("#month-curl").contains("year=2024&month=2"));
    page.is_well("months, in Vietnamese");
    page.fill("#year", "0");
    page.press("Enter", 13);
    page.reads("#month-error", "'year' phải từ 1 đến 9999, nhận được: 0");
    page.is_well("a year that is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_in_the_way_is_told_and_can_be_tried_again() {
    let world = World::start().await;
    now(&world);
    let (ann, broke) = (world.customer("ann", 9).await, world.customer("broke", 0).await);
    let change = AccountChange { email_verified: Some(false), ..AccountChange::of(Uid::new("new").unwrap()) };
    world.store.put_account(&change).await.unwrap();
    let unverified = world.key_for(&Uid::new("new").unwrap()).await;
    let browser = Browser::start();
    let page = browser.page(world.app.public, "en");
    for status in [401, 403, 429] {
        page.expects(&format!("status of {status}"));
    }
    page.expects("net::ERR_");
    page.open("/usage");
    page.use_key("nobodys-key-000000");
    page.reads("#key-error", "This server does not know this key");
    page.is_well("a wrong key");
    page.use_key(&unverified);
    page.reads("#problem", "not verified");
    page.is_well("not verified");
    page.click("#key-forget");
    page.sees("#empty");
    page.use_key(key_of(&broke));
    page.reads("#all-used", "All credits are used");
    page.is_well("no credits");
    page.click("#key-forget");
    page.use_key(key_of(&ann));
    page.reads("#month-text", "used");
    // The gateway is asked too often; then its clock goes on, and the page works again.
    while ann.get("/api/membership-usage").await.status == 200 {}
    page.click("#refresh");
    page.reads("#problem", "You are asking too quickly");
    page.is_well("too fast");
    world.turn_clock_by(60);
    page.click("#retry");
    page.reads("#month-text", "used");
    world.app.stop().await;
    page.click("#refresh");
    page.reads("#problem", "The server cannot be reached");
    page.is_well("the gateway is away");
}
