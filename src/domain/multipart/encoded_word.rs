//! Encoded words, `=?charset?Q?text?=` (RFC 2047), which mail libraries write in names that are not ASCII.

use super::encoding::{Charset, hex};
use memchr::memchr;

/// A word's pieces, as they stand.
#[derive(Debug)]
struct Word<'a> {
    charset: &'a [u8],
    encoding: u8,
    encoded: &'a [u8],
}

/// The text in UTF-8, with every encoded word in it decoded. Other text, and words of another charset, stay as they
/// are. Blanks between two words are dropped.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut is_behind_word = false;
    while let Some((&first, behind)) = rest.split_first() {
        let start = if is_behind_word { rest.trim_ascii_start() } else { rest };
        let word = Word::beginning(start).and_then(|(word, behind)| Some((word.decoded()?, behind)));
        is_behind_word = word.is_some();
        if let Some((decoded, behind)) = word {
            plain.extend(decoded);
            rest = behind;
        } else {
            plain.push(first);
            rest = behind;
        }
    }
    plain
}

/// Whether the text is a word, or several, of whatever charset, and nothing else.
pub(super) fn is_all_of(text: &[u8]) -> bool {
    let mut rest = text.trim_ascii();
    while let Some((_, behind)) = Word::beginning(rest) {
        rest = behind.trim_ascii_start();
        if rest.is_empty() {
            return true;
        }
    }
    false
}

impl<'a> Word<'a> {
    /// The word that the text begins with, and the text after it.
    fn beginning(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (charset, rest) = up_to_question_mark(text.strip_prefix(b"=?")?)?;
        let (&[encoding @ (b'Q' | b'q' | b'B' | b'b')], rest) = up_to_question_mark(rest)? else { return None };
        let (encoded, rest) = up_to_question_mark(rest)?;
        Some((Self { charset, encoding, encoded }, rest.strip_prefix(b"=")?))
    }

    /// The text that it stands for, in UTF-8, if its charset and encoding are known.
    fn decoded(&self) -> Option<Vec<u8>> {
        // A language may follow the charset (RFC 2231, section 5).
        let charset = Charset::named(self.charset.split(|byte| *byte == b'*').next()?)?;
        let bytes = match self.encoding {
            b'Q' | b'q' => quoted_printable(self.encoded)?,
            _ => base64(self.encoded)?,
        };
        Some(match charset {
            Charset::Utf8 => bytes,
            Charset::Latin1 => bytes.into_iter().map(char::from).collect::<String>().into_bytes(),
        })
    }
}

/// The search ends at the next question mark whatever it belongs to, so that a text full of beginnings costs no more than
/// its length.
fn up_to_question_mark(text: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr(b'?', text).map(|at| (&text[..at], &text[at + 1..]))
}

fn quoted_printable(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, behind) = match first {
            b'=' => (hex(behind.get(..2)?)?, &behind[2..]),
            b'_' => (b' ', behind),
            plain => (plain, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    Some(bytes)
}

/// The padding may be missing.
fn base64(encoded: &[u8]) -> Option<Vec<u8>> {
    let length = encoded.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let mut bytes = Vec::with_capacity(length);
    for letters in encoded[..length].chunks(4) {
        let mut bits = 0_u32;
        for letter in letters {
            bits = bits << 6 | u32::from(six_bits(*letter)?);
        }
        let [_, first, second, third] = (bits << (6 * (4 - letters.len()))).to_be_bytes();
        // One letter alone is less than a byte.
        let whole = letters.len().checked_sub(1).filter(|whole| *whole > 0)?;
        bytes.extend(&[first, second, third][..whole]);
    }
    Some(bytes)
}

fn six_bits(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
