//! A part's head: the rest of its delimiter's line, and its headers in any order.

use super::{Malformed, line::LineReader, names, parameters};
use bytes::Bytes;

/// Header lines of one part, the folded ones counted singly.
pub const MAX_HEAD_LINES: usize = 16;

/// The headers of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The field's name, decoded; has no control character.
    pub name: String,
    /// The file's name, decoded and without control characters, if there is one of either kind that can be read.
    pub filename: Option<String>,
    /// `Content-Type`, as sent.
    pub content_type: Option<String>,
}

/// Reads a head that may arrive in pieces. Of repeated headers and parameters the first one counts.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    lines: LineReader,
    read: usize,
    /// The last header, which the next line may go on with.
    header: Bytes,
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
                _ if line.is_empty() => {
                    self.header_ended()?;
                    return self.complete().map(Some);
                }
                1..=MAX_HEAD_LINES if line.starts_with(b" ") || line.starts_with(b"\t") => self.go_on(&line)?,
                1..=MAX_HEAD_LINES => {
                    self.header_ended()?;
                    self.header = line;
                }
                _ => return Err(Malformed),
            }
            self.read += 1;
        }
        Ok(None)
    }

    /// A folded header: the line end and the blanks behind it stand for one blank.
    fn go_on(&mut self, line: &[u8]) -> Result<(), Malformed> {
        if self.header.is_empty() {
            return Err(Malformed);
        }
        self.header = [&self.header[..], b" ", line.trim_ascii_start()].concat().into();
        Ok(())
    }

    fn header_ended(&mut self) -> Result<(), Malformed> {
        let line = std::mem::take(&mut self.header);
        if line.is_empty() {
            return Ok(());
        }
        let colon = memchr::memchr(b':', &line).ok_or(Malformed)?;
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
    /// `name*` does not count as a name, because no reader of forms takes it for one.
    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let (kind, parameters) = parameters::split(value);
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err(Malformed);
        }
        let (mut name, mut filename, mut extended) = (None, None, None);
        for parameter in parameters {
            let (key, value) = parameter?;
            if key.eq_ignore_ascii_case(b"name") {
                name.get_or_insert(value);
            } else if key.eq_ignore_ascii_case(b"filename") {
                filename.get_or_insert(value);
            } else if key.eq_ignore_ascii_case(b"filename*") {
                extended.get_or_insert(value);
            }
        }
        Ok(Self {
            name: names::decode(&name.ok_or(Malformed)?)?,
            filename: names::file_name(filename.as_deref(), extended.as_deref())?,
        })
    }
}
