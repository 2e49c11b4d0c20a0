//! A form as a multipart body, streamed from where its image is held.

use crate::{
    backend::Job,
    domain::form::Form,
    random::{NoRandomness, fresh_operation_id},
    spool::Spooled,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream::{self, StreamExt as _};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use std::{io, sync::Arc};

/// Everything before the image's bytes, the image, and everything after them.
pub(super) struct FormBody {
    boundary: String,
    head: Bytes,
    image: Arc<Spooled>,
    tail: Bytes,
}

impl FormBody {
    pub(super) fn new(job: &Job) -> Result<Self, NoRandomness> {
        // As unpredictable as an operation id, so that no upload can contain it on purpose.
        let boundary = format!("rembg-gateway-{}", fresh_operation_id()?.0);
        let form: &Form = &job.form;
        let (before, after) = form.fields.split_at(form.fields_before_image.min(form.fields.len()));
        let mut head = BytesMut::new();
        for field in before {
            put_part(&mut head, &boundary, &field.name, field.filename.as_deref(), field.content_type.as_deref());
            head.put_slice(&field.value);
            head.put_slice(b"\r\n");
        }
        let image = &form.image;
        put_part(&mut head, &boundary, "image", Some(&image.filename), image.content_type.as_deref());
        let mut tail = BytesMut::from(&b"\r\n"[..]);
        for field in after {
            put_part(&mut tail, &boundary, &field.name, field.filename.as_deref(), field.content_type.as_deref());
            tail.put_slice(&field.value);
            tail.put_slice(b"\r\n");
        }
        tail.put_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(Self { boundary, head: head.freeze(), image: Arc::clone(&job.image), tail: tail.freeze() })
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    pub(super) fn len(&self) -> u64 {
        self.head.len() as u64 + self.image.len() + self.tail.len() as u64
    }

    pub(super) fn into_body(self) -> UnsyncBoxBody<Bytes, io::Error> {
        let image = stream::try_unfold((self.image, 0), |(image, offset)| async move {
            let piece = image.piece_at(offset).await?;
            Ok(piece.map(|piece| {
                let next = offset + piece.len() as u64;
                (piece, (image, next))
            }))
        });
        let ends = |bytes| stream::once(async move { Ok(bytes) });
        let pieces = ends(self.head).chain(image).chain(ends(self.tail));
        StreamBody::new(pieces.map(|piece: io::Result<Bytes>| piece.map(Frame::data))).boxed_unsync()
    }
}

fn put_part(out: &mut BytesMut, boundary: &str, name: &str, filename: Option<&str>, content_type: Option<&str>) {
    out.put_slice(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name)).as_bytes());
    if let Some(filename) = filename {
        out.put_slice(format!("; filename=\"{}\"", quoted(filename)).as_bytes());
    }
    if let Some(content_type) = content_type {
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
