//! The open requests of one connection: from the head until the answer's last byte is sent.

use crate::{edge::guarded_body::GuardedBody, spool::Claim, telemetry::ByteCounter};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::{future::pending, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// The most requests that one connection may cancel within a second before they are answered. In HTTP/2 that is so cheap
/// that a client could make us begin requests, and ask the store, as fast as it can write (the "rapid reset" of 2023).
const CANCELLED: u32 = 200;
const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    open: usize,
    /// Whether there has been any request.
    ever: bool,
    /// How many bodies of requests are still being read, some of them after their answers.
    reading: usize,
    /// When the head that is arriving began.
    head_since: Option<Instant>,
    /// How many requests were cancelled since this moment, within about a second.
    cancelled: Option<(Instant, u32)>,
}

impl Count {
    /// Counts a cancelled request. Returns whether it was one too many.
    fn cancel(&mut self, now: Instant) -> bool {
        let (since, before) = self.cancelled.filter(|(since, _)| now - *since < SECOND).unwrap_or((now, 0));
        self.cancelled = Some((since, before + 1));
        before >= CANCELLED
    }
}

/// Counts the open requests, and notes when the client has exceeded a limit.
#[derive(Clone, Debug)]
pub(super) struct OpenRequests {
    count: watch::Sender<Count>,
    too_far: CancellationToken,
    flood: CancellationToken,
}

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It had no request for as long as it may.
    Idle,
    /// No request began in time, or its head did not end in time.
    NoHead,
}

/// A request that is open until this is dropped.
#[derive(Debug)]
pub(super) struct RequestGuard {
    open_requests: OpenRequests,
    answered: bool,
}

impl OpenRequests {
    pub(super) fn new() -> Self {
        Self { count: watch::Sender::default(), too_far: CancellationToken::new(), flood: CancellationToken::new() }
    }

    /// Adds a request.
    pub(super) fn begin(&self) -> RequestGuard {
        self.count.send_modify(|count| {
            count.open += 1;
            count.ever = true;
            count.head_since = None;
        });
        RequestGuard { open_requests: self.clone(), answered: false }
    }

    /// Counts a request's body until it has been read or dropped, and its bytes as they pass.
    pub(super) fn reads(&self, body: Incoming, bytes: ByteCounter) -> Body {
        self.count.send_modify(|count| count.reading += 1);
        Body::new(GuardedBody::new(body.inspect_frame(counting(bytes)), Reading(self.clone())))
    }

    /// Notes that bytes have come on HTTP/1. Unless they belong to a request, a head begins.
    pub(super) fn heard(&self) {
        self.count.send_if_modified(|count| {
            let begins = count.open == 0 && count.reading == 0 && count.head_since.is_none();
            if begins {
                count.head_since = Some(Instant::now());
            }
            begins
        });
    }

    /// Notes whether a head has begun and not ended.
    pub(super) fn head(&self, begun: bool) {
        self.count.send_if_modified(|count| {
            let changed = begun != count.head_since.is_some();
            if changed {
                count.head_since = begun.then(Instant::now);
            }
            changed
        });
    }

    /// Notes that more frames have come than any client needs.
    pub(super) fn flood(&self) {
        self.flood.cancel();
    }

    /// Waits for such a flood.
    pub(super) async fn flooded(&self) {
        self.flood.cancelled().await;
    }

    /// Waits for the first request.
    pub(super) async fn first(&self) {
        // This cannot fail, because we hold the sender.
        let _ = self.count.subscribe().wait_for(|count| count.ever).await;
    }

    /// Waits until no request has been open for `idle`, there was none at all for `head`, or a head has taken longer than
    /// that.
    pub(super) async fn end(&self, head: Duration, idle: Duration) -> End {
        tokio::select! {
            end = self.quiet(head, idle) => end,
            () = self.head_overdue(head) => End::NoHead,
        }
    }

    async fn quiet(&self, first: Duration, later: Duration) -> End {
        let (mut count, begun) = (self.count.subscribe(), Instant::now());
        // This cannot fail, because we hold the sender.
        loop {
            let ever = count.wait_for(|count| count.open == 0).await.is_ok_and(|count| count.ever);
            let (until, end) = if ever { (Instant::now() + later, End::Idle) } else { (begun + first, End::NoHead) };
            // Any change starts the wait anew: a request may begin and end before it is noticed here.
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

    /// Waits until an answer has not been received in time, or too many requests were cancelled.
    pub(super) async fn too_far(&self) {
        self.too_far.cancelled().await;
    }
}

impl RequestGuard {
    /// Keeps the request open until the answer's body is sent. The connection ends if that takes longer than `limit`, or
    /// longer than `hurried` while others need the room that the answer holds.
    pub(super) fn answered(
        mut self,
        mut answer: Response,
        (limit, hurried): (Duration, Duration),
        bytes: ByteCounter,
    ) -> Response {
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
            Body::new(GuardedBody::new(body.inspect_frame(counting(bytes)), (sent.drop_guard(), self)))
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
            too_many = !self.answered && count.cancel(Instant::now());
        });
        if too_many {
            self.open_requests.too_far.cancel();
        }
    }
}

/// Adds up the bytes of a body's frames.
fn counting(bytes: ByteCounter) -> impl FnMut(&Frame<Bytes>) + Send + 'static {
    move |frame| bytes.add(frame.data_ref().map_or(0, Bytes::len))
}

/// Keeps a body counted until it is dropped.
struct Reading(OpenRequests);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| count.reading -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_requests_may_be_cancelled_in_a_second_and_no_more() {
        let (mut count, start) = (Count::default(), Instant::now());
        for second in 0..3 {
            for _ in 0..CANCELLED {
                assert!(!count.cancel(start + SECOND * second));
            }
        }
        assert!(count.cancel(start + SECOND * 5 / 2));
    }
}
