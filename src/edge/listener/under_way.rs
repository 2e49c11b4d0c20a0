//! The requests under way on one connection: from the head until the answer's last byte is handed to the wire.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    open: usize,
    ever: bool,
}

/// Counts them, and knows when one takes too long.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    count: watch::Sender<Count>,
    overdue: CancellationToken,
}

/// One request; under way until dropped.
#[derive(Debug)]
pub(super) struct Turn(UnderWay);

impl UnderWay {
    pub(super) fn new() -> Self {
        Self { count: watch::Sender::default(), overdue: CancellationToken::new() }
    }

    /// Another request.
    pub(super) fn begin(&self) -> Turn {
        self.count.send_modify(|count| *count = Count { open: count.open + 1, ever: true });
        Turn(self.clone())
    }

    /// Waits for the first request.
    pub(super) async fn first(&self) {
        // The sender is ours: it does not go away meanwhile.
        let _ = self.count.subscribe().wait_for(|count| count.ever).await;
    }

    /// Waits until no request has been under way for `later`, or there was none at all for `first`.
    pub(super) async fn quiet(&self, first: Duration, later: Duration) {
        let mut count = self.count.subscribe();
        loop {
            let patience = count
                .wait_for(|count| count.open == 0)
                .await
                .map_or(later, |count| if count.ever { later } else { first });
            if timeout(patience, count.changed()).await.is_err() {
                return;
            }
        }
    }

    /// Waits until an answer has not been taken in its time.
    pub(super) async fn overdue(&self) {
        self.overdue.cancelled().await;
    }
}

impl Turn {
    /// The answer, which keeps the request under way until its body is sent, for at most `limit`.
    pub(super) fn answered(self, answer: Response, limit: Duration) -> Response {
        answer.map(|body| {
            let (sent, overdue) = (CancellationToken::new(), self.0.overdue.clone());
            if !body.is_end_stream() {
                let sent = sent.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = sleep(limit) => overdue.cancel(),
                        () = sent.cancelled() => {}
                    }
                });
            }
            Body::new(AnswerBody { body, _sent: sent.drop_guard(), _turn: self })
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| count.open -= 1);
    }
}

struct AnswerBody {
    body: Body,
    _sent: DropGuard,
    _turn: Turn,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
