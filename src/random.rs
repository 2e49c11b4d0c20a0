//! Fresh names and secrets, from the operating system's randomness.

use crate::domain::{credit::OperationId, time::UnixMicros, trace::Trace};
use aws_lc_rs::rand;
use std::{
    cell::RefCell,
    num::{NonZeroU64, NonZeroU128},
};

const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 that a byte reaches: bytes from here on would favour the first digits.
const FAIR: u8 = 248;

/// How much randomness a thread keeps for ids: a picture needs five times a few bytes.
const KEPT: usize = 512;

thread_local! {
    /// Random bytes that nobody has used yet. Only ids are made of them: secrets come from the system's generator itself.
    static UNUSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

/// The id of an operation that begins now: the moment, and 59 random bits.
pub fn operation_id_at(now: UnixMicros) -> Result<OperationId, NoRandomness> {
    Ok(OperationId::stamped(now, &base62_of(10, fill_for_id)?))
}

/// An operation id that nobody has used: 128 random bits, in hexadecimal.
pub fn fresh_operation_id() -> Result<OperationId, NoRandomness> {
    let mut bytes = [0; 16];
    fill_for_id(&mut bytes)?;
    Ok(OperationId(hexadecimal(&bytes).into()))
}

/// The trace of a request: the one that a believed `traceparent` names, else a new one.
pub fn trace_of(traceparent: Option<&[u8]>) -> Result<Trace, NoRandomness> {
    let (mut id, mut span) = ([0; 16], [0; 8]);
    fill_for_id(&mut span)?;
    let span = NonZeroU64::new(u64::from_ne_bytes(span)).unwrap_or(NonZeroU64::MIN);
    if let Some(trace) = traceparent.and_then(|header| Trace::continued(header, span)) {
        return Ok(trace);
    }
    fill_for_id(&mut id)?;
    let id = NonZeroU128::new(u128::from_ne_bytes(id)).unwrap_or(NonZeroU128::MIN);
    Ok(Trace::begin(id, span))
}

/// A text of this many random base62 digits, all equally likely.
pub(crate) fn base62_text(digits: usize) -> Result<String, NoRandomness> {
    base62_of(digits, fill)
}

fn base62_of(digits: usize, fill: impl Fn(&mut [u8]) -> Result<(), NoRandomness>) -> Result<String, NoRandomness> {
    let mut text = String::with_capacity(digits);
    while text.len() < digits {
        let mut bytes = [0; 16];
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
    let digit = |number: u8| HEXADECIMAL[usize::from(number & 0xf)];
    let mut text = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
    }
    // Digits are always UTF-8.
    String::from_utf8(text).unwrap_or_default()
}

/// Random bytes of which an id is made that need not be secret. They are drawn for many ids at once.
fn fill_for_id(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    UNUSED.with_borrow_mut(|unused| {
        if unused.len() < bytes.len() {
            unused.resize(KEPT.max(bytes.len()), 0);
            fill(unused).inspect_err(|_| unused.clear())?;
        }
        let rest = unused.len() - bytes.len();
        bytes.copy_from_slice(&unused[rest..]);
        unused.truncate(rest);
        Ok(())
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
