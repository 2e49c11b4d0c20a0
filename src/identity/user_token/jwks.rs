//! A set of keys, and the choice of the key for a token.

use super::TokenRefused;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{
        AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, KeyOperations, OctetKeyPairParameters,
        PublicKeyUse,
    },
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::HashSet, sync::Arc};

const RSA: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// One key, and the purposes it may be used for.
#[derive(Debug)]
pub(super) struct Key {
    kid: Option<String>,
    pub(super) decoding: DecodingKey,
    /// Lists the key's algorithms, all of its own family. Claims are not judged here but in `claims.rs`, where time is
    /// an argument.
    pub(super) validation: Validation,
}

impl Key {
    fn new(kid: Option<String>, decoding: DecodingKey, algorithms: Vec<Algorithm>) -> Self {
        let validation = Validation {
            algorithms,
            required_spec_claims: HashSet::new(),
            validate_exp: false,
            validate_aud: false,
            ..Validation::default()
        };
        Self { kid, decoding, validation }
    }

    /// A key of a published set; `None` if it is not for signatures that we know. Symmetric keys are left out whatever
    /// they claim to be for: everybody who can read a published secret can sign with it.
    fn published(key: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let verifies = |allowed: &Vec<KeyOperations>| allowed.contains(&KeyOperations::Verify);
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
            && jwk.common.key_operations.as_ref().is_none_or(verifies);
        let named = jwk.common.key_algorithm.map(Algorithm::try_from);
        let fits = |algorithm: &&Algorithm| named.as_ref().is_none_or(|named| named.as_ref() == Ok(*algorithm));
        let algorithms: Vec<_> = suited(&jwk.algorithm).iter().filter(fits).copied().collect();
        if !signs || algorithms.is_empty() {
            return None;
        }
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self::new(jwk.common.key_id, decoding, algorithms))
    }
}

/// Every algorithm that a public key can verify: one family for each kind of key.
fn suited(key: &AlgorithmParameters) -> &'static [Algorithm] {
    if let AlgorithmParameters::RSA(_) = key {
        &RSA
    } else if let AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters { curve, .. }) = key {
        if *curve == EllipticCurve::P256 {
            &[Algorithm::ES256]
        } else if *curve == EllipticCurve::P384 {
            &[Algorithm::ES384]
        } else {
            &[]
        }
    } else if let AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters { curve: EllipticCurve::Ed25519, .. }) = key
    {
        &[Algorithm::EdDSA]
    } else {
        &[]
    }
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Arc<Key>>);

/// The key that a token is checked with.
pub(super) enum Choice {
    Key(Arc<Key>),
    /// No key has the token's `kid`. A newer set may have it.
    Unknown,
    Refused(TokenRefused),
}

/// Why a text is not a usable key set.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadKeySet {
    #[error("no JWK set: {0}")]
    Json(#[from] serde_json::Error),
    #[error("none of its {0} keys can verify a token")]
    NoneUsable(usize),
}

impl KeySet {
    /// Reads a JWK set (RFC 7517). A key that cannot be used does not spoil the others.
    pub(super) fn parse(text: &[u8]) -> Result<Self, BadKeySet> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<Value>,
        }
        let Published { keys } = serde_json::from_slice(text)?;
        let all = keys.len();
        let usable: Vec<_> = keys.into_iter().filter_map(Key::published).map(Arc::new).collect();
        if usable.is_empty() { Err(BadKeySet::NoneUsable(all)) } else { Ok(Self(usable)) }
    }

    /// The one key of an issuer that shares a secret with us. It has no `kid`, so it fits any.
    pub(super) fn of_secret(secret: &[u8]) -> Self {
        let key = Key::new(None, DecodingKey::from_secret(secret), vec![Algorithm::HS256]);
        Self(vec![Arc::new(key)])
    }

    /// Exactly one key must fit: by the `kid`, or without one by the algorithm alone.
    pub(super) fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Choice {
        let named = |key: &&Arc<Key>| kid.is_some() && key.kid.as_deref() == kid;
        let nameless = |key: &&Arc<Key>| kid.is_none() || key.kid.is_none();
        let mut candidates: Vec<_> = self.0.iter().filter(named).collect();
        if candidates.is_empty() {
            candidates = self.0.iter().filter(nameless).collect();
        }
        if candidates.is_empty() {
            return Choice::Unknown;
        }
        candidates.retain(|key| key.validation.algorithms.contains(&algorithm));
        match candidates[..] {
            [one] => Choice::Key(Arc::clone(one)),
            [] => Choice::Refused(TokenRefused::Algorithm),
            _ => Choice::Refused(TokenRefused::Key),
        }
    }
}
