//! WebP: a RIFF container whose first chunk states the size, in one of three ways.

use super::{Size, begins, bytes_at};

pub(super) const SIGNATURE: &[u8] = b"RIFF";

/// Behind the container's length.
const FORM_TYPE: &[u8] = b"WEBP";

/// The bytes in front of the size in a lossy key frame.
const START_CODE: &[u8] = b"\x9d\x01\x2a";

/// The first byte of a lossless picture.
const LOSSLESS_SIGNATURE: &[u8] = b"\x2f";

/// Sizes of single pictures have 14 bits; the two above them in VP8 tell how to scale for display.
const SIZE_BITS: u32 = 0x3fff;

/// Whether a file begins as the container, and as one of a picture.
pub(super) fn is_signature(file: &[u8]) -> bool {
    file.starts_with(SIGNATURE) && at(file, 8).starts_with(FORM_TYPE)
}

pub(super) fn size(file: &[u8]) -> Size {
    if !begins(at(file, 8), FORM_TYPE) {
        return Size::Corrupt;
    }
    match file.get(12..16) {
        None => Size::NotYet,
        Some(b"VP8 ") => lossy(file),
        Some(b"VP8L") => lossless(file),
        Some(b"VP8X") => extended(file),
        Some(_) => Size::Corrupt,
    }
}

fn lossy(file: &[u8]) -> Size {
    if !begins(at(file, 23), START_CODE) {
        return Size::Corrupt;
    }
    let (Some(width), Some(height)) = (bytes_at(file, 26), bytes_at(file, 28)) else { return Size::NotYet };
    Size::Pixels {
        width: u32::from(u16::from_le_bytes(width)) & SIZE_BITS,
        height: u32::from(u16::from_le_bytes(height)) & SIZE_BITS,
    }
}

fn lossless(file: &[u8]) -> Size {
    if !begins(at(file, 20), LOSSLESS_SIGNATURE) {
        return Size::Corrupt;
    }
    let Some(bits) = bytes_at(file, 21).map(u32::from_le_bytes) else { return Size::NotYet };
    Size::Pixels { width: (bits & SIZE_BITS) + 1, height: (bits >> 14 & SIZE_BITS) + 1 }
}

/// The canvas; the backend finds out whether its frames fit.
fn extended(file: &[u8]) -> Size {
    let (Some([w0, w1, w2]), Some([h0, h1, h2])) = (bytes_at(file, 24), bytes_at(file, 27)) else {
        return Size::NotYet;
    };
    Size::Pixels { width: u32::from_le_bytes([w0, w1, w2, 0]) + 1, height: u32::from_le_bytes([h0, h1, h2, 0]) + 1 }
}

/// The file's bytes from `offset` on; none as long as it is shorter.
fn at(file: &[u8], offset: usize) -> &[u8] {
    file.get(offset..).unwrap_or_default()
}
