//! User tokens: which account a signed JWT speaks for (contract, section 2).
//!
//! A token decides nothing about how it is checked: its `iss` only picks among the configured issuers, its `kid` among
//! that issuer's keys, and each key fixes the algorithms it may be used with. Every claim is read type-strictly, and
//! only after the signature held.

mod claims;
mod fetch;
mod issuer;
mod jwks;
mod refresh;

use crate::{
    config::UserTokenConfig,
    domain::{account::Uid, time::UnixSeconds},
    telemetry::{IssuerGauges, TokenResult, panics},
};
use issuer::Issuer;
use jsonwebtoken::{Algorithm, TokenData, dangerous::insecure_decode, decode};
use refresh::Timing;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The longest token that is read.
const LONGEST_TOKEN: usize = 8 * 1024;

/// The issuers whose tokens are accepted. Their keys are kept fresh in the background until this is dropped.
#[derive(Debug)]
pub struct UserTokens {
    issuers: Vec<Issuer>,
    _refreshing: JoinSet<()>,
}

/// The user that a valid token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedUser {
    /// The account: the issuer's prefix and the token's `sub`.
    pub uid: Uid,
    /// Whether the token says that the e-mail address is verified; `None` when it says nothing, and the account's record counts.
    pub email_verified: Option<bool>,
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// 401: the token is not valid.
    #[error("user token refused: {0}")]
    Refused(#[from] TokenRefused),
    /// 503: the issuer's keys have never been read, so the token cannot be judged.
    #[error("the issuer's keys have not been read yet")]
    KeysUnavailable,
}

/// Why a token is refused, for the log and the metric; it never holds a part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// More than 8 KiB.
    #[error("too long")]
    TooLong,
    /// It is not a JWT, its algorithm is unknown here (`none`), or we do not know its `typ` or `crit`.
    #[error("malformed")]
    Malformed,
    /// No configured issuer made it.
    #[error("issuer")]
    Issuer,
    /// No key of the issuer has its `kid`; or it has none, and not exactly one key fits.
    #[error("key")]
    Key,
    /// The key is not for this algorithm.
    #[error("algorithm")]
    Algorithm,
    /// The signature was not made with the key.
    #[error("signature")]
    Signature,
    /// `exp` is missing or has passed.
    #[error("expired")]
    Expired,
    /// `nbf`, `iat` or `auth_time` lie in the future, or are no numbers.
    #[error("not yet valid")]
    NotYetValid,
    /// It is meant for somebody else, or was asked for by somebody else.
    #[error("audience")]
    Audience,
    /// `sub` is missing or makes no account's id.
    #[error("subject")]
    Subject,
    /// It fails a rule of the preset: an anonymous user, another role.
    #[error("not a signed-in user")]
    NotSignedIn,
}

impl VerifyError {
    /// The name for metrics.
    #[must_use]
    pub fn label(self) -> TokenResult {
        match self {
            Self::KeysUnavailable => TokenResult::KeysUnavailable,
            Self::Refused(TokenRefused::TooLong) => TokenResult::TooLong,
            Self::Refused(TokenRefused::Malformed) => TokenResult::Malformed,
            Self::Refused(TokenRefused::Issuer) => TokenResult::Issuer,
            Self::Refused(TokenRefused::Key) => TokenResult::Key,
            Self::Refused(TokenRefused::Algorithm) => TokenResult::Algorithm,
            Self::Refused(TokenRefused::Signature) => TokenResult::Signature,
            Self::Refused(TokenRefused::Expired) => TokenResult::Expired,
            Self::Refused(TokenRefused::NotYetValid) => TokenResult::NotYetValid,
            Self::Refused(TokenRefused::Audience) => TokenResult::Audience,
            Self::Refused(TokenRefused::Subject) => TokenResult::Subject,
            Self::Refused(TokenRefused::NotSignedIn) => TokenResult::NotSignedIn,
        }
    }
}

/// Why user tokens cannot be started with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file of the secret cannot be read.
    #[error("cannot read {path}: {cause}")]
    SecretFile {
        /// As configured.
        path: String,
        /// The system's error.
        cause: std::io::Error,
    },
    /// The secret has fewer than 32 bytes.
    #[error("the HS256 secret of issuer {0} must have at least 32 bytes")]
    ShortSecret(String),
    /// `jwks_url` is not an address.
    #[error("the issuer {0} has no jwks_url that is an address")]
    BadUrl(String),
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl UserTokens {
    /// Reads every issuer's keys once and keeps them fresh. An issuer that is unavailable is no error: its tokens are
    /// [`VerifyError::KeysUnavailable`] until it answers.
    pub async fn start(config: &UserTokenConfig) -> Result<Self, StartError> {
        Self::start_at(config, Timing::default()).await
    }

    async fn start_at(config: &UserTokenConfig, timing: Timing) -> Result<Self, StartError> {
        let issuers = issuer::all(config, timing).await?;
        let mut refreshing = JoinSet::new();
        for issuer in &issuers {
            let keys = Arc::clone(&issuer.keys);
            refreshing.spawn(panics::keep_alive(move || Arc::clone(&keys).keep_fresh()));
        }
        futures_util::future::join_all(issuers.iter().map(|issuer| issuer.keys.first_read())).await;
        Ok(Self { issuers, _refreshing: refreshing })
    }

    /// The age of each issuer's keys.
    #[must_use]
    pub fn gauges(&self) -> Vec<IssuerGauges> {
        self.issuers.iter().map(|issuer| issuer.keys.gauges()).collect()
    }

    /// The user that the token names, if it is valid at `now`. Asks the issuer, seldom, when the key is not known.
    pub async fn verify(&self, token: &str, now: UnixSeconds) -> Result<VerifiedUser, VerifyError> {
        let unverified = Unverified::read(token)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.rules.issuer == unverified.issuer);
        let issuer = issuer.ok_or(TokenRefused::Issuer)?;
        let key = issuer.keys.find(unverified.kid.as_deref(), unverified.algorithm).await?;
        let token = decode::<Map<String, Value>>(token, &key.decoding, &key.validation);
        let claims = token.map_err(|_| TokenRefused::Signature)?.claims;
        Ok(issuer.rules.judge(&claims, now)?)
    }
}

/// The unverified parts of a token by which a key is chosen.
struct Unverified {
    issuer: String,
    kid: Option<String>,
    algorithm: Algorithm,
}

impl Unverified {
    fn read(token: &str) -> Result<Self, TokenRefused> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenRefused::TooLong);
        }
        let unproven = insecure_decode::<Map<String, Value>>(token);
        let TokenData { header, claims } = unproven.map_err(|_| TokenRefused::Malformed)?;
        let known_type = |typ: &String| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt");
        // A reader must understand every extension that `crit` lists; we understand none.
        if header.crit.is_some() || !header.typ.as_ref().is_none_or(known_type) {
            return Err(TokenRefused::Malformed);
        }
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or(TokenRefused::Issuer)?;
        Ok(Self { issuer: issuer.to_owned(), kid: header.kid, algorithm: header.alg })
    }
}

#[cfg(test)]
mod tests;
