//! The body of an answer that was held whole.

use crate::spool::Spooled;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

type Reading = Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send>>;

/// Reads the body piece by piece. It ends only when it is asked for more than its last piece, and hyper asks once there is
/// room for more: until then, what the body holds stays held.
pub(super) struct SpooledBody {
    spooled: Arc<Spooled>,
    offset: u64,
    /// The piece that is being read from the file.
    reading: Option<Reading>,
}

impl SpooledBody {
    pub(super) fn new(spooled: Spooled) -> Self {
        Self { spooled: Arc::new(spooled), offset: 0, reading: None }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.reading.is_none() {
            let piece = self.spooled.in_memory_at(self.offset);
            if piece.is_some() || self.offset >= self.spooled.len() {
                return Poll::Ready(Ok(piece));
            }
        }
        let (spooled, offset) = (&self.spooled, self.offset);
        let reading = self.reading.get_or_insert_with(|| {
            let spooled = Arc::clone(spooled);
            Box::pin(async move { spooled.piece_at(offset).await })
        });
        let piece = ready!(reading.as_mut().poll(context));
        self.reading = None;
        Poll::Ready(piece)
    }
}

impl Body for SpooledBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = ready!(self.poll_piece(context));
        if let Ok(Some(piece)) = &piece {
            self.offset += piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)).transpose())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.spooled.len().saturating_sub(self.offset))
    }
}
