//! The requests under way on one connection: from the head until the answer's last byte is handed to the wire.

use crate::spool::Claim;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    future::pending,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Requests that one connection may take back within a second before they are answered. HTTP/2 makes that so cheap that
/// a client could have us begin, and ask the store, as fast as it can write (the "rapid reset" of 2023).
const TAKEN_BACK: u32 = 200;
const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    open: usize,
    ever: bool,
    /// How many were taken back since then, within about a second.
    taken_back: Option<(Instant, u32)>,
}

impl Count {
    /// One was taken back; whether that was one too many.
    fn take_back(&mut self, now: Instant) -> bool {
        let (since, before) = self.taken_back.filter(|(since, _)| now - *since < SECOND).unwrap_or((now, 0));
        self.taken_back = Some((since, before + 1));
        before >= TAKEN_BACK
    }
}

/// Counts them, and knows when the client has gone too far with one, or with many.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    count: watch::Sender<Count>,
    too_far: CancellationToken,
}

/// One request; under way until dropped.
#[derive(Debug)]
pub(super) struct Turn {
    under_way: UnderWay,
    answered: bool,
}

impl UnderWay {
    pub(super) fn new() -> Self {
        Self { count: watch::Sender::default(), too_far: CancellationToken::new() }
    }

    /// Another request.
    pub(super) fn begin(&self) -> Turn {
        self.count.send_modify(|count| {
            count.open += 1;
            count.ever = true;
        });
        Turn { under_way: self.clone(), answered: false }
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

    /// Waits until an answer has not been taken in its time, or too many requests were taken back.
    pub(super) async fn too_far(&self) {
        self.too_far.cancelled().await;
    }
}

impl Turn {
    /// The answer, which keeps the request under way until its body is sent, for at most `limit`. When it has taken
    /// longer than `hurried`, it goes as soon as others need what it holds.
    pub(super) fn answered(mut self, mut answer: Response, limit: Duration, hurried: Duration) -> Response {
        self.answered = true;
        let claim = answer.extensions_mut().remove::<Claim>();
        answer.map(|body| {
            let (sent, overdue) = (CancellationToken::new(), self.under_way.too_far.clone());
            if !body.is_end_stream() {
                let sent = sent.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = sleep(limit) => overdue.cancel(),
                        () = others_need_it(claim, hurried) => overdue.cancel(),
                        () = sent.cancelled() => {}
                    }
                });
            }
            Body::new(AnswerBody { body, _sent: sent.drop_guard(), _turn: self })
        })
    }
}

async fn others_need_it(claim: Option<Claim>, hurried: Duration) {
    let Some(claim) = claim else { return pending().await };
    sleep(hurried).await;
    while !claim.must_hurry() {
        sleep(SECOND).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut too_many = false;
        self.under_way.count.send_modify(|count| {
            count.open -= 1;
            too_many = !self.answered && count.take_back(Instant::now());
        });
        if too_many {
            self.under_way.too_far.cancel();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_may_see_so_many_taken_back_and_no_more() {
        let (mut count, start) = (Count::default(), Instant::now());
        for second in 0..3 {
            for _ in 0..TAKEN_BACK {
                assert!(!count.take_back(start + SECOND * second));
            }
        }
        assert!(count.take_back(start + SECOND * 5 / 2));
    }
}
