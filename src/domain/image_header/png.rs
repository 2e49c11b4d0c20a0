//! PNG: signature, then an `IHDR` chunk of 13 bytes that begins with width and height, big-endian.

use super::{Size, begins, bytes_at};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Length and name of the first chunk, which must be this one.
const FIRST_CHUNK: &[u8] = b"\0\0\0\x0dIHDR";

pub(super) fn size(file: &[u8]) -> Size {
    if !begins(file.get(SIGNATURE.len()..).unwrap_or_default(), FIRST_CHUNK) {
        return Size::Corrupt;
    }
    let (Some(width), Some(height)) = (bytes_at(file, 16), bytes_at(file, 20)) else { return Size::NotYet };
    Size::Pixels { width: u32::from_be_bytes(width), height: u32::from_be_bytes(height) }
}
