//! The description of the API, judged by tools of others: `openapi-spec-validator`, `schemathesis`, `PyYAML`.

use crate::{
    backend::Manner,
    form::png,
    support::programs::{in_repository, installed, output, program},
    world::World,
};
use rembg_gateway::domain::rate_limit::Burst;
use serde_json::{Value, json};
use std::num::NonZeroU32;

const SECRET: &str = "whsec_for_tests_only";

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_missing_in_the_description() {
    let world = World::with(|config| {
        config.stripe.webhook_secrets = vec![SECRET.into()];
        config.anonymous.per_day = 10_000;
        config.anonymous.burst = Burst { per_minute: 60_000, size: 10_000 };
        config.limits.bad_credentials_per_minute = NonZeroU32::new(1_000_000).unwrap();
    })
    .await;
    // What remove.bg's API makes of it, it must be able to read.
    world.backend.will(Manner::Answer { status: 200, content_type: "image/png", body: png(4, 3) });
    let mut keys = Vec::new();
    for number in 0..12 {
        let person = world.customer(&format!("caller-{number}"), 10_000).await;
        keys.push(person.headers[0].1.clone());
    }
    let told = json!({
        "base": format!("http://{}", world.app.public), "keys": keys, "stripe_secret": SECRET, "now": world.now().0,
    });
    let mut python = program(installed(".cache/openapi-venv/bin/python3"));
    python.arg(in_repository("tests/clients/openapi.py"));
    let said = output(&mut python, &told.to_string());
    let counts: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(counts.as_object().unwrap().len(), 10, "{counts}");
    assert!(!world.backend.seen().is_empty(), "{counts}");
}
