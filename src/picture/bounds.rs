//! Refuses what is known to become too large, before anything is computed or sent.

use super::{encode::foreseen_length, result_size};
use crate::domain::form::Output;

/// The limits on a picture and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Pixels of either.
    pub pixels: Option<u64>,
    /// Bytes of the answer, if it is made here. The length of a service's answer is not known beforehand: a BMP may
    /// have a palette, or be compressed.
    pub bytes: Option<u64>,
}

/// The limit that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// The picture, or its result.
    #[error("{pixels} pixels, at most {most} were agreed")]
    Pixels {
        /// Width × height.
        pixels: u64,
        /// The limit that applies.
        most: u64,
    },
    /// The answer's file.
    #[error("an answer of {bytes} bytes, at most {most} are kept")]
    Bytes {
        /// The whole file's.
        bytes: u64,
        /// The limit that applies.
        most: u64,
    },
}

impl Bounds {
    /// Judges an upright picture of `size`, in pixels, and what [`finish`](super::finish) makes of it.
    pub fn judge(self, size: (u32, u32), output: &Output) -> Result<(), TooMuch> {
        let result = result_size(size, output);
        if let Some(most) = self.pixels {
            let pixels = |(width, height)| u64::from(width) * u64::from(height);
            if let Some(pixels) = [size, result].into_iter().map(pixels).find(|pixels| *pixels > most) {
                return Err(TooMuch::Pixels { pixels, most });
            }
        }
        match (self.bytes, foreseen_length(result, output)) {
            (Some(most), Some(bytes)) if bytes > most => Err(TooMuch::Bytes { bytes, most }),
            _ => Ok(()),
        }
    }

    /// Judges by the size that a file's header states, before it is known whether EXIF turns the picture on its side. A
    /// picture that is processed here is refused only if it would be too large either way, because it is judged again
    /// once it is upright.
    pub fn judge_header(self, (width, height): (u32, u32), output: &Output) -> Result<(), TooMuch> {
        let as_it_lies = self.judge((width, height), output);
        if self.bytes.is_some() && self.judge((height, width), output).is_ok() { Ok(()) } else { as_it_lies }
    }
}
