//! The claims that a token with a valid signature must have. A claim of the wrong type is a wrong claim.

use super::{TokenRefused, VerifiedUser};
use crate::{
    config::Preset,
    domain::{account::Uid, time::UnixSeconds},
};
use serde_json::{Map, Value};

type Claims = Map<String, Value>;

/// The claims that one issuer's tokens must have.
#[derive(Debug)]
pub(super) struct Rules {
    /// The `iss`, exactly as tokens must have it.
    pub(super) issuer: String,
    /// Empty only if `authorized_parties` is not.
    pub(super) audience: Vec<String>,
    pub(super) authorized_parties: Vec<String>,
    /// Names, or with a leading slash JSON pointers; the first that is present counts.
    pub(super) email_verified: Vec<String>,
    pub(super) uid_prefix: String,
    /// The other issuers' prefixes. No `sub` of this issuer may begin with one.
    pub(super) foreign_prefixes: Vec<String>,
    pub(super) preset: Option<Preset>,
    pub(super) leeway_s: i64,
}

impl Rules {
    /// The user that the claims name, if they are valid at `now`.
    pub(super) fn judge(&self, claims: &Claims, now: UnixSeconds) -> Result<VerifiedUser, TokenRefused> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(TokenRefused::Issuer);
        }
        self.check_times(claims, now)?;
        self.check_audience(claims)?;
        self.check_preset(claims, now)?;
        Ok(VerifiedUser { uid: self.uid(claims)?, email_verified: self.email_verified(claims) })
    }

    fn check_times(&self, claims: &Claims, now: UnixSeconds) -> Result<(), TokenRefused> {
        let expires = claims.get("exp").and_then(seconds).ok_or(TokenRefused::Expired)?;
        if now.0 >= expires.saturating_add(self.leeway_s) {
            return Err(TokenRefused::Expired);
        }
        for claim in ["nbf", "iat"] {
            if let Some(value) = claims.get(claim) {
                self.check_past(value, now)?;
            }
        }
        Ok(())
    }

    fn check_past(&self, value: &Value, now: UnixSeconds) -> Result<(), TokenRefused> {
        let begins = seconds(value).ok_or(TokenRefused::NotYetValid)?;
        if begins > now.0.saturating_add(self.leeway_s) { Err(TokenRefused::NotYetValid) } else { Ok(()) }
    }

    /// RFC 7519, 4.1.3: a token with an audience that is not ours is refused, also where none is asked for.
    fn check_audience(&self, claims: &Claims) -> Result<(), TokenRefused> {
        match claims.get("aud") {
            None if self.audience.is_empty() => {}
            Some(Value::String(one)) if self.audience.contains(one) => {}
            Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
                let ours = |aud: &Value| aud.as_str().is_some_and(|aud| self.audience.iter().any(|own| own == aud));
                many.iter().any(ours).then_some(()).ok_or(TokenRefused::Audience)?;
            }
            _ => return Err(TokenRefused::Audience),
        }
        let party = claims.get("azp").and_then(Value::as_str);
        let known = |party| self.authorized_parties.iter().any(|own| own == party);
        let asked_for_by_ours = party.is_some_and(known);
        // Without either list, nothing says that the token is for us.
        let for_us = if self.authorized_parties.is_empty() { !self.audience.is_empty() } else { asked_for_by_ours };
        if for_us { Ok(()) } else { Err(TokenRefused::Audience) }
    }

    fn check_preset(&self, claims: &Claims, now: UnixSeconds) -> Result<(), TokenRefused> {
        let signed_in = match self.preset {
            Some(Preset::Firebase) => {
                self.check_past(claims.get("auth_time").unwrap_or(&Value::Null), now)?;
                let provider = claims.get("firebase").and_then(|firebase| firebase.get("sign_in_provider"));
                provider.and_then(Value::as_str) != Some("anonymous")
            }
            Some(Preset::Supabase) => {
                let anonymous = claims.get("is_anonymous").is_some_and(|anonymous| *anonymous != Value::Bool(false));
                claims.get("role").and_then(Value::as_str) == Some("authenticated") && !anonymous
            }
            Some(Preset::Auth0 | Preset::Clerk) | None => true,
        };
        if signed_in { Ok(()) } else { Err(TokenRefused::NotSignedIn) }
    }

    fn uid(&self, claims: &Claims) -> Result<Uid, TokenRefused> {
        let sub = claims.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty());
        let uid = sub.map(|sub| format!("{}{sub}", self.uid_prefix)).ok_or(TokenRefused::Subject)?;
        if self.foreign_prefixes.iter().any(|foreign| uid.starts_with(foreign)) {
            return Err(TokenRefused::Subject);
        }
        Uid::new(uid).map_err(|_| TokenRefused::Subject)
    }

    /// Some issuers write booleans as text. Any other value counts as not verified.
    fn email_verified(&self, claims: &Claims) -> Option<bool> {
        let value = self.email_verified.iter().find_map(|place| at(claims, place))?;
        Some(value.as_bool().unwrap_or_else(|| value.as_str() == Some("true")))
    }
}

/// The value of a claim's name, or of a JSON pointer; `null` is nothing.
fn at<'a>(claims: &'a Claims, place: &str) -> Option<&'a Value> {
    let value = match place.strip_prefix('/') {
        None => claims.get(place),
        Some(pointer) => {
            let (top, below) = pointer.find('/').map_or((pointer, ""), |slash| pointer.split_at(slash));
            claims.get(&top.replace("~1", "/").replace("~0", "~")).and_then(|value| value.pointer(below))
        }
    };
    value.filter(|value| !value.is_null())
}

/// A `NumericDate` (RFC 7519, section 2), fractions cut off.
#[expect(clippy::cast_possible_truncation, reason = "a float beyond the range of i64 saturates, which is far enough")]
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}
