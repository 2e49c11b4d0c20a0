//! Decodes the `name`, `filename` and `filename*` parameters (contract, section 1).

use super::{
    Malformed, encoded_word,
    encoding::{Charset, hex},
};
use memchr::memmem;

/// The text of a parameter in its plain form: encoded words are decoded first, then UTF-8, with U+FFFD for invalid
/// bytes.
///
/// Browsers send a quote in a name as `%22`. Their `%0D` and `%0A` stay as they are.
pub(super) fn decode(sent: &[u8]) -> Result<String, Malformed> {
    let text = if memmem::find(sent, b"=?").is_none() {
        String::from_utf8_lossy(sent)
    } else {
        String::from_utf8_lossy(&encoded_word::decode(sent)).into_owned().into()
    };
    visible(if text.contains("%22") { text.replace("%22", "\"") } else { text.into_owned() })
}

/// The file's name, from `filename` and `filename*`. The second counts if the first is absent or an encoded word: old
/// clients send it alone, and newer ones send it beside a word that no other reader decodes.
pub(super) fn file_name(plain: Option<&[u8]>, extended: Option<&[u8]>) -> Result<Option<String>, Malformed> {
    let extended = extended.filter(|_| plain.is_none_or(encoded_word::is_all_of)).and_then(decode_extended);
    match (extended, plain) {
        (Some(text), _) => visible(text).map(Some),
        (None, Some(plain)) => decode(plain).map(Some),
        (None, None) => Ok(None),
    }
}

/// `charset'language'text`, percent-encoded (RFC 5987). `None` if it cannot be decoded.
fn decode_extended(value: &[u8]) -> Option<String> {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let charset = Charset::named(charset)?;
    let bytes = percent_decode(encoded)?;
    match charset {
        Charset::Utf8 => String::from_utf8(bytes).ok(),
        Charset::Latin1 => Some(bytes.into_iter().map(char::from).collect()),
    }
}

fn percent_decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, behind) = match first {
            b'%' => (hex(behind.get(..2)?)?, &behind[2..]),
            0x80.. => return None,
            plain => (plain, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    Some(bytes)
}

/// Rejects a text that holds anything invisible or anything that ends a line for some reader: C0, DEL, C1, U+2028,
/// U+2029. A reader that drops such a character would see another name.
fn visible(text: String) -> Result<String, Malformed> {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.chars().any(hidden) { Err(Malformed) } else { Ok(text) }
}
