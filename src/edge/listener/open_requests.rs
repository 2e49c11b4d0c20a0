//! The requests under way on one connection: from the head until the answer's last byte is handed to the wire.

use crate::spool::Claim;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    future::pending,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
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
    /// Requests whose bodies are still being read, some of them after their answers.
    reading: usize,
    /// When the head that is coming began.
    head_since: Option<Instant>,
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
pub(super) struct OpenRequests {
    count: watch::Sender<Count>,
    too_far: CancellationToken,
    flood: CancellationToken,
}

/// Why a connection is not to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was without a request for as long as it may.
    Idle,
    /// There was no request, or no end of its head, in time.
    NoHead,
}

/// One request; under way until dropped.
#[derive(Debug)]
pub(super) struct RequestGuard {
    open_requests: OpenRequests,
    answered: bool,
}

impl OpenRequests {
    pub(super) fn new() -> Self {
        Self { count: watch::Sender::default(), too_far: CancellationToken::new(), flood: CancellationToken::new() }
    }

    /// Another request.
    pub(super) fn begin(&self) -> RequestGuard {
        self.count.send_modify(|count| {
            count.open += 1;
            count.ever = true;
            count.head_since = None;
        });
        RequestGuard { open_requests: self.clone(), answered: false }
    }

    /// A request's body, until it has been read or thrown away.
    pub(super) fn reads(&self, body: Incoming) -> RequestBody {
        self.count.send_modify(|count| count.reading += 1);
        RequestBody { body, open_requests: self.clone() }
    }

    /// Bytes have come on HTTP/1. Unless they belong to a request, a head begins.
    pub(super) fn heard(&self) {
        self.count.send_if_modified(|count| {
            let begins = count.open == 0 && count.reading == 0 && count.head_since.is_none();
            if begins {
                count.head_since = Some(Instant::now());
            }
            begins
        });
    }

    /// Whether a head has begun and not ended.
    pub(super) fn head(&self, begun: bool) {
        self.count.send_if_modified(|count| {
            let changed = begun != count.head_since.is_some();
            if changed {
                count.head_since = begun.then(Instant::now);
            }
            changed
        });
    }

    /// More frames have come than any use could need.
    pub(super) fn flood(&self) {
        self.flood.cancel();
    }

    /// Waits until that happens.
    pub(super) async fn flooded(&self) {
        self.flood.cancelled().await;
    }

    /// Waits for the first request.
    pub(super) async fn first(&self) {
        // The sender is ours: it does not go away meanwhile.
        let _ = self.count.subscribe().wait_for(|count| count.ever).await;
    }

    /// Waits until no request has been under way for `idle`, there was none at all for `head`, or one's head has taken
    /// longer than that.
    pub(super) async fn end(&self, head: Duration, idle: Duration) -> End {
        tokio::select! {
            end = self.quiet(head, idle) => end,
            () = self.head_overdue(head) => End::NoHead,
        }
    }

    async fn quiet(&self, first: Duration, later: Duration) -> End {
        let (mut count, begun) = (self.count.subscribe(), Instant::now());
        // The sender is ours: it does not go away meanwhile.
        loop {
            let ever = count.wait_for(|count| count.open == 0).await.is_ok_and(|count| count.ever);
            let (until, end) = if ever { (Instant::now() + later, End::Idle) } else { (begun + first, End::NoHead) };
            // Any change will do: a request may begin and end before it is looked at here.
            if timeout_at(until, count.changed()).await.is_err() {
                return end;
            }
        }
    }

    async fn head_overdue(&self, limit: Duration) {
        let mut count = self.count.subscribe();
        loop {
            let since = count.wait_for(|count| count.head_since.is_some()).await.map_or(None, |count| count.head_since);
            let Some(begun) = since else { return pending().await };
            if timeout_at(begun + limit, count.wait_for(|count| count.head_since != since)).await.is_err() {
                return;
            }
        }
    }

    /// Waits until an answer has not been taken in its time, or too many requests were taken back.
    pub(super) async fn too_far(&self) {
        self.too_far.cancelled().await;
    }
}

impl RequestGuard {
    /// The answer, which keeps the request under way until its body is sent, for at most `limit`. When it has taken
    /// longer than `hurried`, it goes as soon as others need what it holds.
    pub(super) fn answered(mut self, mut answer: Response, limit: Duration, hurried: Duration) -> Response {
        self.answered = true;
        let claim = answer.extensions_mut().remove::<Claim>();
        answer.map(|body| {
            let (sent, overdue) = (CancellationToken::new(), self.open_requests.too_far.clone());
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

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let mut too_many = false;
        self.open_requests.count.send_modify(|count| {
            count.open -= 1;
            too_many = !self.answered && count.take_back(Instant::now());
        });
        if too_many {
            self.open_requests.too_far.cancel();
        }
    }
}

/// A request's body on its way in.
pub(super) struct RequestBody {
    body: Incoming,
    open_requests: OpenRequests,
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.open_requests.count.send_modify(|count| count.reading -= 1);
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct AnswerBody {
    body: Body,
    _sent: DropGuard,
    _turn: RequestGuard,
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
