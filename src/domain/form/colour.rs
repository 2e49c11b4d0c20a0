//! Colours as the contract writes them.

mod names;

use super::Rgba;
use names::NAMED;
use std::fmt;

const OPAQUE: u32 = 0xff;

impl fmt::Display for Rgba {
    /// As the contract writes it, with all eight digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { r, g, b, a } = self;
        write!(f, "#{r:02x}{g:02x}{b:02x}{a:02x}")
    }
}

impl Rgba {
    /// Reads `#RGB`, `#RGBA`, `#RRGGBB`, `#RRGGBBAA` or a name that CSS knows, in any case; `None` if it is none of them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('#') {
            Some(digits) => Self::from_hex(digits),
            None if text.eq_ignore_ascii_case("transparent") => Some(Self::from_bits(0)),
            None => Self::named(&text.to_ascii_lowercase()),
        }
    }

    fn from_hex(digits: &str) -> Option<Self> {
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let bits = u32::from_str_radix(digits, 16).ok()?;
        match digits.len() {
            3 => Some(Self::from_bits(doubled(bits << 4 | OPAQUE & 0xf))),
            4 => Some(Self::from_bits(doubled(bits))),
            6 => Some(Self::from_bits(bits << 8 | OPAQUE)),
            8 => Some(Self::from_bits(bits)),
            _ => None,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let at = NAMED.binary_search_by_key(&name, |(name, _)| name).ok()?;
        Self::from_hex(NAMED[at].1)
    }

    /// From `0xRRGGBBAA`.
    fn from_bits(bits: u32) -> Self {
        let [r, g, b, a] = bits.to_be_bytes();
        Self { r, g, b, a }
    }
}

/// Each of four digits twice: `#1af8` is short for `#11aaff88`.
fn doubled(digits: u32) -> u32 {
    (0..4).map(|at| ((digits >> (4 * at)) & 0xf) * (0x11 << (8 * at))).sum()
}
