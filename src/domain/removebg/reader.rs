//! Reads a body into an order as it arrives.

use super::{
    Order, Source,
    file::FileCheck,
    parameters::{self, NAMES, Texts},
};
use crate::domain::{
    base64::Decoder,
    entries::{Encoding, Entries},
    form::{MAX_BODY, MAX_FIELDS},
    multipart::{Event, Malformed, PartHead},
    order_fault::{FileRole, OrderFault},
};
use bytes::Bytes;

const IMAGE_FILE: &str = "image_file";
const IMAGE_FILE_B64: &str = "image_file_b64";
const BACKGROUND_FILE: &str = "bg_image_file";

/// Names of parameters that mean nothing here and are listed; the first ones are.
const MOST_IGNORED: usize = 64;

/// A piece of a picture's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The file.
    pub role: FileRole,
    /// Its next bytes.
    pub bytes: Bytes,
}

/// Why a body is no valid order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderError {
    /// Everything that is wrong, at least one thing.
    Faults(Vec<OrderFault>),
    /// The framing is broken or a bound on it is exceeded.
    Malformed,
    /// More than 128 MiB, or longer texts than are held.
    TooLarge,
}

/// A body being read. Push its bytes in any pieces, then finish.
#[derive(Debug)]
pub struct OrderReader {
    entries: Result<Entries, OrderError>,
    received: u64,
    parts: Parts,
}

impl OrderReader {
    /// A reader for a body of this `Content-Type`.
    #[must_use]
    pub fn new(content_type: Option<&str>) -> Self {
        let entries = Entries::new(content_type).map_err(OrderError::from);
        Self { entries, received: 0, parts: Parts::default() }
    }

    /// Takes the next bytes of the body and appends to `files` the bytes of pictures in them; none any more of a file that
    /// is known to be refused.
    ///
    /// # Errors
    /// They are final: nothing that follows can make it an order.
    pub fn push(&mut self, chunk: Bytes, files: &mut Vec<Piece>) -> Result<(), OrderError> {
        let read = self.read(chunk, files);
        if let Err(error) = &read {
            self.entries = Err(error.clone());
        }
        read
    }

    fn read(&mut self, chunk: Bytes, files: &mut Vec<Piece>) -> Result<(), OrderError> {
        self.received += chunk.len() as u64;
        if self.received > MAX_BODY {
            return Err(OrderError::TooLarge);
        }
        let entries = self.entries.as_mut().map_err(|error| error.clone())?;
        entries.feed(chunk);
        while let Some(event) = entries.next_event()? {
            self.parts.take(event, entries.encoding(), files)?;
        }
        Ok(())
    }

    /// The order, once the whole body was pushed, or everything that is wrong with it. What of the files only the end of the
    /// body shows is appended to `files`.
    pub fn finish(mut self, files: &mut Vec<Piece>) -> Result<Order, OrderError> {
        let mut entries = self.entries?;
        for event in entries.finish()? {
            self.parts.take(event, entries.encoding(), files)?;
        }
        self.parts.end(files);
        self.parts.finish()
    }
}

impl From<Malformed> for OrderError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What has been received so far.
#[derive(Debug, Default)]
struct Parts {
    texts: Texts,
    texts_length: usize,
    /// The names that have been sent; of a repeated one the first counts.
    seen: Vec<&'static str>,
    ignored: Vec<String>,
    /// The parameters in which the picture was sent.
    sources: Vec<&'static str>,
    image: Option<FileCheck>,
    background: Option<FileCheck>,
    unreadable: bool,
    current: Current,
}

/// The value that is being received.
#[derive(Debug, Default)]
enum Current {
    /// None, or one that counts for nothing.
    #[default]
    Ignored,
    Text(&'static str, Vec<u8>),
    File(&'static str, FileRole),
    Base64(Decoder),
}

impl Parts {
    fn take(&mut self, event: Event, encoding: Encoding, files: &mut Vec<Piece>) -> Result<(), OrderError> {
        match event {
            Event::Part(head) => {
                self.end(files);
                self.current = self.begin(&head, encoding);
                Ok(())
            }
            Event::Data(data) => self.data(data, files),
        }
    }

    fn begin(&mut self, head: &PartHead, encoding: Encoding) -> Current {
        let known = NAMES.into_iter().chain([IMAGE_FILE, IMAGE_FILE_B64, BACKGROUND_FILE]);
        // A file that is no part of a form is none.
        let is_file = |name: &str| name == IMAGE_FILE || name == BACKGROUND_FILE;
        let meant = |name: &&str| *name == head.name && (encoding == Encoding::Multipart || !is_file(name));
        let Some(name) = known.into_iter().find(meant) else {
            self.ignore(&head.name);
            return Current::Ignored;
        };
        if self.seen.contains(&name) {
            return Current::Ignored;
        }
        self.seen.push(name);
        match name {
            IMAGE_FILE => Current::File(name, FileRole::Image),
            BACKGROUND_FILE => Current::File(name, FileRole::Background),
            IMAGE_FILE_B64 if encoding == Encoding::Urlencoded => Current::Base64(Decoder::of_form()),
            IMAGE_FILE_B64 => Current::Base64(Decoder::new()),
            _ => Current::Text(name, Vec::new()),
        }
    }

    fn ignore(&mut self, name: &str) {
        if self.ignored.len() < MOST_IGNORED && !self.ignored.iter().any(|known| known == name) {
            self.ignored.push(name.to_owned());
        }
    }

    fn data(&mut self, data: Bytes, files: &mut Vec<Piece>) -> Result<(), OrderError> {
        match &mut self.current {
            Current::Ignored => {}
            Current::Text(_, value) => {
                self.texts_length += data.len();
                if self.texts_length > MAX_FIELDS {
                    return Err(OrderError::TooLarge);
                }
                value.extend_from_slice(&data);
            }
            Current::File(name, role) => {
                let (name, role) = (*name, *role);
                self.keep(name, role, data, files);
            }
            Current::Base64(decoder) => {
                let mut bytes = Vec::new();
                if decoder.push(&data, &mut bytes).is_err() {
                    self.unreadable = true;
                    self.current = Current::Ignored;
                }
                self.keep(IMAGE_FILE_B64, FileRole::Image, bytes.into(), files);
            }
        }
        Ok(())
    }

    /// Bytes of a file. A picture is given if it has any; of two, the first is kept.
    fn keep(&mut self, name: &'static str, role: FileRole, data: Bytes, files: &mut Vec<Piece>) {
        if data.is_empty() {
            return;
        }
        let file = match role {
            FileRole::Image => {
                if !self.sources.contains(&name) {
                    self.sources.push(name);
                }
                if self.sources.first() != Some(&name) {
                    return;
                }
                &mut self.image
            }
            FileRole::Background => &mut self.background,
        };
        if file.get_or_insert_with(|| FileCheck::new(role)).take(&data) {
            files.push(Piece { role, bytes: data });
        }
    }

    fn end(&mut self, files: &mut Vec<Piece>) {
        match std::mem::take(&mut self.current) {
            Current::Text(name, value) => {
                self.texts.0.push((name, String::from_utf8_lossy(&value).into_owned()));
            }
            Current::Base64(decoder) => {
                let mut bytes = Vec::new();
                self.unreadable |= decoder.finish(&mut bytes).is_err();
                self.keep(IMAGE_FILE_B64, FileRole::Image, bytes.into(), files);
            }
            Current::Ignored | Current::File(..) => {}
        }
    }

    fn finish(self) -> Result<Order, OrderError> {
        let (parameters, of_texts) = parameters::judge(&self.texts, self.background.is_some());
        let is_url_sent = self.texts.is_given("image_url");
        let mut faults = Vec::new();
        let source = match (self.sources.len() + usize::from(is_url_sent), self.image) {
            (0, _) if self.unreadable => Err(OrderFault::FailedToRead(FileRole::Image)),
            (0, _) => Err(OrderFault::MissingSource),
            (2.., _) => Err(OrderFault::MultipleSources),
            _ if self.unreadable => Err(OrderFault::FailedToRead(FileRole::Image)),
            (_, Some(image)) => image.finish().map(|file| Some(Source::File(file))),
            (_, None) => Ok(parameters.image_url.map(Source::Url)),
        };
        let source = source.unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        let background = match self.background.map(FileCheck::finish) {
            Some(Ok(file)) => Some(Source::File(file)),
            Some(Err(fault)) => {
                faults.push(fault);
                None
            }
            None => parameters.background_url.map(Source::Url),
        };
        faults.extend(of_texts);
        let mut ignored = self.ignored;
        ignored.extend(parameters.without_effect.into_iter().map(str::to_owned));
        match source {
            Some(source) if faults.is_empty() => Ok(Order {
                source,
                background,
                composition: parameters.composition,
                names_type: parameters.names_type,
                ignored,
            }),
            _ => Err(OrderError::Faults(faults)),
        }
    }
}
