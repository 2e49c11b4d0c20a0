//! The lines of a part's head, which may arrive in pieces.

use super::Malformed;
use bytes::Bytes;
use memchr::memchr;

/// Bytes of one part's headers, line ends and the rest of the delimiter's line included.
pub const MAX_HEAD: usize = 8 * 1024;

/// Reads lines up to [`MAX_HEAD`] bytes in all.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    unfinished: Vec<u8>,
    length: usize,
}

impl LineReader {
    /// The next line without its end, or `None` if the input has no more whole lines. A line ends with CR LF, never with
    /// LF alone, and has no control character in it but the tab.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Malformed> {
        let end = memchr(b'\n', input);
        let piece = input.split_to(end.map_or(input.len(), |at| at + 1));
        self.length += piece.len();
        if self.length > MAX_HEAD {
            return Err(Malformed);
        }
        if end.is_none() {
            self.unfinished.extend_from_slice(&piece);
            return Ok(None);
        }
        let mut line = piece;
        if !self.unfinished.is_empty() {
            self.unfinished.extend_from_slice(&line);
            line = Bytes::from(std::mem::take(&mut self.unfinished));
        }
        let text = line.strip_suffix(b"\r\n").ok_or(Malformed)?;
        if text.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(Malformed);
        }
        line.truncate(text.len());
        Ok(Some(line))
    }
}
