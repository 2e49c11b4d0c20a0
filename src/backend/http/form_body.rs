//! A multipart form, streamed from where its image is held.

use crate::{
    random::{NoRandomness, fresh_operation_id},
    spool::Spooled,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream::{self, StreamExt as _};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// One part of a form.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::backend) struct Part<'a> {
    pub(in crate::backend) name: &'a str,
    pub(in crate::backend) filename: Option<&'a str>,
    pub(in crate::backend) content_type: Option<&'a str>,
    /// Its bytes, where they are not those of the image.
    pub(in crate::backend) value: &'a [u8],
}

/// Everything before the image's bytes, the image, and everything after them.
pub(in crate::backend) struct FormBody {
    boundary: String,
    head: Bytes,
    image: Arc<Spooled>,
    tail: Bytes,
}

impl FormBody {
    /// A form with `file` as the part that holds the image.
    pub(in crate::backend) fn new<'a>(
        before: impl IntoIterator<Item = Part<'a>>,
        file: Part<'a>,
        image: &Arc<Spooled>,
        after: impl IntoIterator<Item = Part<'a>>,
    ) -> Result<Self, NoRandomness> {
        // As unpredictable as an operation id, so that no upload can contain it on purpose.
        let boundary = format!("rembg-gateway-{}", fresh_operation_id()?.0);
        let mut head = BytesMut::new();
        for part in before {
            put_head(&mut head, &boundary, &part);
            head.put_slice(part.value);
            head.put_slice(b"\r\n");
        }
        put_head(&mut head, &boundary, &file);
        let mut tail = BytesMut::from(&b"\r\n"[..]);
        for part in after {
            put_head(&mut tail, &boundary, &part);
            tail.put_slice(part.value);
            tail.put_slice(b"\r\n");
        }
        tail.put_slice(format!("--{boundary}--\r\n").as_bytes());
        let (head, tail) = (head.freeze(), tail.freeze());
        Ok(Self { boundary, head, image: Arc::clone(image), tail })
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    pub(super) fn len(&self) -> u64 {
        self.head.len() as u64 + self.image.len() + self.tail.len() as u64
    }

    /// `sent_whole` becomes true when the last byte has been given to the connection: before that, nobody can have read
    /// it.
    pub(super) fn into_body(self, sent_whole: Arc<AtomicBool>) -> UnsyncBoxBody<Bytes, io::Error> {
        let image = stream::try_unfold((self.image, 0), |(image, offset)| async move {
            let piece = image.piece_at(offset).await?;
            Ok(piece.map(|piece| {
                let next = offset + piece.len() as u64;
                (piece, (image, next))
            }))
        });
        let (head, tail) = (self.head, self.tail);
        let head = stream::once(async move { Ok(head) });
        let tail = stream::once(async move {
            sent_whole.store(true, Ordering::Release);
            Ok(tail)
        });
        let pieces = head.chain(image).chain(tail);
        StreamBody::new(pieces.map(|piece: io::Result<Bytes>| piece.map(Frame::data))).boxed_unsync()
    }
}

fn put_head(out: &mut BytesMut, boundary: &str, part: &Part<'_>) {
    let name = quoted(part.name);
    out.put_slice(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
    if let Some(filename) = part.filename {
        out.put_slice(format!("; filename=\"{}\"", quoted(filename)).as_bytes());
    }
    if let Some(content_type) = part.content_type {
        let clean: String = content_type.chars().filter(|c| !c.is_control()).collect();
        out.put_slice(format!("\r\nContent-Type: {clean}").as_bytes());
    }
    out.put_slice(b"\r\n\r\n");
}

/// Quotes and line ends percent-encoded, as browsers do it, and backslashes too, which some parsers take as an escape:
/// nothing that a caller sends can end the header.
fn quoted(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => safe.push_str("%22"),
            '\\' => safe.push_str("%5C"),
            '\r' => safe.push_str("%0D"),
            '\n' => safe.push_str("%0A"),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}
