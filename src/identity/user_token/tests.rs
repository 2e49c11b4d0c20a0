use super::*;
use serde_json::json;

mod attacks;
mod claims;
mod forge;
mod keys;
mod server;

/// The moment at which every token of these tests is checked.
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const ISSUER: &str = "https://issuer.example/";
const AUDIENCE: &str = "the-gateway";

/// Claims that are right in every respect.
fn good_claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "user-7", "exp": NOW.0 + 60, "iat": NOW.0 - 60})
}

/// Good claims, but for some; `null` leaves one out.
fn claims_but(changes: &Value) -> Value {
    let mut claims = good_claims();
    let map = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            map.remove(name);
        } else {
            map.insert(name.clone(), value.clone());
        }
    }
    claims
}

fn user(uid: &str) -> VerifiedUser {
    VerifiedUser { uid: Uid::new(uid).unwrap(), email_verified: None }
}

fn refused(why: TokenRefused) -> Result<VerifiedUser, VerifyError> {
    Err(VerifyError::Refused(why))
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A configuration whose keys are in a file, which lives as long as the second value.
fn with_jwks_file(jwks: &Value) -> (UserTokenConfig, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), jwks.to_string()).unwrap();
    let config = UserTokenConfig {
        issuer: ISSUER.into(),
        audience: vec![AUDIENCE.into()],
        jwks_file: Some(file.path().into()),
        ..UserTokenConfig::default()
    };
    (config, file)
}

/// The result for each token when the issuer publishes these keys.
fn verify_all(jwks: &Value, tokens: &[String]) -> Vec<Result<VerifiedUser, VerifyError>> {
    let (config, _file) = with_jwks_file(jwks);
    verify_under(&config, tokens)
}

fn verify_under(config: &UserTokenConfig, tokens: &[String]) -> Vec<Result<VerifiedUser, VerifyError>> {
    run(async {
        let user_tokens = UserTokens::start(config).await.unwrap();
        let mut results = Vec::new();
        for token in tokens {
            results.push(user_tokens.verify(token, NOW).await);
        }
        results
    })
}
