//! The open requests of one connection: from the head until the answer's last byte is sent.

use super::counted_body::CountedBody;
use crate::{
    edge::{answered::Answered, guarded_body::GuardedBody, in_flight::InFlight},
    spool::Claim,
    telemetry::ByteCounter,
};
use axum::body::Body;
use http_body::Body as _;
use hyper::{Response, body::Incoming};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// The most requests that one connection may cancel within a second before they are answered. In HTTP/2 that is so cheap
/// that a client could make us begin requests, and ask the store, as fast as it can write (the "rapid reset" of 2023).
const CANCELLED: u32 = 200;
const SECOND: Duration = Duration::from_secs(1);

/// The open requests, and whether the client has exceeded a limit. Clones share them.
///
/// One timer looks after all of a connection's limits. It goes off at the earliest of them and looks what holds then:
/// a limit that moves on, as most do at each request, costs nothing but a note.
#[derive(Clone, Debug)]
pub(super) struct OpenRequests(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    open: Vec<Open>,
    /// The number of the next request.
    next: u64,
    /// How many bodies of requests are still being read, some of them after their answers.
    reading: usize,
    /// When the head that is arriving began.
    head_since: Option<Instant>,
    /// Since when there has been neither a request nor the beginning of one.
    quiet_since: Instant,
    /// How many requests were cancelled since this moment, within about a second.
    cancelled: Option<(Instant, u32)>,
    /// What ends the connection whatever its limits.
    ended: Option<End>,
    limits: TimeLimits,
    /// Since when they hold.
    begun: Instant,
    /// When the timer goes off, and who is woken if it must be earlier.
    timer: Instant,
    waker: Option<Waker>,
}

/// A request from its head to the last byte of its answer.
#[derive(Debug)]
struct Open {
    number: u64,
    /// When its answer must have begun, and later when that must have been sent.
    until: Instant,
    /// The space that its answer takes from others, and when it is next looked whether they need it.
    claim: Option<(Claim, Instant)>,
}

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It had no request for as long as it may.
    Idle,
    /// No request began in time, or its head did not end in time.
    NoHead,
    /// More frames have come than any client needs.
    Flood,
    /// An answer was not made or not received in time, or too many requests were cancelled.
    TooFar,
}

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimits {
    /// For the first request to begin, and for any head.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
}

/// How long an answer may take to be sent, and how long while others need the room that it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendLimits {
    pub(super) most: Duration,
    pub(super) hurried: Duration,
}

/// The body of an answer. Its request is open and in flight until this is dropped.
pub(super) type AnswerBody = GuardedBody<CountedBody<Body>, (RequestGuard, Option<Arc<InFlight>>)>;

/// A request that is open until this is dropped.
#[derive(Debug)]
pub(super) struct RequestGuard {
    open_requests: OpenRequests,
    number: u64,
    answered: bool,
}

impl State {
    /// Counts a cancelled request. Returns whether it was one too many.
    fn cancel(&mut self, now: Instant) -> bool {
        let (since, before) = self.cancelled.filter(|(since, _)| now - *since < SECOND).unwrap_or((now, 0));
        self.cancelled = Some((since, before + 1));
        before >= CANCELLED
    }

    /// The moment of the earliest limit, and why the connection ends then.
    fn earliest(&self) -> (Instant, End) {
        let waiting = match (self.open.is_empty(), self.next > 0) {
            (true, true) => Some((self.quiet_since.max(self.begun) + self.limits.idle, End::Idle)),
            (true, false) => Some((self.begun + self.limits.head, End::NoHead)),
            (false, _) => None,
        };
        let head = self.head_since.map(|since| (since + self.limits.head, End::NoHead));
        let open = self.open.iter().map(|open| {
            let looked_at = open.claim.as_ref().map_or(open.until, |(_, looked_at)| *looked_at);
            (open.until.min(looked_at), End::TooFar)
        });
        let all = waiting.into_iter().chain(head).chain(open);
        all.min_by_key(|(at, _)| *at).unwrap_or((self.begun + self.limits.idle, End::Idle))
    }

    /// Why the connection ends now. Answers whose room nobody needs are looked at again a second later.
    fn passed(&mut self, now: Instant) -> Option<End> {
        for (claim, looked_at) in self.open.iter_mut().filter_map(|open| open.claim.as_mut()) {
            if *looked_at <= now {
                if claim.must_hurry() {
                    return Some(End::TooFar);
                }
                *looked_at = now + SECOND;
            }
        }
        let (at, end) = self.earliest();
        (at <= now).then_some(end)
    }

    fn begin_head(&mut self) {
        let now = Instant::now();
        (self.head_since, self.quiet_since) = (Some(now), now);
        self.limit(now + self.limits.head);
    }

    /// Ends the connection.
    fn end(&mut self, end: End) {
        self.ended.get_or_insert(end);
        self.wake();
    }

    /// There is a limit at this moment: the timer must not go off later.
    fn limit(&self, at: Instant) {
        if at < self.timer {
            self.wake();
        }
    }

    fn poll_end(&mut self, context: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        self.waits(context);
        loop {
            if let Some(end) = self.ended {
                return Poll::Ready(end);
            }
            let (earliest, _) = self.earliest();
            if earliest < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(earliest);
            }
            self.timer = timer.deadline();
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if let Some(end) = self.passed(Instant::now()) {
                return Poll::Ready(end);
            }
        }
    }

    fn waits(&mut self, context: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl OpenRequests {
    pub(super) fn new(limits: TimeLimits) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State {
            open: Vec::new(),
            next: 0,
            reading: 0,
            head_since: None,
            quiet_since: now,
            cancelled: None,
            ended: None,
            limits,
            begun: now,
            timer: now,
            waker: None,
        })))
    }

    /// Adds a request, whose answer must have begun after `limit`.
    pub(super) fn begin(&self, limit: Duration) -> RequestGuard {
        let mut state = self.lock();
        let (number, until) = (state.next, Instant::now() + limit);
        state.next += 1;
        state.head_since = None;
        state.open.push(Open { number, until, claim: None });
        if number == 0 {
            state.wake();
        }
        state.limit(until);
        RequestGuard { open_requests: self.clone(), number, answered: false }
    }

    /// Counts a request's body until it has been read or dropped, and its bytes as they pass.
    pub(super) fn reads(&self, body: Incoming, bytes: ByteCounter) -> Body {
        if body.is_end_stream() {
            return Body::empty();
        }
        self.lock().reading += 1;
        Body::new(GuardedBody::new(CountedBody::new(body, bytes), Reading(self.clone())))
    }

    /// Notes that bytes have come on HTTP/1. Unless they belong to a request, a head begins.
    pub(super) fn heard(&self) {
        let mut state = self.lock();
        if state.open.is_empty() && state.reading == 0 && state.head_since.is_none() {
            state.begin_head();
        }
    }

    /// Notes whether a head has begun and not ended.
    pub(super) fn head(&self, begun: bool) {
        let mut state = self.lock();
        if begun && state.head_since.is_none() {
            state.begin_head();
        } else if !begun {
            state.head_since = None;
        }
    }

    /// Notes that more frames have come than any client needs.
    pub(super) fn flood(&self) {
        self.lock().end(End::Flood);
    }

    /// Waits for the first request.
    pub(super) async fn first(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            state.waits(context);
            if state.next > 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits until the connection must end, by limits that begin now. Only the connection's task may wait, for this and for
    /// [`OpenRequests::first`].
    pub(super) async fn end(&self, limits: TimeLimits) -> End {
        let begun = Instant::now();
        {
            let mut state = self.lock();
            (state.limits, state.begun) = (limits, begun);
        }
        let mut timer = pin!(sleep_until(begun + limits.head));
        poll_fn(|context| self.lock().poll_end(context, timer.as_mut())).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestGuard {
    /// Keeps the request open until the answer's body is sent. The connection ends if that takes too long.
    pub(super) fn answered(mut self, answer: Answered, limits: SendLimits, bytes: ByteCounter) -> Response<AnswerBody> {
        self.answered = true;
        let Answered { response, in_flight, claim } = answer;
        {
            let (now, mut state) = (Instant::now(), self.open_requests.lock());
            let claim = claim.map(|claim| (claim, now + limits.hurried));
            let until = now + limits.most;
            state.limit(claim.as_ref().map_or(until, |(_, looked_at)| until.min(*looked_at)));
            if let Some(open) = state.open.iter_mut().find(|open| open.number == self.number) {
                (open.until, open.claim) = (until, claim);
            }
        }
        response.map(|body| GuardedBody::new(CountedBody::new(body, bytes), (self, in_flight)))
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let mut state = self.open_requests.lock();
        state.open.retain(|open| open.number != self.number);
        if state.open.is_empty() || !self.answered {
            let now = Instant::now();
            state.quiet_since = now;
            state.limit(now + state.limits.idle);
            if !self.answered && state.cancel(now) {
                state.end(End::TooFar);
            }
        }
    }
}

/// Keeps a body counted until it is dropped.
struct Reading(OpenRequests);

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reading -= 1;
        if state.open.is_empty() {
            state.quiet_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_requests_may_be_cancelled_in_a_second_and_no_more() {
        let limits = TimeLimits { head: SECOND, idle: SECOND };
        let (requests, start) = (OpenRequests::new(limits), Instant::now());
        let mut state = requests.lock();
        for second in 0..3 {
            for _ in 0..CANCELLED {
                assert!(!state.cancel(start + SECOND * second));
            }
        }
        assert!(state.cancel(start + SECOND * 5 / 2));
    }
}
