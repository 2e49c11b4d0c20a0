//! A JSON object (RFC 8259) whose members are read as they arrive.

use super::{MAX_NAME, lengthen, text};
use crate::domain::multipart::{Event, MAX_PARTS, Malformed};
use bytes::{Buf as _, Bytes};
use serde_json::Number;

/// Characters of the longest number or word.
const MAX_WORD: usize = 64;

/// How deep what is nested may go.
const MAX_DEPTH: usize = 64;

/// A body being parsed.
#[derive(Debug, Default)]
pub(super) struct Json {
    input: Bytes,
    state: State,
    name: Vec<u8>,
    members: usize,
}

#[derive(Debug, Default)]
enum State {
    /// Before the object.
    #[default]
    Start,
    /// Behind the opening brace (where the object may end), or behind a comma.
    Member {
        may_end: bool,
    },
    Name(Text),
    Colon,
    Value,
    Text(Text),
    /// A number, `true`, `false` or `null`.
    Word(Vec<u8>),
    Nested(Nesting),
    BehindValue,
    End,
}

/// A string, from its opening quote on.
#[derive(Debug, Default)]
enum Text {
    #[default]
    Plain,
    /// Behind a backslash.
    Escape,
    /// In the four digits behind `\u`, perhaps those that follow the first half of a pair.
    Digits { first: Option<u16>, value: u16, count: u8 },
    /// Behind the first half of a pair: a backslash, then `u`.
    Pair { first: u16, backslash: bool },
}

/// An object or an array inside the object.
#[derive(Debug, Default)]
struct Nesting {
    open: Vec<u8>,
    in_text: bool,
    escaped: bool,
}

/// What a step has found.
enum Step {
    Nothing,
    Event(Event),
}

impl Json {
    pub(super) fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.input.is_empty(), "events of the last chunk were left behind");
        self.input = chunk;
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::End)
    }

    pub(super) fn next_event(&mut self) -> Result<Option<Event>, Malformed> {
        while let Some(byte) = self.input.first().copied() {
            let step = match &mut self.state {
                State::Text(_) => self.text()?,
                State::Nested(_) => self.nested()?,
                State::Name(_) => {
                    self.name()?;
                    Step::Nothing
                }
                State::Word(word) if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                    word.push(byte);
                    self.input.advance(1);
                    if word.len() > MAX_WORD {
                        return Err(Malformed);
                    }
                    Step::Nothing
                }
                State::Word(_) => match self.word()? {
                    Some(events) => return Ok(Some(events)),
                    None => Step::Nothing,
                },
                State::Start | State::Member { .. } | State::Colon | State::Value | State::BehindValue | State::End => {
                    self.between(byte)?
                }
            };
            if let Step::Event(event) = step {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Blanks, and the signs between names and values.
    fn between(&mut self, byte: u8) -> Result<Step, Malformed> {
        if b" \t\r\n".contains(&byte) {
            self.input.advance(1);
            return Ok(Step::Nothing);
        }
        let (next, step) = match (&self.state, byte) {
            (State::Start, b'{') => (State::Member { may_end: true }, Step::Nothing),
            (State::Member { may_end: true } | State::BehindValue, b'}') => (State::End, Step::Nothing),
            (State::Member { .. }, b'"') => {
                self.name.clear();
                self.members += 1;
                if self.members > MAX_PARTS {
                    return Err(Malformed);
                }
                (State::Name(Text::default()), Step::Nothing)
            }
            (State::Colon, b':') => (State::Value, Step::Nothing),
            (State::BehindValue, b',') => (State::Member { may_end: false }, Step::Nothing),
            (State::Value, b'"') => (State::Text(Text::default()), Step::Event(text(&self.name))),
            (State::Value, b'{' | b'[') => {
                // It is read from its opening bracket on.
                self.state = State::Nested(Nesting::default());
                return Ok(Step::Event(text(&self.name)));
            }
            (State::Value, _) => {
                self.state = State::Word(Vec::new());
                return if byte.is_ascii_alphanumeric() || byte == b'-' { Ok(Step::Nothing) } else { Err(Malformed) };
            }
            _ => return Err(Malformed),
        };
        self.input.advance(1);
        self.state = next;
        Ok(step)
    }

    fn name(&mut self) -> Result<(), Malformed> {
        let State::Name(reader) = &mut self.state else { return Err(Malformed) };
        let mut read = Vec::new();
        let ended = reader.read(&mut self.input, &mut read)?;
        for byte in read.into_iter().take(MAX_NAME + 1) {
            lengthen(&mut self.name, byte);
        }
        if ended {
            self.state = State::Colon;
        }
        Ok(())
    }

    fn text(&mut self) -> Result<Step, Malformed> {
        let State::Text(reader) = &mut self.state else { return Err(Malformed) };
        let mut read = Vec::new();
        if reader.read(&mut self.input, &mut read)? {
            self.state = State::BehindValue;
        }
        Ok(if read.is_empty() { Step::Nothing } else { Step::Event(Event::Data(read.into())) })
    }

    /// A word ends at whatever cannot be a part of it. Its value follows its name in an event of its own.
    fn word(&mut self) -> Result<Option<Event>, Malformed> {
        let State::Word(word) = &mut self.state else { return Err(Malformed) };
        let word = std::mem::take(word);
        let is_value = match &word[..] {
            b"null" => false,
            b"true" | b"false" => true,
            number => {
                serde_json::from_slice::<Number>(number).map_err(|_| Malformed)?;
                true
            }
        };
        self.state = State::BehindValue;
        if !is_value {
            return Ok(None);
        }
        // The quote is put behind it, so that it is handed on like a text.
        let rest = std::mem::take(&mut self.input);
        self.input = [&word[..], b"\"", &rest[..]].concat().into();
        self.state = State::Text(Text::default());
        Ok(Some(text(&self.name)))
    }

    /// What is nested is handed on as it is written.
    fn nested(&mut self) -> Result<Step, Malformed> {
        let State::Nested(nesting) = &mut self.state else { return Err(Malformed) };
        let mut length = 0;
        let mut ended = false;
        for byte in &self.input {
            length += 1;
            ended = nesting.take(*byte)?;
            if ended {
                break;
            }
        }
        let read = self.input.split_to(length);
        if ended {
            self.state = State::BehindValue;
        }
        Ok(Step::Event(Event::Data(read)))
    }
}

impl Nesting {
    /// Whether this byte ends what is nested.
    fn take(&mut self, byte: u8) -> Result<bool, Malformed> {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return Ok(false);
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' if self.open.len() >= MAX_DEPTH => return Err(Malformed),
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                let opened = self.open.pop();
                if opened != Some(if byte == b'}' { b'{' } else { b'[' }) {
                    return Err(Malformed);
                }
            }
            _ => {}
        }
        Ok(self.open.is_empty())
    }
}

impl Text {
    /// Appends what the input says to `read`; whether the closing quote was reached.
    fn read(&mut self, input: &mut Bytes, read: &mut Vec<u8>) -> Result<bool, Malformed> {
        while let Some(byte) = input.first().copied() {
            if let Self::Plain = self {
                let length = memchr::memchr2(b'"', b'\\', input).unwrap_or(input.len());
                let plain = input.split_to(length);
                if plain.iter().any(|byte| *byte < b' ') {
                    return Err(Malformed);
                }
                read.extend_from_slice(&plain);
                match input.first() {
                    Some(b'"') => {
                        input.advance(1);
                        return Ok(true);
                    }
                    Some(_) => {
                        input.advance(1);
                        *self = Self::Escape;
                    }
                    None => {}
                }
                continue;
            }
            input.advance(1);
            *self = self.escaped(byte, read)?;
        }
        Ok(false)
    }

    /// What follows from the next byte of an escape.
    fn escaped(&self, byte: u8, read: &mut Vec<u8>) -> Result<Self, Malformed> {
        match (self, byte) {
            (Self::Escape, b'u') => Ok(Self::Digits { first: None, value: 0, count: 0 }),
            (Self::Escape, _) => {
                read.push(match byte {
                    b'"' | b'\\' | b'/' => byte,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    _ => return Err(Malformed),
                });
                Ok(Self::Plain)
            }
            (Self::Digits { first, value, count }, _) => {
                let digit =
                    char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()).ok_or(Malformed)?;
                let value = value << 4 | digit;
                if *count < 3 {
                    return Ok(Self::Digits { first: *first, value, count: count + 1 });
                }
                Self::unit(*first, value, read)
            }
            (Self::Pair { first, backslash: false }, b'\\') => Ok(Self::Pair { first: *first, backslash: true }),
            (Self::Pair { first, backslash: true }, b'u') => {
                Ok(Self::Digits { first: Some(*first), value: 0, count: 0 })
            }
            (Self::Plain | Self::Pair { .. }, _) => Err(Malformed),
        }
    }

    /// A unit of UTF-16, the second one of a pair if there is a `first`.
    fn unit(first: Option<u16>, unit: u16, read: &mut Vec<u8>) -> Result<Self, Malformed> {
        let units = first.into_iter().chain([unit]);
        match char::decode_utf16(units).next() {
            Some(Ok(character)) => {
                read.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                Ok(Self::Plain)
            }
            Some(Err(_)) if first.is_none() && (0xd800..0xdc00).contains(&unit) => {
                Ok(Self::Pair { first: unit, backslash: false })
            }
            _ => Err(Malformed),
        }
    }
}
