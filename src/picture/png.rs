//! The chunks before the pixels of a PNG.

/// The data of the first chunk of this kind before the pixels, if there is one. Each chunk is length, kind, data and
/// checksum; they follow a signature of eight bytes. Checksums are not verified.
pub(super) fn chunk(file: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    let mut rest = file.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    loop {
        let (length, after) = rest.split_first_chunk()?;
        let (found, data) = after.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if *found == kind {
            return data.get(..length);
        }
        if found == b"IDAT" {
            return None;
        }
        rest = data.get(length.checked_add(4)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::chunk;

    const FILE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x02aaaaxy....\0\0\0\0bbbb....\0\0\0\x01IDATz....\0\0\0\0cccc....";

    #[test]
    fn a_chunk_before_the_pixels_is_found_by_its_kind() {
        assert_eq!(chunk(FILE, *b"aaaa"), Some(&b"xy"[..]));
        assert_eq!(chunk(FILE, *b"bbbb"), Some(&b""[..]));
        assert_eq!(chunk(FILE, *b"cccc"), None, "it stands behind the pixels");
        assert_eq!(chunk(b"\xff\xd8\xff", *b"aaaa"), None);
    }

    #[test]
    fn any_piece_of_a_file_and_any_length_is_looked_at_without_a_panic() {
        for end in 0..FILE.len() {
            let found = chunk(&FILE[..end], *b"bbbb");
            assert!(found.is_none_or(<[u8]>::is_empty), "the first {end} bytes");
        }
        assert_eq!(chunk(b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffaaaaxy....", *b"bbbb"), None);
    }
}
