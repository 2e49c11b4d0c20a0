//! A multipart form, which is streamed from the spool that holds its image.

#[cfg(test)]
mod tests;

use crate::{
    domain::form::{Field, Form},
    random::{NoRandomness, fresh_operation_id},
    spool::Spooled,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::header::{HeaderValue, InvalidHeaderValue};
use std::{
    io, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

/// One part of a form.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::backend) struct Part<'a> {
    pub(in crate::backend) name: &'a str,
    pub(in crate::backend) filename: Option<&'a str>,
    pub(in crate::backend) content_type: Option<&'a str>,
    /// The part's bytes, unless they are those of the image.
    pub(in crate::backend) value: &'a [u8],
}

impl<'a> Part<'a> {
    fn text(field: &'a Field) -> Self {
        Self { name: &field.name, filename: None, content_type: field.content_type.as_deref(), value: &field.value }
    }
}

const LINE_END: &[u8] = b"\r\n";

/// What a form's content type begins with.
const KIND: &[u8] = b"multipart/form-data; boundary=";

/// Bytes of most forms without their images.
const USUAL_LENGTH: usize = 512;

/// A form's body: everything before the image's bytes, the image, and everything after it.
pub(in crate::backend) struct FormBody {
    content_type: Bytes,
    head: Bytes,
    image: Arc<Spooled>,
    tail: Bytes,
}

impl FormBody {
    /// A form as it was validated. The image's type is taken from its signature: the type that the sender gave was not
    /// validated, and some readers parse a part that claims to be a form itself.
    pub(in crate::backend) fn of(form: &Form, image: &Arc<Spooled>) -> Result<Self, NoRandomness> {
        let file = Part {
            name: "image",
            filename: Some(&form.image.filename),
            content_type: Some(form.image.header.kind.media_type()),
            value: &[],
        };
        let (before, after) = form.fields.split_at(form.fields_before_image.min(form.fields.len()));
        Self::new(before.iter().map(Part::text), file, image, after.iter().map(Part::text))
    }

    /// A form with `file` as the part that holds the image.
    pub(in crate::backend) fn new<'a>(
        before: impl IntoIterator<Item = Part<'a>>,
        file: Part<'a>,
        image: &Arc<Spooled>,
        after: impl IntoIterator<Item = Part<'a>>,
    ) -> Result<Self, NoRandomness> {
        let mut out = BytesMut::with_capacity(USUAL_LENGTH);
        // The boundary is as unpredictable as an operation id, so that no upload can contain it on purpose.
        for text in [KIND, b"rembg-gateway-", fresh_operation_id()?.0.as_bytes()] {
            out.put_slice(text);
        }
        let content_type = out.split().freeze();
        let boundary = &content_type[KIND.len()..];
        for part in before {
            put_text(&mut out, boundary, &part);
        }
        put_head(&mut out, boundary, &file);
        let head = out.split().freeze();
        out.put_slice(LINE_END);
        for part in after {
            put_text(&mut out, boundary, &part);
        }
        for text in [b"--", boundary, b"--\r\n"] {
            out.put_slice(text);
        }
        Ok(Self { content_type, head, image: Arc::clone(image), tail: out.freeze() })
    }

    pub(super) fn content_type(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        HeaderValue::from_maybe_shared(self.content_type.clone())
    }

    /// The body as a stream. `sent_whole` becomes true when the last byte has been given to the connection: before
    /// that, no service can have read the whole body.
    pub(super) fn into_body(self, sent_whole: Arc<AtomicBool>) -> FormStream {
        let left = self.head.len() as u64 + self.image.len() + self.tail.len() as u64;
        FormStream { head: self.head, image: self.image, tail: self.tail, sent_whole, next: Next::Head, left }
    }
}

/// A form as it is sent.
pub(super) struct FormStream {
    head: Bytes,
    image: Arc<Spooled>,
    tail: Bytes,
    sent_whole: Arc<AtomicBool>,
    next: Next,
    /// Bytes that are still to be sent.
    left: u64,
}

/// What is sent next.
enum Next {
    Head,
    /// The image's bytes from this one on.
    Image(u64),
    /// The same, while they are read from a file.
    Reading(u64, Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send>>),
    Nothing,
}

impl FormStream {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            let (offset, piece) = match &mut self.next {
                Next::Nothing => return Poll::Ready(Ok(None)),
                Next::Head => {
                    self.next = Next::Image(0);
                    return Poll::Ready(Ok(Some(mem::take(&mut self.head))));
                }
                Next::Image(offset) => match self.image.in_memory_at(*offset) {
                    Some(piece) => (*offset, Some(piece)),
                    None if *offset == self.image.len() => (*offset, None),
                    None => {
                        let (image, offset) = (Arc::clone(&self.image), *offset);
                        self.next = Next::Reading(offset, Box::pin(async move { image.piece_at(offset).await }));
                        continue;
                    }
                },
                Next::Reading(offset, piece) => (*offset, ready!(piece.as_mut().poll(context))?),
            };
            let Some(piece) = piece else {
                self.next = Next::Nothing;
                self.sent_whole.store(true, Ordering::Release);
                return Poll::Ready(Ok(Some(mem::take(&mut self.tail))));
            };
            self.next = Next::Image(offset + piece.len() as u64);
            return Poll::Ready(Ok(Some(piece)));
        }
    }
}

impl Body for FormStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = ready!(self.poll_piece(context));
        if let Ok(Some(piece)) = &piece {
            self.left -= piece.len() as u64;
        }
        Poll::Ready(piece.transpose().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn put_text(out: &mut BytesMut, boundary: &[u8], part: &Part<'_>) {
    put_head(out, boundary, part);
    out.put_slice(part.value);
    out.put_slice(LINE_END);
}

/// The name comes before the filename: some readers look for `name=` wherever it stands.
fn put_head(out: &mut BytesMut, boundary: &[u8], part: &Part<'_>) {
    for text in [b"--", boundary, b"\r\nContent-Disposition: form-data; name="] {
        out.put_slice(text);
    }
    put_quoted(out, part.name);
    if let Some(filename) = part.filename {
        out.put_slice(b"; filename=");
        put_quoted(out, filename);
    }
    if let Some(content_type) = part.content_type {
        out.put_slice(b"\r\nContent-Type: ");
        out.put_slice(content_type.as_bytes());
    }
    out.put_slice(b"\r\n\r\n");
}

/// Writes the whole text in UTF-8. Quotes are percent-encoded, as browsers do it, and so are backslashes: readers
/// differ in whether a backslash is an escape, and therefore in where the quotes end. No character is left out, because
/// that could make a different name. Control characters were refused when the form was read; they are encoded here all
/// the same.
fn put_quoted(out: &mut BytesMut, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let is_encoded = |byte: &u8| byte.is_ascii_control() || matches!(byte, b'"' | b'\\');
    out.put_u8(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(is_encoded) {
        let byte = rest[at];
        out.put_slice(&rest[..at]);
        out.put_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
    out.put_u8(b'"');
}
