//! `application/x-www-form-urlencoded`, as browsers write it and the URL standard reads it.

use super::{lengthen, text};
use crate::domain::multipart::{Event, MAX_PARTS, Malformed};
use bytes::{Buf as _, Bytes};

/// A body being parsed.
#[derive(Debug, Default)]
pub(super) struct Urlencoded {
    input: Bytes,
    name: Vec<u8>,
    in_value: bool,
    /// A percent sign, and perhaps the digit behind it, until it is known whether they stand for a byte.
    escape: Vec<u8>,
    /// What was no escape after all, to be read again as it stands.
    plain: Vec<u8>,
    entries: usize,
}

impl Urlencoded {
    pub(super) fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.input.is_empty(), "events of the last chunk were left behind");
        self.input = chunk;
    }

    pub(super) fn next_event(&mut self) -> Result<Option<Event>, Malformed> {
        let mut data = Vec::new();
        while let Some(byte) = self.input.first().copied() {
            match byte {
                b'&' => {
                    self.unescaped(&mut data);
                    if self.in_value && !data.is_empty() {
                        return Ok(Some(Event::Data(data.into())));
                    }
                    self.input.advance(1);
                    let name = std::mem::take(&mut self.name);
                    if !std::mem::take(&mut self.in_value) && !name.is_empty() {
                        return self.begin(&name).map(Some);
                    }
                }
                b'=' if !self.in_value => {
                    self.unescaped(&mut data);
                    self.input.advance(1);
                    self.in_value = true;
                    let name = std::mem::take(&mut self.name);
                    return self.begin(&name).map(Some);
                }
                _ => {
                    self.input.advance(1);
                    self.take(byte, &mut data);
                }
            }
        }
        Ok(if data.is_empty() { None } else { Some(Event::Data(data.into())) })
    }

    /// A name without a value, or what looked like an escape, may be last.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        let mut data = Vec::new();
        self.unescaped(&mut data);
        let name = std::mem::take(&mut self.name);
        match (std::mem::take(&mut self.in_value), data.is_empty(), name.is_empty()) {
            (true, false, _) => vec![Event::Data(data.into())],
            (false, _, false) => vec![text(&name)],
            _ => Vec::new(),
        }
    }

    fn begin(&mut self, name: &[u8]) -> Result<Event, Malformed> {
        self.entries += 1;
        if self.entries > MAX_PARTS { Err(Malformed) } else { Ok(text(name)) }
    }

    fn take(&mut self, byte: u8, data: &mut Vec<u8>) {
        if byte == b'%' || (!self.escape.is_empty() && !byte.is_ascii_hexdigit()) {
            self.unescaped(data);
        }
        if byte == b'%' || !self.escape.is_empty() {
            self.escape.push(byte);
            if let [_, high, low] = self.escape[..] {
                self.escape.clear();
                let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
                self.put((digit(high) << 4 | digit(low)).to_le_bytes()[0], data);
            }
            return;
        }
        self.put(if byte == b'+' { b' ' } else { byte }, data);
    }

    /// What began like an escape was none.
    fn unescaped(&mut self, data: &mut Vec<u8>) {
        std::mem::swap(&mut self.escape, &mut self.plain);
        for at in 0..self.plain.len() {
            self.put(self.plain[at], data);
        }
        self.plain.clear();
    }

    fn put(&mut self, byte: u8, data: &mut Vec<u8>) {
        if self.in_value { data.push(byte) } else { lengthen(&mut self.name, byte) }
    }
}
