//! Signed-in users: a good token opens its user's account, and any other token opens none.

use crate::{form::Form, issuer::Issuer, people::Person, world::World};
use rembg_gateway::domain::account::Uid;
use serde_json::{Value, json};
use std::time::Duration;

const INVALID_TOKEN: (u16, &str) = (401, "invalid user token");
const NOT_VERIFIED: (u16, &str) = (403, "Email address not verified \u{2013} please check your inbox");

async fn refusal(person: &Person) -> (u16, String) {
    let reply = person.cut(&Form::with_picture()).await;
    (reply.status, reply.error())
}

async fn assert_refused(person: &Person, (status, error): (u16, &str), why: &str) {
    assert_eq!(refusal(person).await, (status, error.to_owned()), "{why}");
}

async fn world_of(issuer: &Issuer) -> World {
    World::with(|config| {
        issuer.is_trusted_by(config);
        config.default_plan = "Test".into();
    })
    .await
}

fn uid(text: &str) -> Uid {
    Uid::new(text).unwrap()
}

#[tokio::test]
async fn a_token_and_a_key_of_one_account_draw_on_one_pool_and_are_counted_apart() {
    let issuer = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    let by_key = world.customer("ann", 2).await;
    let by_token = issuer.user(&world, "ann");
    assert_eq!(by_token.cut(&Form::with_picture()).await.status, 200);
    assert_eq!(by_key.cut(&Form::with_picture()).await.status, 200);
    let report = by_key.get("/api/membership-usage").await.json();
    assert_eq!((report["app_usage"].as_u64(), report["api_usage"].as_u64()), (Some(1), Some(1)));
    assert_eq!(by_token.cut(&Form::with_picture()).await.status, 429, "the pool is empty for both");
    assert_eq!(by_key.cut(&Form::with_picture()).await.status, 429);
    world.audited("ann").await;
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_are_taken() {
    for algorithm in ["RS256", "PS256", "ES384", "EdDSA"] {
        let issuer = Issuer::start(algorithm).await;
        let world = world_of(&issuer).await;
        assert_eq!(issuer.user(&world, "ann").cut(&Form::with_picture()).await.status, 200, "{algorithm}");
    }
}

#[tokio::test]
async fn the_first_token_of_somebody_unknown_makes_an_account_on_the_default_plan() {
    let issuer = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    assert_eq!(world.store.account(&uid("new")).await.unwrap(), None);
    assert_eq!(issuer.user(&world, "new").cut(&Form::with_picture()).await.status, 200);
    let made = world.store.account(&uid("new")).await.unwrap().unwrap();
    assert_eq!((made.membership.as_str(), made.credits, made.email_verified), ("Test", 100, true));
}

#[tokio::test]
async fn where_accounts_are_not_made_a_token_of_somebody_unknown_is_refused() {
    let issuer = Issuer::start("ES256").await;
    let world = World::with(|config| {
        issuer.is_trusted_by(config);
        config.auth.user_token.create_accounts = false;
    })
    .await;
    assert_refused(&issuer.user(&world, "new"), INVALID_TOKEN, "unknown").await;
    assert_eq!(world.store.account(&uid("new")).await.unwrap(), None);
    world.customer("ann", 1).await;
    assert_eq!(issuer.user(&world, "ann").cut(&Form::with_picture()).await.status, 200, "known");
}

#[tokio::test]
async fn what_the_token_says_of_the_address_counts_and_without_it_the_account_does() {
    let issuer = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    let by_key = world.customer("ann", 9).await;
    let says = |says: Value| issuer.user_but(&world, "ann", &json!({"email_verified": says}));
    assert_refused(&says(json!(false)), NOT_VERIFIED, "the token says no, the account yes").await;
    assert_eq!(says(Value::Null).cut(&Form::with_picture()).await.status, 200, "the account says yes");
    assert_eq!(by_key.cut(&Form::with_picture()).await.status, 200, "and nothing has changed for its key");
    assert_refused(
        &issuer.user_but(&world, "new", &json!({"email_verified": null})),
        NOT_VERIFIED,
        "an account that a token has made, and nobody says yes",
    )
    .await;
}

#[tokio::test]
async fn an_unverified_account_is_refused_with_either_credential_until_a_token_says_otherwise() {
    let issuer = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    let unverified = issuer.user_but(&world, "new", &json!({"email_verified": false}));
    assert_refused(&unverified, NOT_VERIFIED, "by token").await;
    let by_key = Person::with_key(world.app.public, &world.key_for(&uid("new")).await);
    assert_refused(&by_key, NOT_VERIFIED, "by key").await;
    assert_eq!(issuer.user(&world, "new").cut(&Form::with_picture()).await.status, 200);
    assert_eq!(by_key.cut(&Form::with_picture()).await.status, 200, "what the issuer has verified stays so");
}

#[tokio::test]
async fn a_token_that_is_not_good_opens_nothing() {
    let issuer = Issuer::start("ES256").await;
    let other = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    world.customer("ann", 9).await;
    let noon = world.now().0;
    for (why, changes) in [
        ("expired", json!({"exp": noon - 31})),
        ("without an end", json!({"exp": null})),
        ("not yet valid", json!({"nbf": noon + 60})),
        ("another's issuer", json!({"iss": "https://other.example/"})),
        ("another's audience", json!({"aud": "somebody-else"})),
        ("without an audience", json!({"aud": null})),
        ("without a subject", json!({"sub": null})),
    ] {
        assert_refused(&issuer.user_but(&world, "ann", &changes), INVALID_TOKEN, why).await;
    }
    assert_refused(&other.user(&world, "ann"), INVALID_TOKEN, "signed by another's key").await;
    let in_leeway = issuer.user_but(&world, "ann", &json!({"exp": noon - 29}));
    assert_eq!(in_leeway.cut(&Form::with_picture()).await.status, 200, "clocks differ");
    assert_eq!(world.backend.seen().len(), 1);
}

#[tokio::test]
async fn two_tokens_an_empty_one_and_basic_are_decided() {
    let issuer = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    let by_key = world.customer("ann", 9).await;
    let user = issuer.user(&world, "ann");
    let token = user.headers[0].1.clone();
    assert_refused(&user.clone().with("authorization", &token), INVALID_TOKEN, "two tokens").await;
    assert_refused(&world.stranger().with("authorization", "Bearer "), INVALID_TOKEN, "an empty one").await;
    assert_refused(&world.stranger().with("authorization", "Basic dTpw"), (401, "invalid api key"), "nobody").await;
    assert_eq!(by_key.with("authorization", "Basic dTpw").cut(&Form::with_picture()).await.status, 200, "a proxy's");
    assert_eq!(world.backend.seen().len(), 1);
}

#[tokio::test]
async fn tokens_may_come_in_a_header_of_their_own() {
    let issuer = Issuer::start("ES256").await;
    let world = World::with(|config| {
        issuer.is_trusted_by(config);
        config.auth.user_token.header = "X-User-Token".into();
    })
    .await;
    world.customer("ann", 9).await;
    let token = issuer.token("ann", &json!({}));
    assert_eq!(world.stranger().with("x-user-token", &token).cut(&Form::with_picture()).await.status, 200);
    let elsewhere = world.stranger().with("authorization", &format!("Bearer {token}"));
    assert_refused(&elsewhere, (401, "invalid api key"), "where nobody looks").await;
}

#[tokio::test]
async fn while_the_issuers_keys_have_never_been_read_nobody_is_told_that_a_token_is_bad() {
    let issuer = Issuer::start("ES256").await;
    issuer.goes_away();
    let world = world_of(&issuer).await;
    let ann = issuer.user(&world, "ann");
    let reply = ann.cut(&Form::with_picture()).await;
    assert_eq!((reply.status, reply.error().as_str()), (503, "The service is busy. Please retry shortly."));
    assert_eq!(reply.header("retry-after"), Some("1"));
    issuer.comes_back();
    let served = tokio::time::timeout(Duration::from_secs(20), async {
        while ann.cut(&Form::with_picture()).await.status != 200 {}
    });
    served.await.expect("the issuer is asked again");
    issuer.goes_away();
    assert_eq!(ann.cut(&Form::with_picture()).await.status, 200, "the last good keys stay");
}

#[tokio::test]
async fn without_an_issuer_every_token_is_refused() {
    let issuer = Issuer::start("ES256").await;
    let world = World::start().await;
    world.customer("ann", 9).await;
    assert_refused(&issuer.user(&world, "ann"), INVALID_TOKEN, "tokens are off").await;
}

#[tokio::test]
async fn a_good_token_does_not_open_membership_usage() {
    let issuer = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    world.customer("ann", 9).await;
    let reply = issuer.user(&world, "ann").get("/api/membership-usage").await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "invalid api key"));
}

/// This form is refused, so that a test sees which refusals come before that one.
#[tokio::test]
async fn refusals_come_in_their_order() {
    let issuer = Issuer::start("ES256").await;
    let world = world_of(&issuer).await;
    let bad_form = Form::empty().text("w", "abc");
    let unverified = issuer.user_but(&world, "una", &json!({"email_verified": false}));
    let poor = world.customer("poor", 0).await;
    let rich = world.customer("rich", 1).await;
    let token = issuer.user(&world, "una").headers[0].1.clone();
    let un_and_bad = issuer.user_but(&world, "una", &json!({"email_verified": false, "exp": 1}));
    for (person, status, why) in [
        (world.stranger().with("x-api-key", "nonsense").with("authorization", "Bearer nonsense"), 400, "both"),
        (poor.clone().with("authorization", &token), 400, "both, and no credits"),
        (un_and_bad, 401, "bad, and unverified"),
        (unverified, 403, "unverified"),
        (poor, 429, "no credits, and a bad form"),
        (rich.clone(), 400, "only a bad form"),
    ] {
        assert_eq!(person.cut(&bad_form).await.status, status, "{why}");
    }
    world.nothing_held().await;
    assert_eq!(rich.cut(&Form::with_picture()).await.status, 200, "the credit was given back");
    assert_eq!(world.backend.seen().len(), 1);
}
