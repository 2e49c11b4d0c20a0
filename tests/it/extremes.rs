//! With any numbers in a configuration that `check` accepts, every request is answered with a picture or with a refusal of
//! the contract, and none panics.

use crate::{backend::Manner, form::Form, world::World};
use futures_util::StreamExt as _;
use proptest::{
    strategy::{Strategy, ValueTree as _},
    test_runner::TestRunner,
};
use rembg_gateway::{config::Config, domain::account::Uid, store::AccountChange};
use std::{collections::BTreeMap, io::Write as _};

/// Every setting that is a number. The tests find out its bounds by asking `check`.
const SETTINGS: [&str; 34] = [
    "listen.head_timeout_s",
    "listen.idle_timeout_s",
    "store.ledger_months",
    "limits.memory_budget",
    "limits.spool_budget",
    "limits.max_answer",
    "limits.pixel_memory",
    "limits.upload_timeout_s",
    "limits.transfer_grace_s",
    "limits.transfer_min_rate",
    "limits.connections",
    "limits.connections_per_client",
    "limits.bad_credentials_per_minute",
    "limits.in_flight_per_client",
    "backend.concurrency",
    "backend.waiting_per_slot",
    "backend.connect_timeout_s",
    "backend.check_interval_s",
    "backend.timeout_s",
    "backend.max_pixels",
    "backend.reconcile.interval_s",
    "auth.user_token.leeway_s",
    "plans.Free.credits",
    "plans.Free.burst.per_minute",
    "plans.Free.burst.size",
    "plans.Free.priority",
    "plans.Free.max_pixels",
    "anonymous.per_day",
    "anonymous.burst.per_minute",
    "anonymous.burst.size",
    "stripe.tolerance_s",
    "stripe.renewal_grace_days",
    "stripe.packs.plink_1",
    "plans.Premium-20000.credits",
];

const NUMBERS: [i64; 22] = [
    0,
    1,
    2,
    59,
    60,
    255,
    256,
    300,
    366,
    65_536,
    86_400,
    86_401,
    1_000_000,
    1_000_001,
    60_000_000,
    60_000_001,
    4_294_967_295,
    4_294_967_296,
    1 << 50,
    (1 << 53) - 1,
    1 << 53,
    i64::MAX,
];

/// Settings that differ from their defaults, and their numbers.
type Choice = BTreeMap<&'static str, i64>;

/// A configuration with these numbers, if `check` accepts it.
fn accepted(choice: &Choice) -> Option<Config> {
    let plan = |name: &str| {
        [
            (format!("plans.{name}.credits"), 50),
            (format!("plans.{name}.burst.per_minute"), 60),
            (format!("plans.{name}.burst.size"), 20),
        ]
    };
    let mut all: BTreeMap<String, i64> = plan("Free").into_iter().chain(plan("Premium-20000")).collect();
    all.insert("anonymous.per_day".into(), 9);
    all.extend([("anonymous.burst.per_minute".into(), 10), ("anonymous.burst.size".into(), 5)]);
    all.extend(choice.iter().map(|(name, number)| ((*name).to_owned(), *number)));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (name, number) in all {
        writeln!(file, "{name} = {number}").unwrap();
    }
    Config::load(Some(file.path()), std::iter::empty()).ok()
}

/// Asks for everything there is, and wants an answer of the contract to all of it.
async fn answers(choice: &Choice) {
    let Some(chosen) = accepted(choice) else { panic!("not accepted: {choice:?}") };
    let world = World::with(|config| {
        let (urls, kind) = (config.backend.urls.clone(), config.backend.kind);
        let (public, admin) = (config.listen.public, config.listen.admin);
        config.listen = chosen.listen.clone();
        (config.listen.public, config.listen.admin) = (public, admin);
        config.store.ledger_months = chosen.store.ledger_months;
        config.limits = chosen.limits.clone();
        config.backend = chosen.backend.clone();
        (config.backend.urls, config.backend.kind) = (urls, kind);
        config.auth.user_token.leeway_s = chosen.auth.user_token.leeway_s;
        config.plans.clone_from(&chosen.plans);
        config.anonymous = chosen.anonymous.clone();
        config.stripe = chosen.stripe.clone();
        config.stripe.webhook_secrets = vec!["whsec_of_the_tests".into()];
    })
    .await;
    world.backend.will(Manner::picture());
    let ann = world.customer("ann", chosen.plans["Free"].credits.min(9)).await;
    let plan = Some(("Free".into(), chosen.plans["Free"].credits));
    let change = AccountChange { plan, ..AccountChange::of(Uid::new("ann").unwrap()) };
    world.store.put_account(&change).await.unwrap();
    // All requests use one client, as the gateway may accept only one connection.
    let stranger = ann.clone().without_proof();
    let mut statuses = Vec::new();
    for person in [&ann, &stranger, &ann] {
        statuses.push(person.cut(&Form::with_picture()).await);
        statuses.push(person.cut(&Form::empty()).await);
    }
    for query in [
        "",
        "?expand=billing_cycle",
        "?listBillingCycles=1",
        "?periodStartUnix=9007199254740991",
        "?year=9999&month=12",
    ] {
        statuses.push(ann.get(&format!("/api/membership-usage{query}")).await);
    }
    statuses.push(stranger.post("/api/webhooks/stripe", "application/json", b"{}".to_vec()).await);
    for reply in statuses {
        let known = [200, 400, 401, 403, 413, 429, 502, 503, 504];
        assert!(known.contains(&reply.status), "{choice:?}: {reply:?}");
        if reply.status != 200 {
            assert_eq!(reply.json()["status"], reply.status, "{choice:?}");
        }
    }
}

/// Tries several configurations at once, because each waits for something now and then.
async fn all_answer(choices: Vec<Choice>) {
    let answered = choices.into_iter().map(async |choice| Box::pin(answers(&choice)).await);
    futures_util::stream::iter(answered).buffer_unordered(12).collect::<()>().await;
}

/// For each setting, the numbers that are accepted when everything else is as by default.
fn accepted_alone() -> BTreeMap<&'static str, Vec<i64>> {
    let alone =
        |name| NUMBERS.into_iter().filter(|number| accepted(&Choice::from([(name, *number)])).is_some()).collect();
    SETTINGS.into_iter().map(|name| (name, alone(name))).collect()
}

#[tokio::test]
async fn the_least_and_the_most_of_every_setting_answer_every_request() {
    let alone = accepted_alone();
    let (mut all, mut least, mut most) = (Vec::new(), Choice::new(), Choice::new());
    for (name, numbers) in alone {
        let (low, high) = (numbers[0], numbers[numbers.len() - 1]);
        all.extend([low, high].map(|number| Choice::from([(name, number)])));
        least.insert(name, low);
        most.insert(name, high);
    }
    all.extend([least, most]);
    all_answer(all).await;
}

#[tokio::test]
async fn any_settings_together_answer_every_request() {
    let alone = accepted_alone();
    let any: Vec<_> = alone.values().map(|numbers| proptest::sample::select(numbers.clone())).collect();
    let mut runner = TestRunner::default();
    let numbers = || any.new_tree(&mut runner).unwrap().current();
    let choices = std::iter::repeat_with(numbers).map(|numbers| alone.keys().copied().zip(numbers).collect::<Choice>());
    // Some settings must fit each other.
    let choices: Vec<_> = choices.take(200).filter(|choice| accepted(choice).is_some()).take(12).collect();
    assert_eq!(choices.len(), 12, "too few of the cases were accepted");
    all_answer(choices).await;
}
