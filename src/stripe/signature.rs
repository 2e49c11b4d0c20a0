//! The header `Stripe-Signature`, which shows whether a body comes from Stripe and is recent.

use crate::domain::time::UnixSeconds;
use aws_lc_rs::{constant_time, hmac};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Why a webhook's signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// The header is not `t=<unix seconds>,v1=<hex>`.
    #[error("the Stripe-Signature header is missing or malformed")]
    Malformed,
    /// None of its signatures matches any secret.
    #[error("no signature in the Stripe-Signature header matches")]
    NoMatch,
    /// It was signed too long ago or in the future: it is a replay, or a clock is wrong.
    #[error("the Stripe-Signature timestamp is outside the tolerance")]
    Stale,
}

/// The endpoint's signing secrets. There may be several, because Stripe and the gateway rotate them at different times.
pub struct Verifier {
    keys: Vec<hmac::Key>,
    tolerance: Duration,
}

impl Verifier {
    /// Takes whole secrets (`whsec_…`, prefix included); blank ones are dropped, because anybody could sign with them.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>, tolerance: Duration) -> Self {
        let texts = secrets.into_iter().map(|secret| secret.expose_secret().trim());
        let keys = texts.filter(|text| !text.is_empty()).map(|text| hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()));
        Self { keys: keys.collect(), tolerance }
    }

    /// Checks the header alone: whether it has a signature, and a time within the tolerance.
    pub fn may_fit(&self, header: &str, now: UnixSeconds) -> Result<(), SignatureFault> {
        let header = Header::parse(header).ok_or(SignatureFault::Malformed)?;
        if header.signatures.is_empty() {
            return Err(SignatureFault::NoMatch);
        }
        self.lately(&header, now)
    }

    /// Checks the header against the raw body, before anything is parsed.
    pub fn verify(&self, header: &str, body: &[u8], now: UnixSeconds) -> Result<(), SignatureFault> {
        let header = Header::parse(header).ok_or(SignatureFault::Malformed)?;
        let signed = self.keys.iter().any(|key| {
            let mut context = hmac::Context::with_key(key);
            context.update(header.timestamp.as_bytes());
            context.update(b".");
            context.update(body);
            let expected = context.sign();
            let fits = |given| constant_time::verify_slices_are_equal(expected.as_ref(), given).is_ok();
            header.signatures.iter().any(|given| fits(given))
        });
        if !signed {
            return Err(SignatureFault::NoMatch);
        }
        self.lately(&header, now)
    }

    fn lately(&self, header: &Header<'_>, now: UnixSeconds) -> Result<(), SignatureFault> {
        let skew = header.seconds.abs_diff(now.0);
        if skew > self.tolerance.as_secs() { Err(SignatureFault::Stale) } else { Ok(()) }
    }
}

struct Header<'a> {
    /// The time as it was sent, because the signature covers that text.
    timestamp: &'a str,
    seconds: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    /// Ignores schemes other than `v1`, and malformed signatures.
    fn parse(header: &'a str) -> Option<Self> {
        let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
        let (_, timestamp) = parts().find(|(name, _)| *name == "t")?;
        let seconds = timestamp.parse().ok()?;
        let signatures = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, hex)| digest(hex)).collect();
        Some(Self { timestamp, seconds, signatures })
    }
}

/// 32 bytes in hexadecimal.
fn digest(hex: &str) -> Option<[u8; 32]> {
    let hex: &[u8; 64] = hex.as_bytes().try_into().ok()?;
    let nibble = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with Python: hmac.new(secret, f"{t}.".encode() + body, sha256).hexdigest()
    const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
    const SIGNED: i64 = 1_774_268_613;
    const BY_TEST_SECRET: &str = "70f4e57e01446c50fa8ed3f1e53067ec46cfa6c233d04394d5fba08d54766c15";
    const BY_ROTATED: &str = "7d26e663f2c7edd8bc5d5bef75155498db3cd4213d0cfa4b17216f83085e44e3";

    fn verify(secrets: &[&str], header: &str, now: i64) -> Result<(), SignatureFault> {
        let secrets: Vec<_> = secrets.iter().map(|text| SecretString::from(*text)).collect();
        Verifier::new(&secrets, Duration::from_mins(5)).verify(header, BODY, UnixSeconds(now))
    }

    #[test]
    fn any_secret_may_fit_any_signature() {
        let both = ["whsec_test_secret", "whsec_rotated"];
        let forged = "00".repeat(32);
        for header in [
            format!("t={SIGNED},v1={BY_TEST_SECRET}"),
            format!("t={SIGNED},v1={BY_ROTATED},v0=whatever"),
            format!("v1=short, v1={forged}, t={SIGNED}, v1={BY_TEST_SECRET}"),
            format!("t={SIGNED},v1={}", BY_TEST_SECRET.to_uppercase()),
        ] {
            assert_eq!(verify(&both, &header, SIGNED), Ok(()), "{header}");
        }
    }

    #[test]
    fn what_is_not_signed_by_a_configured_secret_is_not_believed() {
        let good = format!("t={SIGNED},v1={BY_TEST_SECRET}");
        assert_eq!(verify(&["whsec_rotated"], &good, SIGNED), Err(SignatureFault::NoMatch));
        assert_eq!(verify(&[], &good, SIGNED), Err(SignatureFault::NoMatch));
        assert_eq!(verify(&["", " "], &good, SIGNED), Err(SignatureFault::NoMatch));
        let later = format!("t={},v1={BY_TEST_SECRET}", SIGNED + 1);
        assert_eq!(
            verify(&["whsec_test_secret"], &later, SIGNED),
            Err(SignatureFault::NoMatch),
            "the time is signed too"
        );
        let other_scheme = format!("t={SIGNED},v0={BY_TEST_SECRET}");
        assert_eq!(verify(&["whsec_test_secret"], &other_scheme, SIGNED), Err(SignatureFault::NoMatch));
        let secrets = [SecretString::from("whsec_test_secret")];
        let verifier = Verifier::new(&secrets, Duration::from_mins(5));
        let changed = br#"{"id":"evt_2","object":"event"}"#;
        assert_eq!(verifier.verify(&good, changed, UnixSeconds(SIGNED)), Err(SignatureFault::NoMatch));
    }

    #[test]
    fn the_time_may_differ_by_the_tolerance_either_way() {
        let good = format!("t={SIGNED},v1={BY_TEST_SECRET}");
        for (skew, expected) in
            [(-301, Err(SignatureFault::Stale)), (-300, Ok(())), (300, Ok(())), (301, Err(SignatureFault::Stale))]
        {
            assert_eq!(verify(&["whsec_test_secret"], &good, SIGNED + skew), expected, "{skew} s");
        }
    }

    #[test]
    fn what_no_body_could_mend_is_known_by_the_header_alone() {
        let secrets = [SecretString::from("whsec_test_secret")];
        let verifier = Verifier::new(&secrets, Duration::from_mins(5));
        let forged = format!("t={SIGNED},v1={}", "00".repeat(32));
        for (header, now, expected) in [
            (forged.as_str(), SIGNED, Ok(())),
            (&forged, SIGNED + 301, Err(SignatureFault::Stale)),
            (&forged, SIGNED - 301, Err(SignatureFault::Stale)),
            (&format!("t={SIGNED}"), SIGNED, Err(SignatureFault::NoMatch)),
            (&format!("t={SIGNED},v1=00"), SIGNED, Err(SignatureFault::NoMatch)),
            ("", SIGNED, Err(SignatureFault::Malformed)),
        ] {
            assert_eq!(verifier.may_fit(header, UnixSeconds(now)), expected, "{header}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_malformed() {
        for header in ["", "t=", "t=abc,v1=00", "v1=00", "=,=", "t=99999999999999999999,v1=00"] {
            assert_eq!(verify(&["whsec_test_secret"], header, SIGNED), Err(SignatureFault::Malformed), "{header:?}");
        }
    }
}
