//! A part's head: the rest of its delimiter's line, and its headers in any order.

use super::{Malformed, line::LineReader, parameters};
use bytes::Bytes;

/// Header lines of one part.
pub const MAX_HEAD_LINES: usize = 16;

/// What the headers of a part say. No text in it has a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The field's name.
    pub name: String,
    /// The file's name, if there is a `filename` parameter; `filename*` is none (RFC 7578, section 4.2).
    pub filename: Option<String>,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
}

/// Reads a head that may arrive in pieces. Of repeated headers and parameters the first one counts.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    lines: LineReader,
    read: usize,
    disposition: Option<Disposition>,
    content_type: Option<String>,
}

#[derive(Debug)]
struct Disposition {
    name: String,
    filename: Option<String>,
}

impl HeadReader {
    /// Takes lines off the input; the head, once its empty last line was among them.
    pub(super) fn read(&mut self, input: &mut Bytes) -> Result<Option<PartHead>, Malformed> {
        while let Some(line) = self.lines.next(input)? {
            match self.read {
                0 if line.iter().all(|byte| b" \t".contains(byte)) => {}
                0 => return Err(Malformed),
                _ if line.is_empty() => return self.complete().map(Some),
                1..=MAX_HEAD_LINES => self.header(&line)?,
                _ => return Err(Malformed),
            }
            self.read += 1;
        }
        Ok(None)
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = memchr::memchr(b':', line).ok_or(Malformed)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed);
        }
        if name.eq_ignore_ascii_case(b"content-disposition") && self.disposition.is_none() {
            self.disposition = Some(Disposition::parse(value)?);
        } else if name.eq_ignore_ascii_case(b"content-type") && self.content_type.is_none() {
            self.content_type = Some(String::from_utf8_lossy(value).into_owned());
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<PartHead, Malformed> {
        let Disposition { name, filename } = self.disposition.take().ok_or(Malformed)?;
        Ok(PartHead { name, filename, content_type: self.content_type.take() })
    }
}

impl Disposition {
    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let (kind, parameters) = parameters::split(value);
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err(Malformed);
        }
        let (mut name, mut filename) = (None, None);
        for parameter in parameters {
            let (key, value) = parameter?;
            if key.eq_ignore_ascii_case(b"name") {
                name.get_or_insert_with(|| text(&value));
            } else if key.eq_ignore_ascii_case(b"filename") {
                filename.get_or_insert_with(|| text(&value));
            }
        }
        Ok(Self { name: name.ok_or(Malformed)?, filename })
    }
}

/// Browsers send a quote in a name as `%22`. Their `%0D` and `%0A` stay as they are: nothing here may end a line.
fn text(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    if text.contains("%22") { text.replace("%22", "\"") } else { text.into_owned() }
}
