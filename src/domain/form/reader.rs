//! Reads a body into a form as it arrives.

use super::{Field, Form, FormError, MAX_BODY, MAX_FIELDS, MAX_UNKNOWN, fields, image::ImageCheck};
use crate::domain::{
    complaint::Complaint,
    multipart::{Boundary, Event, Malformed, Multipart, PartHead},
};
use bytes::Bytes;

/// A body being read. Push its bytes in any pieces, then finish.
#[derive(Debug)]
pub struct FormReader {
    body: Body,
    received: u64,
    parts: Parts,
}

#[derive(Debug)]
enum Body {
    Form(Box<Multipart>),
    NoForm,
    /// Nothing that follows can change the result.
    Refused(FormError),
}

impl FormReader {
    /// A reader for a body of this `Content-Type`.
    #[must_use]
    pub fn new(content_type: Option<&str>) -> Self {
        let body = match content_type.map(Boundary::announced) {
            Some(Ok(Some(boundary))) => Body::Form(Box::new(Multipart::new(&boundary))),
            Some(Ok(None)) | None => Body::NoForm,
            Some(Err(malformed)) => Body::Refused(malformed.into()),
        };
        Self { body, received: 0, parts: Parts::default() }
    }

    /// Takes the next bytes of the body, and appends to `image` the slices of them that belong to the image file. It
    /// appends nothing more once the image is known to be refused.
    ///
    /// # Errors
    /// [`FormError::Malformed`] and [`FormError::TooLarge`] are final: nothing that follows can make it a form.
    pub fn push(&mut self, chunk: Bytes, image: &mut Vec<Bytes>) -> Result<(), FormError> {
        let read = self.read(chunk, image);
        if let Err(error) = &read {
            self.body = Body::Refused(error.clone());
        }
        read
    }

    /// The form, once the whole body was pushed, or everything that is wrong with it.
    pub fn finish(self) -> Result<Form, FormError> {
        match self.body {
            Body::NoForm => Err(FormError::Invalid(vec![Complaint::NoImage])),
            Body::Form(parser) if parser.is_complete() => self.parts.finish(),
            Body::Form(_) => Err(FormError::Malformed),
            Body::Refused(error) => Err(error),
        }
    }

    fn read(&mut self, chunk: Bytes, image: &mut Vec<Bytes>) -> Result<(), FormError> {
        self.received += chunk.len() as u64;
        if self.received > MAX_BODY {
            return Err(FormError::TooLarge);
        }
        match &mut self.body {
            Body::NoForm => Ok(()),
            Body::Refused(error) => Err(error.clone()),
            Body::Form(parser) => {
                parser.feed(chunk);
                while let Some(event) = parser.next_event()? {
                    match event {
                        Event::Part(head) => self.parts.begin(head),
                        Event::Data(data) => self.parts.take(data, image),
                    }
                    if self.parts.are_too_large() {
                        return Err(FormError::TooLarge);
                    }
                }
                Ok(())
            }
        }
    }
}

impl From<Malformed> for FormError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The parts so far.
#[derive(Debug, Default)]
struct Parts {
    fields: Vec<Field>,
    fields_length: usize,
    unknown: usize,
    /// Whether a field was thrown away, because all together would have exceeded the limit.
    overflowed: bool,
    image: Option<ImageCheck>,
    fields_before_image: usize,
    current: Current,
}

/// The part that is being received.
#[derive(Debug, Default)]
enum Current {
    /// No part, or a part that is ignored.
    #[default]
    Ignored,
    Image,
    Field(Field, Vec<u8>),
}

impl Parts {
    fn begin(&mut self, head: PartHead) {
        self.end();
        self.current = if head.name == fields::IMAGE {
            self.begin_image(head)
        } else if fields::is_known(&head.name) {
            self.begin_known(head)
        } else {
            self.begin_unknown(head)
        };
    }

    /// A part without a filename is not an image. It is not passed on either, because it might be taken for one.
    fn begin_image(&mut self, head: PartHead) -> Current {
        match head.filename {
            Some(filename) if self.image.is_none() => {
                self.image = Some(ImageCheck::new(filename));
                self.fields_before_image = self.fields.len();
                Current::Image
            }
            _ => Current::Ignored,
        }
    }

    /// A known field is a text, even if it was sent as a file. It is judged and passed on as a text.
    fn begin_known(&mut self, head: PartHead) -> Current {
        if self.fields.iter().any(|field| field.name == head.name) {
            return Current::Ignored;
        }
        Current::Field(Field { name: head.name, content_type: None, value: Bytes::new() }, Vec::new())
    }

    fn begin_unknown(&mut self, head: PartHead) -> Current {
        if head.filename.is_some() || self.unknown == MAX_UNKNOWN || !fields::may_pass(&head.name) {
            return Current::Ignored;
        }
        self.unknown += 1;
        let content_type = fields::text_type(head.content_type);
        Current::Field(Field { name: head.name, content_type, value: Bytes::new() }, Vec::new())
    }

    fn take(&mut self, data: Bytes, kept: &mut Vec<Bytes>) {
        match &mut self.current {
            Current::Ignored => {}
            Current::Image => {
                if self.image.as_mut().is_some_and(|image| image.take(&data)) {
                    kept.push(data);
                }
            }
            Current::Field(_, value) => {
                if self.fields_length + data.len() > MAX_FIELDS {
                    self.fields_length -= value.len();
                    self.overflowed = true;
                    self.current = Current::Ignored;
                    return;
                }
                self.fields_length += data.len();
                if value.is_empty() {
                    value.reserve_exact(data.len());
                }
                // Copied, so that a short value does not keep the whole chunk in memory.
                value.extend_from_slice(&data);
            }
        }
    }

    /// Without an image, the size of the fields is not the fault to report: a caller who sent the file under another
    /// name is told that.
    fn are_too_large(&self) -> bool {
        self.overflowed && self.image.is_some()
    }

    fn end(&mut self) {
        if let Current::Field(mut field, value) = std::mem::take(&mut self.current) {
            field.value = value.into();
            self.fields.push(field);
        }
    }

    fn finish(mut self) -> Result<Form, FormError> {
        self.end();
        let (output, complaints) = fields::judge(&self.fields);
        let image = self.image.map_or_else(|| Err(vec![Complaint::NoImage]), ImageCheck::finish);
        match image {
            Ok(image) if complaints.is_empty() => {
                let mut after = self.fields.split_off(self.fields_before_image);
                self.fields.retain_mut(fields::keep_as_judged);
                after.retain_mut(fields::keep_as_judged);
                let fields_before_image = self.fields.len();
                self.fields.append(&mut after);
                Ok(Form { image, fields: self.fields, fields_before_image, output })
            }
            Ok(_) => Err(FormError::Invalid(complaints)),
            Err(of_image) => Err(FormError::Invalid([of_image, complaints].concat())),
        }
    }
}
