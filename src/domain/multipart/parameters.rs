//! Header values of the form `kind; name=token; name="quoted text"`.

use super::Malformed;
use std::borrow::Cow;

/// The parameters behind a value's first word, in the order sent.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    rest: &'a [u8],
}

/// The first word of a header's value, and its parameters.
pub(super) fn split(value: &[u8]) -> (&[u8], Parameters<'_>) {
    let (kind, rest) = split_at_semicolon(value);
    (kind.trim_ascii(), Parameters { rest })
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<(&'a [u8], Cow<'a, [u8]>), Malformed>;

    /// A name and a value; words without a value are passed over. A quoted value that does not end is an error.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            let end = self.rest.iter().position(|byte| b"=;".contains(byte))?;
            let (word, rest) = (self.rest[..end].trim_ascii_end(), &self.rest[end + 1..]);
            let has_value = self.rest[end] == b'=';
            self.rest = rest;
            if has_value {
                return Some(self.value().map(|value| (word, value)));
            }
        }
    }
}

impl<'a> Parameters<'a> {
    fn value(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        let start = self.rest.trim_ascii_start();
        let Some(quoted) = start.strip_prefix(b"\"") else {
            let (token, rest) = split_at_semicolon(start);
            self.rest = rest;
            return Ok(Cow::Borrowed(token.trim_ascii_end()));
        };
        let end = closing_quote(quoted).ok_or(Malformed)?;
        self.rest = split_at_semicolon(&quoted[end + 1..]).1;
        Ok(unescape(&quoted[..end]))
    }
}

fn split_at_semicolon(text: &[u8]) -> (&[u8], &[u8]) {
    memchr::memchr(b';', text).map_or((text, &[]), |at| (&text[..at], &text[at + 1..]))
}

fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += if is_escape(&text[at..]) { 2 } else { 1 };
    }
}

/// Only a quote and a backslash are ever escaped: a backslash before anything else is one in a Windows path.
fn is_escape(text: &[u8]) -> bool {
    matches!(text, [b'\\', b'"' | b'\\', ..])
}

fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = if is_escape(rest) { behind.split_first() } else { None };
        let (byte, behind) = escaped.map_or((first, behind), |(&byte, behind)| (byte, behind));
        plain.push(byte);
        rest = behind;
    }
    Cow::Owned(plain)
}
