//! Whether a JPEG file is complete. The decoder fills missing parts with grey, and nobody should pay for that.

use memchr::{memchr, memmem};

/// Start of scan: the pixels follow.
const SOS: u8 = 0xDA;

/// End of image. Within a scan's data a byte 0xFF is always followed by zero, so it cannot be mistaken there.
const EOI: [u8; 2] = [0xFF, 0xD9];

/// Whether an end of image comes after the first scan. Thumbnails inside the segments before it have ends of their own.
pub(super) fn is_complete(file: &[u8]) -> bool {
    scans(file).is_some_and(|scans| memmem::find(scans, &EOI).is_some())
}

/// Everything from the first scan on.
fn scans(file: &[u8]) -> Option<&[u8]> {
    let mut rest = file.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        // Skips anything that is not a marker, as the decoder does.
        rest = rest.get(memchr(0xFF, rest)? + 1..)?;
        let (&marker, after) = rest.split_first()?;
        match marker {
            // Any number of fill bytes may stand before a marker.
            0xFF => {}
            SOS => return Some(after),
            // These markers have no segment.
            0x00 | 0x01 | 0xD0..=0xD7 => rest = after,
            _ => {
                let length = u16::from_be_bytes([*after.first()?, *after.get(1)?]);
                rest = after.get(usize::from(length)..)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start, fill bytes, an application segment that holds `thumbnail`, a scan, `end`.
    fn file(thumbnail: &[u8], end: &[u8]) -> Vec<u8> {
        let length = u8::try_from(thumbnail.len() + 2).expect("a small thumbnail");
        [&[0xFF, 0xD8, 0xFF, 0xFF, 0xE1, 0, length], thumbnail, &[0xFF, SOS, 0, 2, 1, 0xFF, 0, 2], end].concat()
    }

    #[test]
    fn only_an_end_after_the_scan_is_the_end_of_the_picture() {
        assert!(is_complete(&file(&[7], &EOI)));
        assert!(is_complete(&file(&[7], &[0xFF, 0xD9, 5, 5, 5])), "trailing bytes are usual");
        assert!(!is_complete(&file(&[7], &[])));
        assert!(!is_complete(&file(&EOI, &[])), "the thumbnail's end is not the picture's");
    }

    #[test]
    fn any_piece_of_a_file_is_looked_at_without_a_panic() {
        let whole = file(&EOI, &EOI);
        for end in 0..whole.len() {
            assert!(!is_complete(&whole[..end]), "the first {end} bytes");
        }
    }
}
