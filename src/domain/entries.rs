//! The named values of a body, in whichever of three ways it is written: `multipart/form-data`,
//! `application/x-www-form-urlencoded` or a JSON object. Bytes in, events out; no value is held whole.

mod json;
#[cfg(test)]
mod tests;
mod urlencoded;

use super::multipart::{Boundary, Event, Malformed, Multipart, PartHead};
use bytes::Bytes;
use json::Json;
use urlencoded::Urlencoded;

/// Bytes of the longest name that is read. A longer one is cut, so that it is none that anybody knows.
const MAX_NAME: usize = 256;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `multipart/form-data`; its values may be files.
    Multipart,
    /// `application/x-www-form-urlencoded`
    Urlencoded,
    /// `application/json`. Members are texts, numbers or booleans; what is nested is handed on as it is written, and `null` is
    /// no value.
    Json,
    /// Anything else: it has no values.
    Other,
}

/// A body being parsed. Feed it, take events until there are none, feed it again.
#[derive(Debug)]
pub struct Entries {
    parser: Parser,
}

#[derive(Debug)]
enum Parser {
    Multipart(Box<Multipart>),
    Urlencoded(Urlencoded),
    Json(Json),
    Other,
}

impl Entries {
    /// A parser for a body of this `Content-Type`.
    pub fn new(content_type: Option<&str>) -> Result<Self, Malformed> {
        let content_type = content_type.unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        let parser = if is("application/json") {
            Parser::Json(Json::default())
        } else if is("application/x-www-form-urlencoded") {
            Parser::Urlencoded(Urlencoded::default())
        } else {
            match Boundary::announced(content_type)? {
                Some(boundary) => Parser::Multipart(Box::new(Multipart::new(&boundary))),
                None => Parser::Other,
            }
        };
        Ok(Self { parser })
    }

    /// How the body is written.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        match self.parser {
            Parser::Multipart(_) => Encoding::Multipart,
            Parser::Urlencoded(_) => Encoding::Urlencoded,
            Parser::Json(_) => Encoding::Json,
            Parser::Other => Encoding::Other,
        }
    }

    /// Gives the next bytes of the body. All events of those before must have been taken.
    pub fn feed(&mut self, chunk: Bytes) {
        match &mut self.parser {
            Parser::Multipart(parser) => parser.feed(chunk),
            Parser::Urlencoded(parser) => parser.feed(chunk),
            Parser::Json(parser) => parser.feed(chunk),
            Parser::Other => {}
        }
    }

    /// The next event, or `None` if it needs more bytes than were fed. An error is final.
    pub fn next_event(&mut self) -> Result<Option<Event>, Malformed> {
        match &mut self.parser {
            Parser::Multipart(parser) => parser.next_event(),
            Parser::Urlencoded(parser) => parser.next_event(),
            Parser::Json(parser) => parser.next_event(),
            Parser::Other => Ok(None),
        }
    }

    /// The events that only the end of the body brings. An error if the body cannot end here.
    pub fn finish(&mut self) -> Result<Vec<Event>, Malformed> {
        let is_complete = match &mut self.parser {
            Parser::Multipart(parser) => parser.is_complete(),
            Parser::Urlencoded(parser) => return Ok(parser.finish()),
            Parser::Json(parser) => parser.is_complete(),
            Parser::Other => true,
        };
        if is_complete { Ok(Vec::new()) } else { Err(Malformed) }
    }
}

/// The head of a value that is a text.
fn text(name: &[u8]) -> Event {
    let name = String::from_utf8_lossy(name).into_owned();
    Event::Part(PartHead { name, filename: None, content_type: None })
}

/// Adds a byte to a name, as long as it is one that somebody may know.
fn lengthen(name: &mut Vec<u8>, byte: u8) {
    if name.len() <= MAX_NAME {
        name.push(byte);
    }
}
