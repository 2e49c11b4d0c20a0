//! An incremental parser for `multipart/form-data` (RFC 7578, RFC 2046): bytes in, events out.
//!
//! The data of a part is passed on in slices of the input, never copied. Only an unfinished header line, or the number
//! of bytes that may turn out to be a delimiter, waits for more input. Everything that a sender could make grow has a
//! bound here, except the length of a part, which the caller of this parser judges.

mod boundary;
mod encoded_word;
mod encoding;
mod head;
mod line;
mod names;
mod parameters;
#[cfg(test)]
mod tests;

pub use boundary::{Boundary, MAX_BOUNDARY};
pub use head::{MAX_HEAD_LINES, PartHead};
pub use line::MAX_HEAD;

use bytes::{Buf as _, Bytes};
use head::HeadReader;
use memchr::{memmem::Finder, memrchr};

/// Bytes in front of the first delimiter.
pub const MAX_PREAMBLE: usize = 1024;
/// Parts of one body.
pub const MAX_PARTS: usize = 1_000;

/// The bytes between a part's last byte and the dashes of the next delimiter.
const LINE_END: &[u8] = b"\r\n";

/// The body breaks its own framing, or exceeds a bound on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed multipart body")]
pub struct Malformed;

/// An event of a body, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins; its data follows.
    Part(PartHead),
    /// The next bytes of that part; never empty.
    Data(Bytes),
}

/// A body being parsed. Feed it, take events until there are none, feed it again.
#[derive(Debug)]
pub struct Multipart {
    /// CR LF, two dashes, the boundary. CR occurs in it once only, so that no second delimiter can begin inside it.
    delimiter: Bytes,
    finder: Finder<'static>,
    input: Bytes,
    state: State,
    preamble: usize,
    parts: usize,
}

#[derive(Debug)]
enum State {
    /// In the preamble or a part's data. The last `matched` bytes seen were a delimiter's first.
    Content { matched: usize },
    /// Behind a delimiter and so many dashes: two of them end the body.
    BehindDelimiter { dashes: usize },
    /// In the rest of the delimiter's line, or in the headers below it.
    Head(HeadReader),
    /// Behind the last delimiter. The rest has no meaning.
    Epilogue,
}

impl Multipart {
    /// A parser at the start of a body.
    #[must_use]
    pub fn new(boundary: &Boundary) -> Self {
        let delimiter = Bytes::from([LINE_END, b"--", boundary.as_bytes()].concat());
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            input: Bytes::new(),
            // A delimiter that the body starts with needs no line end in front of it.
            state: State::Content { matched: LINE_END.len() },
            preamble: 0,
            parts: 0,
        }
    }

    /// Gives the next bytes of the body. All events of those before must have been taken.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.input.is_empty(), "events of the last chunk were left behind");
        self.input = chunk;
    }

    /// The next event, or `None` if it needs more bytes than were fed. An error is final.
    pub fn next_event(&mut self) -> Result<Option<Event>, Malformed> {
        while let Some(&next) = self.input.first() {
            match &mut self.state {
                &mut State::Content { matched } => {
                    let data = self.content(matched);
                    if self.parts == 0 {
                        self.pass_preamble(&data)?;
                    } else if !data.is_empty() {
                        return Ok(Some(Event::Data(data)));
                    }
                }
                State::BehindDelimiter { dashes } => match (next, *dashes) {
                    (b'-', 0) => {
                        *dashes = 1;
                        self.input.advance(1);
                    }
                    (b'-', _) => self.state = State::Epilogue,
                    (_, 0) => self.begin_part()?,
                    (_, _) => return Err(Malformed),
                },
                State::Head(reader) => {
                    if let Some(head) = reader.read(&mut self.input)? {
                        self.state = State::Content { matched: 0 };
                        return Ok(Some(Event::Part(head)));
                    }
                }
                State::Epilogue => self.input.clear(),
            }
        }
        Ok(None)
    }

    /// Whether the last delimiter was seen: if the body ends now, it is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Epilogue)
    }

    /// Takes input up to the next delimiter, or as far as there can be none, and returns the content in it.
    fn content(&mut self, matched: usize) -> Bytes {
        if matched > 0 {
            return self.delimiter_continued(matched);
        }
        if let Some(at) = self.finder.find(&self.input) {
            let data = self.input.split_to(at);
            self.input.advance(self.delimiter.len());
            self.state = State::BehindDelimiter { dashes: 0 };
            return data;
        }
        let matched = self.delimiter_begun();
        self.state = State::Content { matched };
        let data = self.input.split_to(self.input.len() - matched);
        self.input.clear();
        data
    }

    /// Goes on with a delimiter that began in an earlier chunk. If it is none after all, its bytes were content.
    fn delimiter_continued(&mut self, matched: usize) -> Bytes {
        let missing = &self.delimiter[matched..];
        let length = missing.len().min(self.input.len());
        if self.input[..length] != missing[..length] {
            self.state = State::Content { matched: 0 };
            return self.delimiter.slice(..matched);
        }
        self.state = if length == missing.len() {
            State::BehindDelimiter { dashes: 0 }
        } else {
            State::Content { matched: matched + length }
        };
        self.input.advance(length);
        Bytes::new()
    }

    /// How many bytes at the end of the input may be the beginning of a delimiter.
    fn delimiter_begun(&self) -> usize {
        let tail = &self.input[self.input.len().saturating_sub(self.delimiter.len() - 1)..];
        let begun = memrchr(b'\r', tail).map_or(&[][..], |at| &tail[at..]);
        if self.delimiter.starts_with(begun) { begun.len() } else { 0 }
    }

    fn pass_preamble(&mut self, bytes: &Bytes) -> Result<(), Malformed> {
        self.preamble += bytes.len();
        if self.preamble > MAX_PREAMBLE { Err(Malformed) } else { Ok(()) }
    }

    fn begin_part(&mut self) -> Result<(), Malformed> {
        self.parts += 1;
        self.state = State::Head(HeadReader::default());
        if self.parts > MAX_PARTS { Err(Malformed) } else { Ok(()) }
    }
}
