use super::*;

fn complaints(text: &str) -> Vec<(String, String)> {
    toml::from_str::<UserTokenConfig>(text).unwrap().complaints()
}

fn paths(text: &str) -> Vec<String> {
    complaints(text).into_iter().map(|(path, _)| path.strip_prefix("auth.user_token.").unwrap().to_owned()).collect()
}

#[test]
fn nothing_set_is_off_and_right() {
    let config = UserTokenConfig::default();
    assert!(!config.is_on() && config.issuers().is_empty() && config.complaints().is_empty());
}

#[test]
fn a_complete_configuration_has_no_complaint() {
    let text = r#"
        issuer = "https://securetoken.google.com/shop"
        preset = "firebase"
        audience = "shop"
        [[more]]
        issuer = "https://tenant.example/"
        preset = "auth0"
        audience = ["https://api.example", "https://other.example"]
        uid_prefix = "auth0:"
        [[more]]
        issuer = "internal"
        hs256_secret = "0123456789abcdef0123456789abcdef"
        authorized_parties = ["https://app.example"]
        uid_prefix = "internal:"
    "#;
    assert_eq!(complaints(text), []);
    let issuers = toml::from_str::<UserTokenConfig>(text).unwrap().issuers();
    let prefixes: Vec<_> = issuers.iter().map(|issuer| issuer.uid_prefix.as_str()).collect();
    assert_eq!(prefixes, ["", "auth0:", "internal:"]);
    assert_eq!(issuers[0].audience, ["shop"], "one text is a list of one");
}

#[test]
fn every_mistake_is_named_by_its_path() {
    let good = "issuer = \"i\"\naudience = \"a\"\n";
    let table: &[(&str, &[&str])] = &[
        ("audience = \"a\"", &["issuer"]),
        ("issuer = \"i\"\njwks_url = \"https://i/jwks\"", &["audience"]),
        ("issuer = \"i\"\naudience = \"a\"", &["jwks_url"]),
        ("issuer = \"i\"\naudience = \"a\"\njwks_url = \"ftp://i\"", &["jwks_url"]),
        ("issuer = \"i\"\naudience = \"a\"\njwks_url = \"https://me:hush@i/keys\"", &["jwks_url"]),
        ("issuer = \"i\"\naudience = \"a\"\njwks_url = \"https://\"", &["jwks_url"]),
        ("issuer = \"i\"\naudience = \"a\"\nhs256_secret_file = \"/no/such/file\"", &["hs256_secret_file"]),
        ("issuer = \"i\"\naudience = \"a\"\nhs256_secret_file = \"/dev/null\"", &["hs256_secret_file"]),
        ("issuer = \"i\"\naudience = \"a\"\njwks_url = \"https://i\"\njwks_file = \"f\"", &["jwks_url"]),
        ("issuer = \"i\"\naudience = \"a\"\nhs256_secret = \"short\"", &["hs256_secret"]),
        ("issuer = \"i\"\naudience = \"a\"\npreset = \"firebase\"", &["issuer"]),
        ("header = \"\"", &["header"]),
        ("header = \"a b\"", &["header"]),
        ("header = \"X-API-Key\"", &["header"]),
        ("leeway_s = 301", &["leeway_s"]),
        (
            "issuer = \"i\"\naudience = \"a\"\njwks_file = \"f\"\nemail_verified_claim = \"/user_metadata/email_verified\"",
            &["email_verified_claim"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(paths(text), *expected, "{text}");
    }
    let more = |issuer: &str, prefix: &str| {
        format!("[[more]]\nissuer = \"{issuer}\"\naudience = \"a\"\njwks_file = \"f\"\nuid_prefix = \"{prefix}\"\n")
    };
    for (first, second, expected) in [
        (more("j", ""), String::new(), "more[0].uid_prefix"),
        (more("i", "i:"), String::new(), "more[0].issuer"),
        (more("j", "j:"), more("j", "k:"), "more[1].issuer"),
        (more("j", "j:"), more("k", "j:"), "more[1].uid_prefix"),
        (more("j", "j:"), more("k", "j:k:"), "more[1].uid_prefix"),
    ] {
        let text = format!("{good}jwks_file = \"f\"\n{first}{second}");
        assert_eq!(paths(&text), [expected], "{text}");
    }
}

#[test]
fn no_token_comes_in_a_header_that_means_something_already() {
    let taken = "host Content-Length content-type Transfer-Encoding connection x-api-key cookie X-Forwarded-For forwarded \
                 expect upgrade te trailer stripe-signature x-request-id accept Accept-Encoding origin range if-match via \
                 proxy-authorization sec-fetch-mode keep-alive user-agent x-forwarded-proto x-real-ip";
    for header in taken.split_whitespace() {
        assert_eq!(paths(&format!("header = \"{header}\"")), ["header"], "{header}");
    }
    for header in ["authorization", "Authorization", "x-user-token", "x-forward-token", "hosted", "token"] {
        assert_eq!(paths(&format!("header = \"{header}\"")), [""; 0], "{header}");
    }
}

#[test]
fn the_secret_is_never_shown() {
    let config: UserTokenConfig = toml::from_str("hs256_secret = \"do-not-print-me\"").unwrap();
    assert!(!format!("{config:?} {:?}", config.complaints()).contains("do-not-print-me"));
}
