use super::{forge::Signer, server::IssuerServer, *};
use secrecy::SecretString;
use std::time::Duration;

/// As impatient as a test: an unknown `kid` may be asked for at once, and nothing is due by itself for an hour.
const EAGER: Timing = Timing {
    shortest: Duration::from_hours(1),
    longest: Duration::from_hours(1),
    file: Duration::from_millis(5),
    retry: Duration::from_millis(5),
    longest_retry: Duration::from_millis(5),
    floor: Duration::ZERO,
    missing: Duration::from_hours(1),
};

async fn start(server: &IssuerServer, timing: Timing) -> UserTokens {
    let config = UserTokenConfig {
        issuer: ISSUER.into(),
        audience: vec![AUDIENCE.into()],
        jwks_url: Some(server.url()),
        ..UserTokenConfig::default()
    };
    UserTokens::start_at(&config, timing).await.unwrap()
}

fn set(keys: &[(&str, &Signer)]) -> Value {
    json!({"keys": keys.iter().map(|(kid, signer)| signer.jwk_named(kid)).collect::<Vec<_>>()})
}

/// Verifies again and again until the result is the expected one.
async fn until(tokens: &UserTokens, token: &str, expected: Result<VerifiedUser, VerifyError>) {
    let seen = tokio::time::timeout(Duration::from_secs(20), async {
        while tokens.verify(token, NOW).await != expected {
            tokio::task::yield_now().await;
        }
    });
    assert!(seen.await.is_ok(), "never {expected:?}");
}

#[test]
fn every_algorithm_is_verified_by_its_own_key() {
    let algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    let signers: Vec<_> = algorithms.map(|alg| (alg, Signer::new(alg))).into();
    for with_alg in [true, false] {
        let keys: Vec<_> = signers
            .iter()
            .map(|(alg, signer)| {
                let mut jwk = signer.jwk_named(alg);
                if with_alg {
                    jwk["alg"] = json!(alg);
                }
                jwk
            })
            .collect();
        let tokens: Vec<_> = signers.iter().map(|(kid, signer)| signer.token(kid, &good_claims())).collect();
        let results = verify_all(&json!({"keys": keys}), &tokens);
        for (result, alg) in results.into_iter().zip(algorithms) {
            assert_eq!(result, Ok(user("user-7")), "{alg}, alg in the key: {with_alg}");
        }
    }
}

#[test]
fn a_key_for_one_algorithm_is_for_no_other_of_its_family() {
    let (rs256, ps256) = (Signer::new("RS256"), Signer::new("PS256"));
    let mut only_rs256 = rs256.jwk_named("k");
    only_rs256["alg"] = json!("RS256");
    let tokens = [rs256.token("k", &good_claims()), ps256.token("k", &good_claims())];
    let results = verify_all(&json!({"keys": [only_rs256]}), &tokens);
    assert_eq!(results, [Ok(user("user-7")), refused(TokenRefused::Algorithm)]);
}

#[test]
fn one_bad_key_does_not_spoil_the_set() {
    let signer = Signer::new("ES256");
    let spoiled = [
        ("crv", json!("P-521")),
        ("crv", json!("secp256k1")),
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RS256")),
        ("alg", json!("ECDH-ES")),
    ];
    let mut keys = vec![json!(7), json!({"kty": "quantum"}), json!({"kty": "RSA", "n": "!", "e": "AQAB"})];
    let mut tokens = vec![signer.token("good", &good_claims())];
    for (index, (name, value)) in spoiled.into_iter().enumerate() {
        let kid = format!("unusable-{index}");
        let mut jwk = signer.jwk_named(&kid);
        jwk[name] = value;
        keys.push(jwk);
        tokens.push(signer.token(&kid, &good_claims()));
    }
    keys.push(signer.jwk_named("good"));
    let mut results = verify_all(&json!({"keys": keys}), &tokens).into_iter();
    assert_eq!(results.next(), Some(Ok(user("user-7"))));
    for (index, result) in results.enumerate() {
        assert_eq!(result, refused(TokenRefused::Key), "key {index}");
    }
}

#[test]
fn without_a_kid_exactly_one_key_must_fit() {
    let (ed, ec, other_ec) = (Signer::new("EdDSA"), Signer::new("ES256"), Signer::new("ES256"));
    let jwks = set(&[("ed", &ed), ("ec", &ec), ("ec-2", &other_ec)]);
    let nameless = |signer: &Signer| signer.token_with(&json!({"alg": signer.alg()}), &good_claims());
    let tokens = [nameless(&ed), nameless(&ec), nameless(&Signer::new("RS256"))];
    let expected = [Ok(user("user-7")), refused(TokenRefused::Key), refused(TokenRefused::Algorithm)];
    assert_eq!(verify_all(&jwks, &tokens), expected);
}

#[test]
fn a_shared_secret_is_for_hs256_alone_and_long_enough() {
    let secret = "0123456789abcdef0123456789abcdef";
    let config = |secret: &str| UserTokenConfig {
        issuer: ISSUER.into(),
        audience: vec![AUDIENCE.into()],
        hs256_secret: Some(SecretString::from(secret)),
        ..UserTokenConfig::default()
    };
    let signer = Signer::Hmac(secret.into());
    let tokens = [
        signer.token("any kid", &good_claims()),
        signer.token_with(&json!({"alg": "HS256"}), &good_claims()),
        signer.token_with(&json!({"alg": "HS512"}), &good_claims()),
        Signer::Hmac(b"another secret, of sufficient size".into()).token("k", &good_claims()),
        Signer::new("RS256").token("k", &good_claims()),
    ];
    let (good, algorithm) = (Ok(user("user-7")), refused(TokenRefused::Algorithm));
    let expected = [good.clone(), good, algorithm.clone(), refused(TokenRefused::Signature), algorithm];
    assert_eq!(verify_under(&config(secret), &tokens), expected);

    let mut by_file = config("");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{secret}\n")).unwrap();
    (by_file.hs256_secret, by_file.hs256_secret_file) = (None, Some(file.path().into()));
    assert!(verify_under(&by_file, &tokens)[0].is_ok(), "from a file, its line end left out");

    let short = run(UserTokens::start(&config("31 bytes are not enough for it.")));
    assert!(matches!(short, Err(StartError::ShortSecret(_))), "{short:?}");
}

#[test]
fn rotated_keys_are_found_and_everybody_who_waits_is_served_by_one_reading() {
    run(async {
        let (old, new) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
        let server = IssuerServer::start(&set(&[("old", &old)])).await;
        let tokens = start(&server, EAGER).await;
        assert_eq!(tokens.verify(&old.token("old", &good_claims()), NOW).await, Ok(user("user-7")));

        server.publish(200, set(&[("new", &new)]).to_string());
        let token = new.token("new", &good_claims());
        let all = futures_util::future::join_all((0..100).map(|_| tokens.verify(&token, NOW))).await;
        assert!(all.iter().all(Result::is_ok), "{:?}", all.iter().find(|one| one.is_err()));
        assert_eq!(server.asked(), 2, "once at start, once for all hundred");
        assert_eq!(tokens.verify(&old.token("old", &good_claims()), NOW).await, refused(TokenRefused::Key));
    });
}

#[test]
fn a_key_that_the_issuer_withdraws_is_given_up_though_nobody_asks_for_another() {
    run(async {
        let (old, new) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
        let server = IssuerServer::start(&set(&[("old", &old)])).await;
        let often = Timing { shortest: Duration::from_millis(5), floor: Duration::from_hours(1), ..EAGER };
        let tokens = start(&server, often).await;
        let by_old = old.token("old", &good_claims());
        assert_eq!(tokens.verify(&by_old, NOW).await, Ok(user("user-7")));
        server.publish(200, set(&[("new", &new)]).to_string());
        until(&tokens, &by_old, refused(TokenRefused::Key)).await;
        assert_eq!(tokens.verify(&new.token("new", &good_claims()), NOW).await, Ok(user("user-7")));
    });
}

#[test]
fn a_storm_of_unknown_kids_does_not_reach_the_issuer() {
    run(async {
        let signer = Signer::new("EdDSA");
        let server = IssuerServer::start(&set(&[("k", &signer)])).await;
        let patient = start(&server, Timing { floor: Duration::from_hours(1), ..EAGER }).await;
        let storm = (0..500).map(|number| signer.token(&format!("made-up-{number}"), &good_claims()));
        let storm: Vec<_> = storm.collect();
        let all = futures_util::future::join_all(storm.iter().map(|token| patient.verify(token, NOW))).await;
        assert!(all.into_iter().all(|one| one == refused(TokenRefused::Key)));
        assert_eq!(server.asked(), 1, "only at start");

        let eager = start(&server, EAGER).await;
        for _ in 0..50 {
            assert_eq!(eager.verify(&storm[0], NOW).await, refused(TokenRefused::Key));
        }
        assert_eq!(server.asked(), 3, "at start, and once for a kid that stays unknown");
        let long = signer.token(&"k".repeat(257), &good_claims());
        assert_eq!(eager.verify(&long, NOW).await, refused(TokenRefused::Key));
        assert_eq!(server.asked(), 3, "nobody has a kid that long");
    });
}

#[test]
fn the_last_good_set_stays_while_the_issuer_is_away_or_talks_nonsense() {
    run(async {
        let signer = Signer::new("EdDSA");
        let server = IssuerServer::start(&set(&[("k", &signer)])).await;
        let tokens = start(&server, EAGER).await;
        let good = signer.token("k", &good_claims());
        let mut padded = set(&[("k", &Signer::new("EdDSA"))]);
        padded["pad"] = json!("x".repeat(256 * 1024));
        let padded = padded.to_string();
        let nonsense =
            [(500, ""), (404, "not here"), (200, "<html>"), (200, "{\"keys\":[]}"), (200, "{}"), (200, &padded)];
        for (index, (status, body)) in nonsense.into_iter().enumerate() {
            server.publish(status, body);
            let asked = server.asked();
            let unknown = signer.token(&format!("unknown-{index}"), &good_claims());
            assert_eq!(tokens.verify(&unknown, NOW).await, refused(TokenRefused::Key));
            assert!(server.asked() > asked, "the issuer was asked");
            assert_eq!(tokens.verify(&good, NOW).await, Ok(user("user-7")), "after {status} {body:.20}");
        }
    });
}

#[test]
fn keys_that_were_never_read_are_no_refusal_and_come_once_the_issuer_is_back() {
    run(async {
        let signer = Signer::new("EdDSA");
        let server = IssuerServer::start(&json!({})).await;
        server.publish(503, "");
        let tokens = start(&server, EAGER).await;
        let token = signer.token("k", &good_claims());
        assert_eq!(tokens.verify(&token, NOW).await, Err(VerifyError::KeysUnavailable));
        server.publish(200, set(&[("k", &signer)]).to_string());
        until(&tokens, &token, Ok(user("user-7"))).await;
    });
}

#[test]
fn a_file_is_read_again_when_it_changes() {
    run(async {
        let (old, new) = (Signer::new("EdDSA"), Signer::new("ES256"));
        let (config, file) = with_jwks_file(&set(&[("old", &old)]));
        let tokens = UserTokens::start_at(&config, Timing { floor: Duration::from_hours(1), ..EAGER }).await.unwrap();
        assert_eq!(tokens.verify(&old.token("old", &good_claims()), NOW).await, Ok(user("user-7")));
        std::fs::write(file.path(), set(&[("new", &new)]).to_string()).unwrap();
        until(&tokens, &new.token("new", &good_claims()), Ok(user("user-7"))).await;
        assert_eq!(tokens.verify(&old.token("old", &good_claims()), NOW).await, refused(TokenRefused::Key));
    });
}

#[test]
fn an_address_that_is_none_is_said_at_start() {
    let config = UserTokenConfig {
        issuer: ISSUER.into(),
        audience: vec![AUDIENCE.into()],
        jwks_url: Some("no address".into()),
        ..UserTokenConfig::default()
    };
    assert!(matches!(run(UserTokens::start(&config)), Err(StartError::BadUrl(_))));
}

#[test]
fn what_is_logged_or_shown_holds_no_key_and_no_token() {
    run(async {
        let config = UserTokenConfig {
            issuer: ISSUER.into(),
            audience: vec![AUDIENCE.into()],
            hs256_secret: Some(SecretString::from("do-not-print-me-0123456789abcdef")),
            ..UserTokenConfig::default()
        };
        let tokens = UserTokens::start(&config).await.unwrap();
        let printed = format!("{tokens:?}");
        let bytes = format!("{:?}", b"do-not-print-me");
        assert!(!printed.contains("do-not-print-me") && !printed.contains(bytes.trim_matches(['[', ']'])), "{printed}");
    });
}
