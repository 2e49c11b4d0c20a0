use super::{forge::Signer, *};
use crate::{
    config::{IssuerConfig, Preset},
    identity::user_token::claims::Rules,
};

fn rules() -> Rules {
    Rules {
        issuer: ISSUER.into(),
        audience: vec!["other".into(), AUDIENCE.into()],
        authorized_parties: Vec::new(),
        email_verified: vec!["email_verified".into()],
        uid_prefix: String::new(),
        foreign_prefixes: vec!["b:".into()],
        preset: None,
        leeway_s: 30,
    }
}

fn judge(rules: &Rules, changes: &Value) -> Result<VerifiedUser, TokenRefused> {
    rules.judge(claims_but(changes).as_object().unwrap(), NOW)
}

#[test]
fn every_claim_is_needed_and_of_its_own_type() {
    let (audience, subject, expired) = (TokenRefused::Audience, TokenRefused::Subject, TokenRefused::Expired);
    let table = [
        (json!({"iss": null}), TokenRefused::Issuer),
        (json!({"iss": "https://issuer.example"}), TokenRefused::Issuer),
        (json!({"iss": [ISSUER]}), TokenRefused::Issuer),
        (json!({"iss": 7}), TokenRefused::Issuer),
        (json!({"aud": null}), audience),
        (json!({"aud": "somebody-else"}), audience),
        (json!({"aud": ""}), audience),
        (json!({"aud": []}), audience),
        (json!({"aud": ["somebody-else"]}), audience),
        (json!({"aud": [AUDIENCE, 7]}), audience),
        (json!({"aud": 7}), audience),
        (json!({"aud": {"the-gateway": true}}), audience),
        (json!({"aud": [[AUDIENCE]]}), audience),
        (json!({"sub": null}), subject),
        (json!({"sub": ""}), subject),
        (json!({"sub": 7}), subject),
        (json!({"sub": ["user-7"]}), subject),
        (json!({"sub": "x".repeat(129)}), subject),
        (json!({"sub": "b:somebody of the other issuer"}), subject),
        (json!({"exp": null}), expired),
        (json!({"exp": (NOW.0 + 60).to_string()}), expired),
        (json!({"exp": [NOW.0 + 60]}), expired),
        (json!({"exp": -1}), expired),
        (json!({"nbf": "soon"}), TokenRefused::NotYetValid),
        (json!({"iat": true}), TokenRefused::NotYetValid),
    ];
    for (changes, why) in table {
        assert_eq!(judge(&rules(), &changes), Err(why), "{changes}");
    }
    for changes in [json!({}), json!({"aud": [AUDIENCE]}), json!({"aud": ["x", AUDIENCE]}), json!({"iat": null})] {
        assert_eq!(judge(&rules(), &changes), Ok(user("user-7")), "{changes}");
    }
}

#[test]
fn time_counts_to_the_second_with_the_leeway_on_either_side() {
    let now = NOW.0;
    for (changes, good) in [
        (json!({"exp": now - 29}), true),
        (json!({"exp": now - 30}), false),
        (json!({"nbf": now + 30}), true),
        (json!({"nbf": now + 31}), false),
        (json!({"iat": now + 30}), true),
        (json!({"iat": now + 31}), false),
        (json!({"exp": 1_800_000_060.75}), true),
        (json!({"exp": 1.0e300}), true),
        (json!({"exp": u64::MAX}), true),
        (json!({"exp": -1.0e300}), false),
        (json!({"nbf": u64::MAX}), false),
    ] {
        assert_eq!(judge(&rules(), &changes).is_ok(), good, "{changes}");
    }
}

#[test]
fn without_an_audience_the_authorized_party_decides() {
    let rules = Rules { audience: vec![], authorized_parties: vec!["https://app.example".into()], ..rules() };
    let table = [
        (json!({"aud": null, "azp": "https://app.example"}), Ok(user("user-7"))),
        (json!({"aud": null, "azp": "https://evil.example"}), Err(TokenRefused::Audience)),
        (json!({"aud": null, "azp": ["https://app.example"]}), Err(TokenRefused::Audience)),
        (json!({"aud": null}), Err(TokenRefused::Audience)),
        (json!({"aud": "another-service", "azp": "https://app.example"}), Err(TokenRefused::Audience)),
    ];
    for (changes, expected) in table {
        assert_eq!(judge(&rules, &changes), expected, "{changes}");
    }
    let neither = Rules { audience: vec![], authorized_parties: vec![], ..rules };
    assert_eq!(judge(&neither, &json!({"aud": null})), Err(TokenRefused::Audience), "nothing says it is for us");
}

#[test]
fn the_verified_address_is_read_where_the_issuer_keeps_it() {
    let places = ["email_verified", "https://app.example/email_verified", "/app_metadata/email_verified"];
    let rules = Rules { email_verified: places.map(String::from).to_vec(), ..rules() };
    for (changes, verified) in [
        (json!({}), None),
        (json!({"email_verified": true}), Some(true)),
        (json!({"email_verified": false}), Some(false)),
        (json!({"email_verified": "true"}), Some(true)),
        (json!({"email_verified": "false"}), Some(false)),
        (json!({"email_verified": "TRUE "}), Some(false)),
        (json!({"email_verified": 1}), Some(false)),
        (json!({"email_verified": [true]}), Some(false)),
        (json!({"https://app.example/email_verified": true}), Some(true)),
        (json!({"app_metadata": {"email_verified": true}}), Some(true)),
        (json!({"app_metadata": {"email_verified": null}}), None),
        (json!({"app_metadata": "email_verified"}), None),
        (json!({"user_metadata": {"email_verified": true}}), None),
        (json!({"email_verified": false, "app_metadata": {"email_verified": true}}), Some(false)),
    ] {
        assert_eq!(judge(&rules, &changes).unwrap().email_verified, verified, "{changes}");
    }
}

#[test]
fn a_preset_refuses_whom_its_issuer_lets_in_unasked() {
    let not_signed_in = Err(TokenRefused::NotSignedIn);
    let (firebase, supabase) = (Preset::Firebase, Preset::Supabase);
    let table = [
        (firebase, json!({"auth_time": NOW.0 - 5}), Ok(user("user-7"))),
        (firebase, json!({}), Err(TokenRefused::NotYetValid)),
        (firebase, json!({"auth_time": NOW.0 + 31}), Err(TokenRefused::NotYetValid)),
        (firebase, json!({"auth_time": 1, "firebase": {"sign_in_provider": "google.com"}}), Ok(user("user-7"))),
        (firebase, json!({"auth_time": 1, "firebase": {"sign_in_provider": "anonymous"}}), not_signed_in.clone()),
        (supabase, json!({"role": "authenticated"}), Ok(user("user-7"))),
        (supabase, json!({"role": "authenticated", "is_anonymous": false}), Ok(user("user-7"))),
        (supabase, json!({"role": "authenticated", "is_anonymous": true}), not_signed_in.clone()),
        (supabase, json!({"role": "authenticated", "is_anonymous": "yes"}), not_signed_in.clone()),
        (supabase, json!({"role": "anon"}), not_signed_in.clone()),
        (supabase, json!({"role": "service_role"}), not_signed_in.clone()),
        (supabase, json!({}), not_signed_in),
        (Preset::Auth0, json!({}), Ok(user("user-7"))),
        (Preset::Clerk, json!({}), Ok(user("user-7"))),
    ];
    for (preset, changes, expected) in table {
        let rules = Rules { preset: Some(preset), ..rules() };
        assert_eq!(judge(&rules, &changes), expected, "{preset:?} {changes}");
    }
}

#[test]
fn every_setting_of_an_issuer_reaches_the_check_of_its_tokens() {
    type Change = fn(&mut UserTokenConfig);
    let signer = Signer::new("EdDSA");
    let late = json!({"exp": NOW.0 - 1});
    let later = json!({"exp": NOW.0 - 100});
    let elsewhere = json!({"own": true});
    let verified = Ok(VerifiedUser { email_verified: Some(true), ..user("user-7") });
    let table: [(Change, Value, Result<VerifiedUser, VerifyError>); 8] = [
        (|_| {}, late.clone(), Ok(user("user-7"))),
        (|config| config.leeway_s = 0, late, refused(TokenRefused::Expired)),
        (|_| {}, later.clone(), refused(TokenRefused::Expired)),
        (|config| config.leeway_s = 101, later, Ok(user("user-7"))),
        (|_| {}, elsewhere.clone(), Ok(user("user-7"))),
        (|config| config.email_verified_claim = vec!["own".into()], elsewhere, verified),
        (|config| config.preset = Some(Preset::Supabase), json!({}), refused(TokenRefused::NotSignedIn)),
        (|config| config.authorized_parties = vec!["app".into()], json!({}), refused(TokenRefused::Audience)),
    ];
    for (change, claims, expected) in table {
        let (mut config, _file) = with_jwks_file(&json!({"keys": [signer.jwk_named("k")]}));
        change(&mut config);
        let token = signer.token("k", &claims_but(&claims));
        assert_eq!(verify_under(&config, &[token]), [expected], "{claims} under {config:?}");
    }
}

#[test]
fn two_issuers_never_share_an_account() {
    let (first, second) = (Signer::new("EdDSA"), Signer::new("ES256"));
    let (mut config, _file) = with_jwks_file(&json!({"keys": [first.jwk_named("k")]}));
    let (other, _other_file) = with_jwks_file(&json!({"keys": [second.jwk_named("k")]}));
    config.more.push(IssuerConfig {
        issuer: "https://second.example".into(),
        audience: vec![AUDIENCE.into()],
        jwks_file: other.jwks_file,
        uid_prefix: "b:".into(),
        ..IssuerConfig::default()
    });
    let of_second = json!({"iss": "https://second.example"});
    let tokens = [
        first.token("k", &good_claims()),
        second.token("k", &claims_but(&of_second)),
        first.token("k", &claims_but(&json!({"sub": "b:user-7"}))),
        first.token("k", &claims_but(&of_second)),
        second.token("k", &good_claims()),
        first.token("k", &claims_but(&json!({"iss": "https://third.example"}))),
    ];
    let expected = [
        Ok(user("user-7")),
        Ok(user("b:user-7")),
        refused(TokenRefused::Subject),
        refused(TokenRefused::Algorithm),
        refused(TokenRefused::Algorithm),
        refused(TokenRefused::Issuer),
    ];
    assert_eq!(verify_under(&config, &tokens), expected);
}
