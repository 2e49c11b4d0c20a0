//! PNG: signature, then an `IHDR` chunk of 13 bytes that begins with width and height, big-endian.
//!
//! A second `IHDR` before the picture's data makes the file corrupt: readers differ in which of the two they take.

use super::{Size, begins, bytes_at};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Length and name of the first chunk, which must be this one.
const FIRST_CHUNK: &[u8] = b"\0\0\0\x0dIHDR";

/// Bytes of the signature, and of the first chunk with its length, name and checksum.
const FIRST_CHUNKS_END: usize = 8 + 8 + 13 + 4;

/// A chunk's length and name in front of its data, and its checksum behind it.
const CHUNK_HEAD: usize = 8;
const CHECKSUM: u64 = 4;

pub(super) fn size(file: &[u8]) -> Size {
    if !begins(file.get(SIGNATURE.len()..).unwrap_or_default(), FIRST_CHUNK) {
        return Size::Corrupt;
    }
    let (Some(width), Some(height)) = (bytes_at(file, 16), bytes_at(file, 20)) else { return Size::NotYet };
    Size::Pixels { width: u32::from_be_bytes(width), height: u32::from_be_bytes(height) }
}

/// Walks a PNG's chunks from behind its size to its data, without keeping what it skips.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    size: Size,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// This many bytes before the next chunk.
    Skip(u64),
    /// In a chunk's length and name, with so many of their bytes read.
    Head { bytes: [u8; CHUNK_HEAD], read: usize },
    /// At the data, or at the end.
    Ended,
}

impl Walker {
    /// Behind so many bytes of a file, of which this was the size.
    pub(super) fn behind_size(size: Size, offset: usize) -> Self {
        Self { size, step: Step::Skip(FIRST_CHUNKS_END.saturating_sub(offset) as u64) }
    }

    /// Takes the next bytes of the file.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = match self.step {
                Step::Skip(0) => {
                    self.step = Step::Head { bytes: [0; CHUNK_HEAD], read: 0 };
                    bytes
                }
                Step::Skip(length) => {
                    let skipped = usize::try_from(length).map_or(bytes.len(), |length| length.min(bytes.len()));
                    self.step = Step::Skip(length - skipped as u64);
                    &bytes[skipped..]
                }
                Step::Head { bytes: mut head, read } => {
                    head[read] = first;
                    self.step = Step::Head { bytes: head, read: read + 1 };
                    if read + 1 == CHUNK_HEAD {
                        self.enter(head);
                    }
                    rest
                }
                Step::Ended => return,
            }
        }
    }

    /// The size as far as it is known.
    pub(super) fn size(&self) -> Size {
        self.size
    }

    fn enter(&mut self, [l0, l1, l2, l3, name @ ..]: [u8; CHUNK_HEAD]) {
        self.step = match &name {
            b"IDAT" | b"IEND" => Step::Ended,
            b"IHDR" => {
                self.size = Size::Corrupt;
                Step::Ended
            }
            _ => Step::Skip(u64::from(u32::from_be_bytes([l0, l1, l2, l3])) + CHECKSUM),
        };
    }
}
