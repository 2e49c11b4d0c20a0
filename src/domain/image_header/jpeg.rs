//! JPEG: a walk over markers and segments to the frame header, wherever it lies, and on to the end of the image.
//!
//! A second frame header before that end makes the file corrupt: readers differ in which of the two they take. What
//! follows the end is no part of the image, though cameras put more images there (MPO, gain maps).

use super::Size;
use memchr::memchr;

/// Start of image, and the first byte of the next marker.
pub(super) const SIGNATURE: &[u8] = b"\xff\xd8\xff";

/// Every marker's first byte; more of them may come before the second.
const MARKER: u8 = 0xff;

/// Start of image, end of image, start of scan.
const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// The bytes of a frame header that are read: sample precision, height and width.
const FRAME_BYTES: usize = 5;

/// A segment's length counts its own two bytes.
const LENGTH_BYTES: u16 = 2;

/// Walks a JPEG from behind [`SIGNATURE`], without keeping what it skips.
#[derive(Clone, Debug)]
pub(super) struct Walker {
    step: Step,
    /// The content of the frame header, once it was read.
    frame: Option<Size>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// To the next marker, past anything in between, as decoders do. Scans are skipped in this way.
    Marker,
    /// At a marker's second byte.
    Code,
    /// At the first byte of a segment's length.
    LengthHigh { code: u8 },
    /// At the second byte of a segment's length.
    LengthLow { code: u8, high: u8 },
    /// This many bytes before the next marker.
    Skip(usize),
    /// In the frame header, with so many of its bytes read, and so many of its segment behind them.
    Frame { bytes: [u8; FRAME_BYTES], read: usize, rest: usize },
    /// Behind the image.
    Ended,
    /// The file is no JPEG, or none whose size can be read.
    Corrupt,
}

impl Walker {
    /// At the second byte of the first marker after the start of the image.
    pub(super) fn behind_signature() -> Self {
        Self { step: Step::Code, frame: None }
    }

    /// Takes the next bytes of the file. The size may be known before it is known that there is only one.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = match self.step {
                Step::Marker => match code_at(bytes) {
                    Some(at) => {
                        self.step = Step::Code;
                        &bytes[at..]
                    }
                    None => &[],
                },
                Step::Skip(length) => {
                    let skipped = length.min(bytes.len());
                    self.step = skip(length - skipped);
                    &bytes[skipped..]
                }
                Step::Code => {
                    self.step = self.after_code(first);
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
                Step::Frame { bytes: mut frame, read, rest: behind } => {
                    frame[read] = first;
                    self.step = if read + 1 < FRAME_BYTES {
                        Step::Frame { bytes: frame, read: read + 1, rest: behind }
                    } else {
                        self.frame = Some(frame_size(frame));
                        skip(behind)
                    };
                    rest
                }
                Step::Ended | Step::Corrupt => return,
            }
        }
    }

    /// The size as far as it is known.
    pub(super) fn size(&self) -> Size {
        if matches!(self.step, Step::Corrupt) { Size::Corrupt } else { self.frame.unwrap_or(Size::NotYet) }
    }

    /// The part of the file that follows a marker's second byte.
    fn after_code(&self, code: u8) -> Step {
        match code {
            MARKER => Step::Code,
            // Stuffing, TEM and RSTn stand alone.
            0x00 | 0x01 | 0xd0..=0xd7 => Step::Marker,
            // Another start, the end, or the scan: the frame header was to come before any of them.
            START | END | SCAN if self.frame.is_none() => Step::Corrupt,
            START => Step::Marker,
            END => Step::Ended,
            code if is_frame(code) && self.frame.is_some() => Step::Corrupt,
            code => Step::LengthHigh { code },
        }
    }
}

/// Where the next marker's second byte is, or will be; a stuffed byte of a scan is none.
fn code_at(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr(MARKER, &bytes[from..])? + 1;
        if bytes.get(at) != Some(&0) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn after_length(code: u8, length: u16) -> Step {
    let Some(length) = length.checked_sub(LENGTH_BYTES).map(usize::from) else { return Step::Corrupt };
    if !is_frame(code) {
        return skip(length);
    }
    match length.checked_sub(FRAME_BYTES) {
        Some(rest) => Step::Frame { bytes: [0; FRAME_BYTES], read: 0, rest },
        None => Step::Corrupt,
    }
}

fn skip(length: usize) -> Step {
    if length == 0 { Step::Marker } else { Step::Skip(length) }
}

/// SOF0–15 but for DHT, JPG and DAC, which share their range.
fn is_frame(code: u8) -> bool {
    matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc)
}

/// A height of zero would be stated after the first scan (DNL). No reader supports that, so it is not a size.
fn frame_size([_precision, h0, h1, w0, w1]: [u8; FRAME_BYTES]) -> Size {
    Size::Pixels { width: u16::from_be_bytes([w0, w1]).into(), height: u16::from_be_bytes([h0, h1]).into() }
}
