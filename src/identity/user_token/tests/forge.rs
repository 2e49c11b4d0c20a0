//! Makes keys and tokens with `aws-lc-rs` alone, so that the library under test is not its own witness, and so that
//! tokens can be as wrong as an attacker's.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
        RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Generating one takes a while, so all tests share it.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// A private key and the algorithm that it signs with.
pub(super) enum Signer {
    Rsa(&'static str),
    Ec(&'static str, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Hmac(Vec<u8>),
}

impl Signer {
    pub(super) fn new(alg: &'static str) -> Self {
        match alg {
            "ES256" => Self::Ec(alg, EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "ES384" => Self::Ec(alg, EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            "EdDSA" => Self::Ed(Ed25519KeyPair::generate().unwrap()),
            rsa => Self::Rsa(rsa),
        }
    }

    pub(super) fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(alg) | Self::Ec(alg, _) => alg,
            Self::Ed(_) => "EdDSA",
            Self::Hmac(_) => "HS256",
        }
    }

    /// The public key as published, without `kid` and `alg`.
    pub(super) fn jwk(&self) -> Value {
        match self {
            Self::Rsa(_) => json!({"kty": "RSA", "n": b64(rsa_modulus()), "e": "AQAB"}),
            Self::Ec(alg, key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": if *alg == "ES256" { "P-256" } else { "P-384" }, "x": b64(x), "y": b64(y)})
            }
            Self::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().as_ref())}),
            Self::Hmac(secret) => json!({"kty": "oct", "k": b64(secret)}),
        }
    }

    pub(super) fn jwk_named(&self, kid: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = json!(kid);
        jwk
    }

    /// A token with the signer's own algorithm in its header.
    pub(super) fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.alg(), "typ": "JWT", "kid": kid}), claims)
    }

    /// A token with any header.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
        format!("{message}.{}", b64(&self.sign(message.as_bytes())))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(alg) => {
                let encoding: &'static dyn RsaEncoding = match *alg {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("no signer for {other}"),
                };
                let mut signature = vec![0; RSA.public_modulus_len()];
                RSA.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Ec(_, key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Hmac(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec(),
        }
    }
}

/// The shared RSA key's public half as PKCS#1 DER, which an HS256 forger would take for the secret.
pub(super) fn rsa_public_der() -> Vec<u8> {
    RSA.public_key().as_ref().to_vec()
}

/// In the DER of a 2048-bit key: sequence header 4, integer header 4, a zero, then the modulus.
fn rsa_modulus() -> &'static [u8] {
    &RSA.public_key().as_ref()[9..9 + 256]
}

/// Base64url without padding (RFC 7515, section 2).
pub(super) fn b64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            let index = usize::try_from(group >> (18 - 6 * at) & 63).unwrap();
            text.push(char::from(ALPHABET[index]));
        }
    }
    text
}
