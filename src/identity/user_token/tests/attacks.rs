use super::{
    forge::{Signer, b64, rsa_public_der},
    *,
};
use proptest::prelude::*;

#[test]
fn no_algorithm_of_the_tokens_choosing_is_believed() {
    let (rsa, ec) = (Signer::new("RS256"), Signer::new("ES256"));
    let jwks = json!({"keys": [rsa.jwk_named("rsa"), ec.jwk_named("ec")]});
    let modulus = rsa.jwk()["n"].as_str().unwrap().as_bytes().to_vec();
    let jwk_text = rsa.jwk_named("rsa").to_string().into_bytes();
    let claims = good_claims();
    let unsigned = |alg: &str, signature: &str| {
        let header = b64(json!({"alg": alg, "typ": "JWT", "kid": "rsa"}).to_string().as_bytes());
        format!("{header}.{}.{signature}", b64(claims.to_string().as_bytes()))
    };
    let table = [
        (unsigned("none", ""), TokenRefused::Malformed),
        (unsigned("None", ""), TokenRefused::Malformed),
        (unsigned("nOnE", "AAAA"), TokenRefused::Malformed),
        (unsigned("", ""), TokenRefused::Malformed),
        (unsigned("RS256", ""), TokenRefused::Signature),
        (unsigned("RS256", "AAAA"), TokenRefused::Signature),
        (unsigned("HS256", ""), TokenRefused::Algorithm),
        (Signer::Hmac(rsa_public_der()).token("rsa", &claims), TokenRefused::Algorithm),
        (Signer::Hmac(modulus).token("rsa", &claims), TokenRefused::Algorithm),
        (Signer::Hmac(jwk_text).token("rsa", &claims), TokenRefused::Algorithm),
        (Signer::Hmac(vec![]).token("rsa", &claims), TokenRefused::Algorithm),
        (ec.token("rsa", &claims), TokenRefused::Algorithm),
        (rsa.token("ec", &claims), TokenRefused::Algorithm),
        (ec.token_with(&json!({"alg": "RS256", "kid": "rsa"}), &claims), TokenRefused::Signature),
        (rsa.token_with(&json!({"alg": "PS256", "kid": "rsa"}), &claims), TokenRefused::Signature),
        (Signer::new("ES256").token("ec", &claims), TokenRefused::Signature),
    ];
    let (tokens, expected): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    for (index, result) in verify_all(&jwks, &tokens).into_iter().enumerate() {
        assert_eq!(result, refused(expected[index]), "token {index}");
    }
}

#[test]
fn keys_that_a_token_brings_along_are_not_used() {
    let (ours, forger) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let jwks = json!({"keys": [ours.jwk_named("ours")]});
    let claims = good_claims();
    let headers = [
        json!({"alg": "EdDSA", "kid": "ours", "jwk": forger.jwk()}),
        json!({"alg": "EdDSA", "kid": "ours", "jku": "http://127.0.0.1:1/jwks"}),
        json!({"alg": "EdDSA", "kid": "ours", "x5u": "http://127.0.0.1:1/cert", "x5c": ["AAAA"]}),
    ];
    let tokens: Vec<_> = headers.iter().map(|header| forger.token_with(header, &claims)).collect();
    for result in verify_all(&jwks, &tokens) {
        assert_eq!(result, refused(TokenRefused::Signature));
    }
}

#[test]
fn a_published_symmetric_key_opens_nothing() {
    let secret = Signer::Hmac(vec![7; 32]);
    let mut with_alg = secret.jwk_named("shared");
    with_alg["alg"] = json!("HS256");
    let jwks = json!({"keys": [secret.jwk_named("plain"), with_alg, Signer::new("EdDSA").jwk_named("ed")]});
    let tokens = [secret.token("plain", &good_claims()), secret.token("shared", &good_claims())];
    for result in verify_all(&jwks, &tokens) {
        assert_eq!(result, refused(TokenRefused::Key));
    }
}

#[test]
fn a_kid_is_a_name_and_nothing_else() {
    let signer = Signer::new("EdDSA");
    let jwks = json!({"keys": [signer.jwk_named("ed")]});
    let long = "k".repeat(5_000);
    for kid in
        ["../../../../dev/null", "/etc/passwd", "http://127.0.0.1:1/", "' OR '1'='1", "ed\u{0}", "ED", "", "ed ", &long]
    {
        let token = signer.token(kid, &good_claims());
        assert_eq!(verify_all(&jwks, &[token]), [refused(TokenRefused::Key)], "{kid:?}");
    }
    for kid in [json!(7), json!(["ed"]), json!({"ed": true}), json!(true)] {
        let token = signer.token_with(&json!({"alg": "EdDSA", "kid": kid}), &good_claims());
        assert_eq!(verify_all(&jwks, &[token]), [refused(TokenRefused::Malformed)], "{kid}");
    }
}

#[test]
fn what_is_no_token_of_ours_in_shape_is_malformed() {
    let signer = Signer::new("EdDSA");
    let jwks = json!({"keys": [signer.jwk_named("ed")]});
    let good = signer.token("ed", &good_claims());
    let header = |header: Value| signer.token_with(&header, &good_claims());
    let mut tokens = vec![
        header(json!({"alg": "EdDSA", "kid": "ed", "crit": ["exp"]})),
        header(json!({"alg": "EdDSA", "kid": "ed", "crit": []})),
        header(json!({"alg": "EdDSA", "kid": "ed", "crit": "exp"})),
        header(json!({"alg": "EdDSA", "kid": "ed", "typ": "JWE"})),
        header(json!({"alg": "EdDSA", "kid": "ed", "typ": "secevent+jwt"})),
        header(json!({"alg": "EdDSA", "kid": "ed", "typ": 7})),
        header(json!({"kid": "ed"})),
        header(json!([])),
        signer.token("ed", &json!("text")),
        signer.token("ed", &json!([good_claims()])),
        format!("{good}.AAAA.AAAA"),
        format!("{good}="),
        good.replace('.', "+"),
    ];
    for text in ["", ".", "..", "...", "a.b.c", "Bearer x.y.z", "\u{1f600}.\u{1f600}.\u{1f600}", "\0\0.\0\0.\0\0"] {
        tokens.push(text.to_owned());
    }
    for (index, result) in verify_all(&jwks, &tokens).into_iter().enumerate() {
        let padded_signature = tokens[index] == format!("{good}=");
        let expected = if padded_signature { TokenRefused::Signature } else { TokenRefused::Malformed };
        assert_eq!(result, refused(expected), "{}", tokens[index]);
    }
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT"] {
        let token = header(json!({"alg": "EdDSA", "kid": "ed", "typ": typ}));
        assert_eq!(verify_all(&jwks, &[token]), [Ok(user("user-7"))], "{typ}");
    }
}

#[test]
fn a_token_beyond_8_kib_is_not_looked_at() {
    let signer = Signer::new("EdDSA");
    let jwks = json!({"keys": [signer.jwk_named("ed")]});
    let padded = |bytes: usize| signer.token("ed", &claims_but(&json!({"pad": "x".repeat(bytes)})));
    let (fits, too_long) = (padded(5_000), padded(6_500));
    assert!(fits.len() <= LONGEST_TOKEN && too_long.len() > LONGEST_TOKEN);
    let results = verify_all(&jwks, &[fits, too_long, "x".repeat(10_000_000)]);
    assert_eq!(results, [Ok(user("user-7")), refused(TokenRefused::TooLong), refused(TokenRefused::TooLong)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_token_that_was_touched_anywhere_opens_nothing(
        touches in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"Aa0-_.=z".to_vec())), 1..200),
    ) {
        let signer = Signer::new("EdDSA");
        let good = signer.token("ed", &good_claims());
        let touched = touches.iter().map(|(at, byte)| {
            let mut bytes = good.clone().into_bytes();
            *at.get_mut(&mut bytes) = *byte;
            String::from_utf8(bytes).unwrap()
        });
        let mut tokens: Vec<_> = touched.filter(|token| *token != good).collect();
        tokens.push(good.clone());
        let mut results = verify_all(&json!({"keys": [signer.jwk_named("ed")]}), &tokens);
        prop_assert_eq!(results.pop(), Some(Ok(user("user-7"))));
        prop_assert!(results.iter().all(Result::is_err));
    }
}
