//! Pictures in base64, by their first bytes.

use crate::domain::image_header::ImageKind;

/// The longest signature ends within this many bytes.
const SIGNATURE: usize = 12;

/// The longest beginning of a `data:` address that is looked through.
const DATA_ADDRESS: usize = 128;

/// Bytes of a JSON string that are unescaped at most: a `data:` address and a signature, broken into lines.
const ENOUGH: usize = 2 * DATA_ADDRESS;

/// Whether a text is a picture in base64, of either alphabet, broken into lines or not, in a `data:` address or not.
pub(super) fn is_picture(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let code = if text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"data:")) {
        match in_data_address(text) {
            Some(code) => code,
            None => return false,
        }
    } else {
        text
    };
    decoded_beginning(code).is_some_and(|file| ImageKind::by_signature(&file).is_some())
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

/// The content of a `data:` address, if that is base64.
fn in_data_address(address: &[u8]) -> Option<&[u8]> {
    let comma = address.iter().take(DATA_ADDRESS).position(|byte| *byte == b',')?;
    let (head, code) = address.split_at(comma);
    let is_base64 = head.len() >= 7 && head[head.len() - 7..].eq_ignore_ascii_case(b";base64");
    is_base64.then(|| &code[1..])
}

/// As many bytes as a signature may need; `None` if the text is not base64 that far.
fn decoded_beginning(code: &[u8]) -> Option<Vec<u8>> {
    let mut file = Vec::with_capacity(SIGNATURE + 1);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in code.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        if file.len() >= SIGNATURE || *byte == b'=' {
            break;
        }
        bits = (bits << 6 | u32::from(six_bits(*byte)?)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            file.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(file)
}

fn six_bits(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
