//! Fresh names and secrets, from the operating system's randomness.

use crate::domain::{credit::OperationId, time::UnixMicros, trace::Trace};
use aws_lc_rs::rand;
use std::{
    fmt::Write as _,
    num::{NonZeroU64, NonZeroU128},
};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 that a byte reaches: bytes from here on would favour the first digits.
const FAIR: u8 = 248;

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

/// The id of an operation that begins now: the moment, and 59 random bits.
pub fn operation_id_at(now: UnixMicros) -> Result<OperationId, NoRandomness> {
    Ok(OperationId::stamped(now, &base62_text(10)?))
}

/// An operation id that nobody has used: 128 random bits, in hexadecimal.
pub fn fresh_operation_id() -> Result<OperationId, NoRandomness> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(OperationId(hexadecimal(&bytes).into()))
}

/// The trace of a request: the one that a believed `traceparent` names, else a new one.
pub fn trace_of(traceparent: Option<&[u8]>) -> Result<Trace, NoRandomness> {
    let (mut id, mut span) = ([0; 16], [0; 8]);
    fill(&mut span)?;
    let span = NonZeroU64::new(u64::from_ne_bytes(span)).unwrap_or(NonZeroU64::MIN);
    if let Some(trace) = traceparent.and_then(|header| Trace::continued(header, span)) {
        return Ok(trace);
    }
    fill(&mut id)?;
    let id = NonZeroU128::new(u128::from_ne_bytes(id)).unwrap_or(NonZeroU128::MIN);
    Ok(Trace::begin(id, span))
}

/// A text of this many random base62 digits, all equally likely.
pub(crate) fn base62_text(digits: usize) -> Result<String, NoRandomness> {
    let mut text = String::with_capacity(digits);
    while text.len() < digits {
        let mut bytes = [0; 32];
        fill(&mut bytes)?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR);
        text.extend(fair.map(|byte| base62_digit(u32::from(*byte))).take(digits - text.len()));
    }
    Ok(text)
}

/// The last base62 digit of a number.
pub(crate) fn base62_digit(number: u32) -> char {
    char::from(BASE62[(number % 62) as usize])
}

/// Two lower-case digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    rand::fill(bytes).map_err(|_| NoRandomness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_digit_comes_up_and_no_text_twice() {
        let texts: BTreeSet<String> = (0..500).map(|_| base62_text(30).unwrap()).collect();
        assert_eq!(texts.len(), 500);
        let digits: BTreeSet<char> = texts.iter().flat_map(|text| text.chars()).collect();
        assert_eq!(digits.len(), 62);
        assert!(texts.iter().all(|text| text.len() == 30));
    }

    #[test]
    fn an_operation_id_begins_with_its_moment_and_a_later_one_is_greater() {
        let moments = [0, 1, 1_773_057_600_000_000, 1_773_057_600_000_001].map(UnixMicros);
        let ids = moments.map(|at| operation_id_at(at).unwrap());
        assert_eq!(ids.clone().map(|id| id.stamp()), moments.map(Some));
        assert!(ids.is_sorted());
        for other in ["", "-", "00064c9599f4000", "00064c9599F40-x", "invoice-1"] {
            assert_eq!(OperationId(other.into()).stamp(), None, "{other}");
        }
    }

    #[test]
    fn an_operation_id_is_128_bits_that_nobody_has_used() {
        let ids: BTreeSet<_> = (0..500).map(|_| fresh_operation_id().unwrap()).collect();
        assert_eq!(ids.len(), 500);
        assert!(ids.iter().all(|id| id.0.len() == 32 && id.0.bytes().all(|digit| digit.is_ascii_hexdigit())));
    }
}
