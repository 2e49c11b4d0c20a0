//! JPEG: a walk over markers and segments to the frame header, wherever it lies.

use super::Size;
use memchr::memchr;

/// Start of image, and the first byte of the next marker.
pub(super) const SIGNATURE: &[u8] = b"\xff\xd8\xff";

/// Every marker's first byte; more of them may come before the second.
const MARKER: u8 = 0xff;

/// Sample precision, height and width: what is read of a frame header.
const FRAME_BYTES: usize = 5;

/// A segment's length counts its own two bytes.
const LENGTH_BYTES: u16 = 2;

/// Walks a JPEG from behind [`SIGNATURE`], without keeping what it skips.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// To the next marker, over anything in between, as decoders do.
    Marker,
    /// At a marker's second byte.
    Code,
    /// At the first byte of a segment's length.
    LengthHigh { code: u8 },
    /// At the second byte of a segment's length.
    LengthLow { code: u8, high: u8 },
    /// This many bytes before the next marker.
    Skip(usize),
    /// In the frame header, with so many of its bytes read.
    Frame { bytes: [u8; FRAME_BYTES], read: usize },
    /// The file is no JPEG, or none whose size can be read.
    Corrupt,
}

impl Walker {
    /// At the second byte of the first marker after the start of the image.
    pub(super) fn behind_signature() -> Self {
        Self { step: Step::Code }
    }

    /// Takes the next bytes of the file. Not to be called any more once the size is known.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Size {
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = match self.step {
                Step::Marker => memchr(MARKER, bytes).map_or(&[], |at| {
                    self.step = Step::Code;
                    &bytes[at + 1..]
                }),
                Step::Skip(length) => {
                    let skipped = length.min(bytes.len());
                    self.step = skip(length - skipped);
                    &bytes[skipped..]
                }
                Step::Code => {
                    self.step = after_code(first);
                    rest
                }
                Step::LengthHigh { code } => {
                    self.step = Step::LengthLow { code, high: first };
                    rest
                }
                Step::LengthLow { code, high } => {
                    self.step = after_length(code, u16::from_be_bytes([high, first]));
                    rest
                }
                Step::Frame { bytes: mut frame, read } => {
                    frame[read] = first;
                    if read + 1 == FRAME_BYTES {
                        return frame_size(frame);
                    }
                    self.step = Step::Frame { bytes: frame, read: read + 1 };
                    rest
                }
                Step::Corrupt => return Size::Corrupt,
            }
        }
        if matches!(self.step, Step::Corrupt) { Size::Corrupt } else { Size::NotYet }
    }
}

/// What follows a marker's second byte.
fn after_code(code: u8) -> Step {
    match code {
        MARKER => Step::Code,
        // Stuffing, TEM and RSTn stand alone.
        0x00 | 0x01 | 0xd0..=0xd7 => Step::Marker,
        // Another start, the end, or the scan: the frame header was to come before any of them.
        0xd8..=0xda => Step::Corrupt,
        code => Step::LengthHigh { code },
    }
}

fn after_length(code: u8, length: u16) -> Step {
    match length.checked_sub(LENGTH_BYTES).map(usize::from) {
        None => Step::Corrupt,
        Some(FRAME_BYTES..) if is_frame(code) => Step::Frame { bytes: [0; FRAME_BYTES], read: 0 },
        Some(_) if is_frame(code) => Step::Corrupt,
        Some(length) => skip(length),
    }
}

fn skip(length: usize) -> Step {
    if length == 0 { Step::Marker } else { Step::Skip(length) }
}

/// SOF0–15 but for DHT, JPG and DAC, which share their range.
fn is_frame(code: u8) -> bool {
    matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc)
}

/// A height of zero would be told after the first scan (DNL): nobody reads that, and so it is no size.
fn frame_size([_precision, h0, h1, w0, w1]: [u8; FRAME_BYTES]) -> Size {
    Size::Pixels { width: u16::from_be_bytes([w0, w1]).into(), height: u16::from_be_bytes([h0, h1]).into() }
}
