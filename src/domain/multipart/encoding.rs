//! The charsets and the hexadecimal digits of encoded names, whichever way they are encoded.

/// How the bytes of an encoded text are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// ASCII is a part of it.
    Utf8,
    Latin1,
}

impl Charset {
    /// The charset of this name, any case; `None` if it is not one of the two.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"utf-8") || is(b"utf8") || is(b"us-ascii") {
            Some(Self::Utf8)
        } else if is(b"iso-8859-1") || is(b"latin1") {
            Some(Self::Latin1)
        } else {
            None
        }
    }
}

/// The byte that two hexadecimal digits are.
pub(super) fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}
