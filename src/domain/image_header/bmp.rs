//! BMP: 14 bytes of file header, then a header whose own length tells its layout.

use super::{Size, bytes_at};

pub(super) const SIGNATURE: &[u8] = b"BM";

/// OS/2 1.x: sizes are unsigned and 16 bits wide.
const CORE_HEADER: u32 = 12;

/// OS/2 2.x short and long, Windows 3 with and without masks, 4 and 5: sizes are signed and 32 bits wide.
const LONG_HEADERS: [u32; 7] = [16, 40, 52, 56, 64, 108, 124];

pub(super) fn size(file: &[u8]) -> Size {
    match bytes_at(file, 14).map(u32::from_le_bytes) {
        None => Size::NotYet,
        Some(CORE_HEADER) => core_size(file),
        Some(length) if LONG_HEADERS.contains(&length) => long_size(file),
        Some(_) => Size::Corrupt,
    }
}

fn core_size(file: &[u8]) -> Size {
    let (Some(width), Some(height)) = (bytes_at(file, 18), bytes_at(file, 20)) else { return Size::NotYet };
    Size::Pixels { width: u16::from_le_bytes(width).into(), height: u16::from_le_bytes(height).into() }
}

/// A negative height means that the rows come from top to bottom.
fn long_size(file: &[u8]) -> Size {
    let (Some(width), Some(height)) = (bytes_at(file, 18), bytes_at(file, 22)) else { return Size::NotYet };
    let width = u32::try_from(i32::from_le_bytes(width));
    let height = i32::from_le_bytes(height).checked_abs().map(i32::unsigned_abs);
    match (width, height) {
        (Ok(width), Some(height)) => Size::Pixels { width, height },
        _ => Size::Corrupt,
    }
}
