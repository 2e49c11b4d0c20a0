//! Pictures in base64, by their first bytes.

use crate::domain::{
    base64::{DATA_ADDRESS, Decoder},
    image_header::ImageKind,
};

/// The longest signature ends within this many bytes.
const SIGNATURE: usize = 12;

/// Bytes of a text that are looked at, at most: the beginning of a `data:` address and a signature, broken into lines.
const ENOUGH: usize = 2 * DATA_ADDRESS;

/// Whether a text is a picture in base64, of either alphabet, broken into lines or not, in a `data:` address or not.
pub(super) fn is_picture(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let mut file = Vec::new();
    let decoded = Decoder::new().push(&text[..text.len().min(ENOUGH)], &mut file);
    // What follows a signature is not looked at.
    (decoded.is_ok() || file.len() >= SIGNATURE) && ImageKind::by_signature(&file).is_some()
}

/// Whether a JSON object, of which this is at least the beginning, has a string member that is a picture in base64. A
/// cut-off string counts as far as it is there.
pub(super) fn is_in_a_member(json: &[u8]) -> bool {
    let (mut rest, mut is_value) = (json, false);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => {
                let length = length_of_string(behind);
                let (string, behind) = behind.split_at(length);
                if is_value && is_picture(&unescaped_beginning(string)) {
                    return true;
                }
                is_value = false;
                rest = behind.get(1..).unwrap_or_default();
            }
            b':' => is_value = true,
            blank if blank.is_ascii_whitespace() => {}
            _ => is_value = false,
        }
    }
    false
}

/// The length up to its closing quote, or up to the end of the text.
fn length_of_string(json: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    json.len()
}

/// Enough of a JSON string to recognise a picture. It ends at an escape that base64 does not use.
fn unescaped_beginning(string: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = string;
    while let Some((&byte, behind)) = rest.split_first().filter(|_| plain.len() < ENOUGH) {
        let (meant, behind) = if byte == b'\\' { escaped(behind) } else { (Some(byte), behind) };
        let Some(meant) = meant else { break };
        plain.push(meant);
        rest = behind;
    }
    plain
}

/// The byte that follows from the text after a backslash, and the rest of the text.
fn escaped(json: &[u8]) -> (Option<u8>, &[u8]) {
    match json.split_first() {
        Some((b'/', behind)) => (Some(b'/'), behind),
        Some((b'n' | b'r' | b't', behind)) => (Some(b'\n'), behind),
        Some((b'u', behind)) => (hexadecimal(behind), behind.get(4..).unwrap_or_default()),
        _ => (None, &[]),
    }
}

/// The ASCII character that four hexadecimal digits stand for.
fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(digits.get(..4)?).ok()?;
    u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)
}
