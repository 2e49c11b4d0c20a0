//! API keys: the form of ours, so that a typo is found without a look-up, and the form of others that are accepted.
//!
//! Ours: `rgw_live_`, 30 random base62 digits (178 bits), then the CRC-32 of all that as 6 base62 digits. Secret scanners
//! find the prefix; double-click selects the whole. Keys of other makers, such as the UUIDs of rembg.com, have no
//! checksum and are taken as they are.

use crate::random::{NoRandomness, base62_digit, base62_text};
use secrecy::{ExposeSecret as _, SecretString};

/// The prefix of every key that this gateway makes.
pub const PREFIX: &str = "rgw_live_";

/// How many characters a key of another maker has.
pub const FOREIGN_LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

const RANDOM_DIGITS: usize = 30;
const CHECK_DIGITS: usize = 6;

/// A new key. It is shown to its owner once; the gateway keeps only its hash.
pub fn generate() -> Result<SecretString, NoRandomness> {
    let mut key = format!("{PREFIX}{}", base62_text(RANDOM_DIGITS)?);
    key.push_str(&check_digits(&key));
    Ok(key.into())
}

/// Whether this can be a key at all, judged without a look-up: for ours the checksum decides; others are 16 to 256
/// printable ASCII characters without spaces.
#[must_use]
pub fn has_valid_shape(key: &SecretString) -> bool {
    let key = key.expose_secret();
    if !key.starts_with(PREFIX) {
        return FOREIGN_LENGTH.contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    }
    let body = key.len().checked_sub(CHECK_DIGITS).and_then(|split| key.split_at_checked(split));
    body.is_some_and(|(body, check)| body.len() == PREFIX.len() + RANDOM_DIGITS && check == check_digits(body))
}

/// The part of a key that lists show: our prefix, if it has it, and its last four characters.
#[must_use]
pub fn hint(key: &SecretString) -> String {
    let key = key.expose_secret();
    let prefix = if key.starts_with(PREFIX) { PREFIX } else { "" };
    let tail = key.len().checked_sub(4).and_then(|start| key.get(start..)).unwrap_or_default();
    format!("{prefix}…{tail}")
}

fn check_digits(body: &str) -> String {
    let mut rest = crc32(body.as_bytes());
    let mut digits = ['0'; CHECK_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = base62_digit(rest);
        rest /= 62;
    }
    digits.iter().collect()
}

/// CRC-32 as in gzip and PNG, bit by bit: a key is 39 bytes.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid(key: &str) -> bool {
        has_valid_shape(&key.into())
    }

    #[test]
    fn the_checksum_is_the_usual_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_new_key_is_valid_and_every_typo_in_it_is_not() {
        let key = generate().unwrap();
        let key = key.expose_secret();
        assert_eq!(key.len(), 45);
        assert!(valid(key));
        for at in PREFIX.len()..key.len() {
            let other = if key.as_bytes()[at] == b'x' { "y" } else { "x" };
            let typo = format!("{}{other}{}", &key[..at], &key[at + 1..]);
            assert!(!valid(&typo), "{at}");
        }
        for cut in [&key[..44], &key[..9], &format!("{key}0")] {
            assert!(!valid(cut), "{} characters", cut.len());
        }
    }

    #[test]
    fn keys_made_by_an_earlier_version_stay_valid() {
        assert!(valid("rgw_live_0123456789ABCDEFGHIJKLMNOPQRST3kyIaJ"));
    }

    #[test]
    fn keys_of_other_makers_are_taken_as_they_are() {
        for key in ["6f1c2a34-9b7e-4c55-8a10-0f3d5e7c9b21", "sixteen-letters!", &"k".repeat(256)] {
            assert!(valid(key), "{key}");
        }
        for key in ["", "fifteen-letters", "sixteen letters!", "sixteen-lettersé", &"k".repeat(257)] {
            assert!(!valid(key), "{key}");
        }
    }

    #[test]
    fn a_hint_shows_four_characters_of_the_secret() {
        assert_eq!(hint(&"rgw_live_0123456789ABCDEFGHIJKLMNOPQRST000000".into()), "rgw_live_…0000");
        assert_eq!(hint(&"6f1c2a34-9b7e-4c55-8a10-0f3d5e7c9b21".into()), "…9b21");
    }
}
