//! A connection whose bytes are observed, to detect the beginning of heads and floods of frames.

use super::{
    frames::{Frames, Head},
    open_requests::OpenRequests,
};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Reports to [`OpenRequests`]. After a flood, nothing more is read.
pub(super) struct Watched<S> {
    stream: S,
    frames: Frames,
    open_requests: OpenRequests,
    flooded: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, open_requests: OpenRequests) -> Self {
        Self { stream, frames: Frames::new(Instant::now()), open_requests, flooded: false }
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.frames.wrote(*bytes);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.flooded {
            // No waker is needed: the connection is about to be closed.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        if fresh.is_empty() {
            return read;
        }
        if self.frames.is_http1() {
            self.open_requests.heard();
            return read;
        }
        match self.frames.read(fresh, Instant::now()) {
            Ok(Head::IfNoRequest) => self.open_requests.heard(),
            Ok(head) => self.open_requests.head(head == Head::Begun),
            Err(_) => {
                self.flooded = true;
                self.open_requests.flood();
                buffer.set_filled(before);
                return Poll::Pending;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
